import { BODY_BYTES } from '../origin/bodies.ts';
import type { Results, ThroughputResult } from '../results.ts';
import { median } from '../statistics.ts';
import { type Layer, type SubjectName, titleOf } from '../vocabulary.ts';
import type { Observation, Work } from './cost-model.ts';

/** The layers whose prices are told apart, and the scenarios that tell. */
export const PRICED = {
  l4: ['l4'],
  l7: ['l7'],
  tls: ['tls', 'full', 'resumed'],
} as const satisfies Readonly<Record<string, readonly Layer[]>>;
export type Priced = keyof typeof PRICED;

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

function workOf({ layer, load, size, rounds }: ThroughputResult): Work {
  const isMessage = load === 'messages';
  return {
    connections: load === 'fresh' ? 1 : 0,
    packets: median(rounds.map(({ counters, requests }) => (counters?.packets ?? Number.NaN) / requests)),
    // A message comes back.
    kibibytes: (BODY_BYTES[size] * (isMessage ? 2 : 1)) / 1024,
    // Layer 4 sees none, and what is upgraded is a tunnel.
    requests: layer === 'l4' || isMessage ? 0 : 1,
    handshakes: layer === 'full' ? 1 : 0,
    resumptions: layer === 'resumed' ? 1 : 0,
    wakeups: median(rounds.map(({ counters, requests }) => (counters?.contextSwitches ?? Number.NaN) / requests)),
  };
}
