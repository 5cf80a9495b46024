import { isDeepStrictEqual } from 'node:util';
import type { Results, ThroughputResult } from '../results.ts';
import { isSameCase } from '../vocabulary.ts';

/** The parts of a study as one run. They were made on one machine, with the same length and seed; rounds of one case are put together. Throws for none. */
export function mergeResults(parts: readonly Results[]): Results {
  const [first] = parts;
  if (first === undefined) throw new Error('a study without parts');
  const throughput = mergeRounds(parts.flatMap((part) => part.throughput));
  return {
    ...first,
    connections: [...new Set(parts.flatMap(({ connections }) => connections))].toSorted((a, b) => a - b),
    idleConnections: parts.find(({ idle }) => idle.length > 0)?.idleConnections ?? first.idleConnections,
    versions: Object.assign({}, ...parts.map(({ versions }) => versions)),
    rounds: Math.max(...parts.map(({ rounds }) => rounds), ...throughput.map(({ rounds }) => rounds.length)),
    throughput,
    latency: parts.flatMap(({ latency }) => latency),
    idle: parts.flatMap(({ idle }) => idle),
    start: parts.flatMap(({ start }) => start),
    micro: parts.flatMap(({ micro }) => micro),
    experiments: Object.assign({}, ...parts.map(({ experiments }) => experiments)),
    // What is missing is missing in every round.
    failures: parts
      .flatMap(({ failures }) => failures)
      .filter((one, index, all) => all.findIndex((other) => isDeepStrictEqual(one, other)) === index),
  };
}

function mergeRounds(all: readonly ThroughputResult[]): ThroughputResult[] {
  const merged: ThroughputResult[] = [];
  for (const one of all) {
    const index = merged.findIndex((other) => other.subject === one.subject && isSameCase(other, one));
    const same = merged[index];
    if (same === undefined) merged.push(one);
    else merged[index] = { ...same, rounds: [...same.rounds, ...one.rounds] };
  }
  return merged;
}
