import { isDeepStrictEqual } from 'node:util';
import type { LatencyResult, MicroResult, Results, SampleResult, ThroughputResult } from '../results.ts';
import { isSameCase } from '../vocabulary.ts';

/** The parts of a study as one run. They were made on one machine, with the same length and seed; rounds of one case are put together. Throws for none. */
export function mergeResults(parts: readonly Results[]): Results {
  const [first] = parts;
  if (first === undefined) throw new Error('a study without parts');
  const throughput = mergeRounds(parts, (part) => part.throughput, isSameThroughput);
  return {
    ...first,
    connections: [...new Set(parts.flatMap(({ connections }) => connections))].toSorted((a, b) => a - b),
    idleConnections: parts.find(({ idle }) => idle.length > 0)?.idleConnections ?? first.idleConnections,
    versions: Object.assign({}, ...parts.map(({ versions }) => versions)),
    rounds: Math.max(...parts.map(({ rounds }) => rounds), ...throughput.map(({ rounds }) => rounds.length)),
    throughput,
    latency: mergeRounds(parts, ({ latency }) => latency, isSameLoad),
    idle: mergeSamples(parts, ({ idle }) => idle, isSameSubject),
    start: mergeSamples(parts, ({ start }) => start, isSameSubject),
    micro: mergeSamples(parts, ({ micro }) => micro, isSameUnit),
    experiments: Object.assign({}, ...parts.map(({ experiments }) => experiments)),
    // What is missing is missing in every round.
    failures: parts
      .flatMap(({ failures }) => failures)
      .filter((one, index, all) => all.findIndex((other) => isDeepStrictEqual(one, other)) === index),
  };
}

function mergeRounds<Result extends { readonly rounds: readonly unknown[] }>(
  parts: readonly Results[],
  of: (part: Results) => readonly Result[],
  isSame: (one: Result, other: Result) => boolean,
): Result[] {
  return mergeAll(parts.flatMap(of), isSame, (one, other) => ({ ...one, rounds: [...one.rounds, ...other.rounds] }));
}

function mergeSamples<Result extends { readonly samples: readonly number[] }>(
  parts: readonly Results[],
  of: (part: Results) => readonly Result[],
  isSame: (one: Result, other: Result) => boolean,
): Result[] {
  return mergeAll(parts.flatMap(of), isSame, (one, other) => ({ ...one, samples: [...one.samples, ...other.samples] }));
}

/** In the order in which they first appear. */
function mergeAll<Result>(
  all: readonly Result[],
  isSame: (one: Result, other: Result) => boolean,
  merge: (one: Result, other: Result) => Result,
): Result[] {
  const merged: Result[] = [];
  for (const one of all) {
    const index = merged.findIndex((known) => isSame(known, one));
    if (index < 0) merged.push(one);
    else merged[index] = merge(merged[index]!, one);
  }
  return merged;
}

function isSameThroughput(one: ThroughputResult, other: ThroughputResult): boolean {
  return one.subject === other.subject && isSameCase(one, other);
}

function isSameLoad(one: LatencyResult, other: LatencyResult): boolean {
  const { subject, layer, size, share } = other;
  return one.subject === subject && one.layer === layer && one.size === size && one.share === share;
}

function isSameSubject(one: SampleResult, other: SampleResult): boolean {
  return one.subject === other.subject;
}

function isSameUnit(one: MicroResult, other: MicroResult): boolean {
  return one.group === other.group && one.name === other.name && one.x === other.x;
}
