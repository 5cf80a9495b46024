import { BODY_BYTES } from '../origin/bodies.ts';
import type { Results, ThroughputResult } from '../results.ts';
import { median } from '../statistics.ts';
import { type BodySize, type Layer, type SubjectName, titleOf } from '../vocabulary.ts';
import { BULK_KIB, type CostModel, type Observation, type Residual, STREAM_KIB, type Work } from './cost-model.ts';

/** The layers whose prices are told apart, and the scenarios that tell. */
export const PRICED = {
  l4: ['l4'],
  l7: ['l7'],
  tls: ['tls', 'full', 'resumed'],
} as const satisfies Readonly<Record<string, readonly Layer[]>>;
export type Priced = keyof typeof PRICED;

/** What a subject is paid for at a layer, and how well that predicts. */
export interface PricedSubject {
  readonly priced: Priced;
  readonly subject: SubjectName;
  readonly model: CostModel;
  readonly heldOut: readonly Residual[];
  readonly beyond: readonly Residual[];
}

/**
 * What a scenario is for. Prices are fitted to a grid of sizes and counts of connections. `held-out`: between its points, never fitted to. `beyond`: outside of
 * it.
 */
export type Role = 'fitted' | 'held-out' | 'beyond';
export const HELD_OUT_SIZES: readonly BodySize[] = ['4k', '64k', '256k'];
export const HELD_OUT_CONNECTIONS = [32, 192];
const GRID_MAX_KIB = 1024;
const GRID_MAX_CONNECTIONS = 256;
/** Of so many connections a core has all in its cache. Beyond, with requests on one after the other at random, it lacks those that there is no room for. */
const WARM_CONNECTIONS = 64;

export function roleOf({ size, connections }: Pick<ThroughputResult, 'size' | 'connections'>): Role {
  if (BODY_BYTES[size] / 1024 > GRID_MAX_KIB || connections > GRID_MAX_CONNECTIONS) return 'beyond';
  return HELD_OUT_SIZES.includes(size) || HELD_OUT_CONNECTIONS.includes(connections) ? 'held-out' : 'fitted';
}

/** What one subject did and what it took, scenario by scenario. Invalid ones are left out. */
export function observationsOf(results: Results, priced: Priced, subject: SubjectName, role: Role): Observation[] {
  const layers: readonly Layer[] = PRICED[priced];
  return results.throughput
    .filter((result) => result.subject === subject && layers.includes(result.layer) && roleOf(result) === role)
    .filter(({ rounds }) => rounds.every(({ problems, counters }) => problems.length === 0 && counters !== null))
    .map((result) => ({
      title: titleOf(result),
      work: workOf(result),
      costsUs: result.rounds.map(({ userUs, systemUs, requests }) => (userUs + systemUs) / requests),
    }));
}

function workOf({ layer, load, size, connections, rounds }: ThroughputResult): Work {
  const isMessage = load === 'messages';
  // At Layer 4 everything is.
  const isTunnel = isMessage && layer !== 'l4';
  const isPlain = layer === 'l4' || layer === 'l7';
  const perRequest = (name: 'packets' | 'contextSwitches'): number =>
    median(rounds.map(({ counters, requests }) => (counters?.[name] ?? Number.NaN) / requests));
  // Connections that stay are made within the measurement, too.
  const accepted = load === 'fresh' ? 1 : connections / median(rounds.map(({ requests }) => requests));
  // A message comes back.
  const ways = isMessage ? 2 : 1;
  const firstKib = ways * kibBetween(size, 0, BULK_KIB);
  return {
    // The price of a handshake has its connection in it: there is none without the other.
    accepted: isPlain ? accepted : 0,
    // Layer 4 dials one for each that it accepts: the price is of both. Layer 7 keeps them, unless the endpoint doesn't.
    dialed: load === 'unpooled' ? 1 : 0,
    packets: perRequest('packets'),
    kibibytes: load === 'upload' || isTunnel ? 0 : firstKib,
    bulk: ways * kibBetween(size, BULK_KIB, STREAM_KIB),
    streamed: ways * kibBetween(size, STREAM_KIB, Number.POSITIVE_INFINITY),
    // Layer 4 sees none, and what is upgraded is a tunnel.
    requests: layer === 'l4' || isMessage ? 0 : 1,
    uploads: load === 'upload' ? 1 : 0,
    uploaded: load === 'upload' ? firstKib : 0,
    tunneled: isTunnel ? firstKib : 0,
    handshakes: isPlain || layer === 'resumed' ? 0 : accepted,
    resumptions: layer === 'resumed' ? accepted : 0,
    // Over TLS hardly anything but a handshake wakes the proxy: it is part of the price of that.
    wakeups: isPlain ? perRequest('contextSwitches') : 0,
    cold: Math.max(0, 1 - WARM_CONNECTIONS / connections),
  };
}

/** How many kibibytes of a body lie between these. */
function kibBetween(size: BodySize, fromKib: number, toKib: number): number {
  const bodyKib = BODY_BYTES[size] / 1024;
  return Math.max(0, Math.min(bodyKib, toKib) - fromKib);
}
