import { BODY_BYTES } from '../origin/bodies.ts';
import type { Results, ThroughputResult } from '../results.ts';
import { median } from '../statistics.ts';
import { type Layer, type LoadKind, type SubjectName, titleOf } from '../vocabulary.ts';
import { type CostModel, type Observation, STREAM_KIB, type Work } from './cost-model.ts';

/** The layers whose prices are told apart, and the scenarios that tell. */
export const PRICED = {
  l4: ['l4'],
  l7: ['l7'],
  tls: ['tls', 'full', 'resumed'],
} as const satisfies Readonly<Record<string, readonly Layer[]>>;
export type Priced = keyof typeof PRICED;

/** What a subject is paid for at a layer. */
export interface PricedSubject {
  readonly priced: Priced;
  readonly subject: SubjectName;
  readonly model: CostModel;
}

/** What one subject did and what it took, scenario by scenario. Invalid ones are left out. */
export function observationsOf(results: Results, priced: Priced, subject: SubjectName): Observation[] {
  const layers: readonly Layer[] = PRICED[priced];
  return results.throughput
    .filter((result) => result.subject === subject && layers.includes(result.layer))
    .filter(({ rounds }) => rounds.every(({ problems, counters }) => problems.length === 0 && counters !== null))
    .map((result) => ({
      title: titleOf(result),
      work: workOf(result),
      costsUs: result.rounds.map(({ userUs, systemUs, requests }) => (userUs + systemUs) / requests),
    }));
}

function workOf({ layer, load, size, connections, rounds }: ThroughputResult): Work {
  const isMessage = load === 'messages';
  const isPlain = layer === 'l4' || layer === 'l7';
  const perRequest = (name: 'packets' | 'contextSwitches'): number =>
    median(rounds.map(({ counters, requests }) => (counters?.[name] ?? Number.NaN) / requests));
  // Connections that stay are made within the measurement, too.
  const accepted = load === 'fresh' ? 1 : connections / median(rounds.map(({ requests }) => requests));
  const bodyKib = BODY_BYTES[size] / 1024;
  // A message comes back.
  const ways = isMessage ? 2 : 1;
  return {
    // The price of a handshake has its connection in it: there is none without the other.
    connections: isPlain ? accepted + dialed(layer, load, accepted) : 0,
    packets: perRequest('packets'),
    kibibytes: ways * Math.min(bodyKib, STREAM_KIB),
    streamed: ways * Math.max(0, bodyKib - STREAM_KIB),
    // Layer 4 sees none, and what is upgraded is a tunnel.
    requests: layer === 'l4' || isMessage ? 0 : 1,
    handshakes: isPlain || layer === 'resumed' ? 0 : accepted,
    resumptions: layer === 'resumed' ? accepted : 0,
    // Over TLS hardly anything but a handshake wakes the proxy: it is part of the price of that.
    wakeups: isPlain ? perRequest('contextSwitches') : 0,
  };
}

/** Connections to the endpoint that are made for a request. Layer 7 keeps them, unless the endpoint doesn't. */
function dialed(layer: Layer, load: LoadKind, accepted: number): number {
  if (layer === 'l4') return accepted;
  return load === 'unpooled' ? 1 : 0;
}
