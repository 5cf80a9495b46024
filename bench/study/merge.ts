import type { Results } from '../results.ts';

/** The parts of a study as one run. They were made on one machine, with the same length and seed. Throws for none. */
export function mergeResults(parts: readonly Results[]): Results {
  const [first] = parts;
  if (first === undefined) throw new Error('a study without parts');
  return {
    ...first,
    connections: [...new Set(parts.flatMap(({ connections }) => connections))].toSorted((a, b) => a - b),
    idleConnections: parts.find(({ idle }) => idle.length > 0)?.idleConnections ?? first.idleConnections,
    versions: Object.assign({}, ...parts.map(({ versions }) => versions)),
    throughput: parts.flatMap(({ throughput }) => throughput),
    latency: parts.flatMap(({ latency }) => latency),
    idle: parts.flatMap(({ idle }) => idle),
    start: parts.flatMap(({ start }) => start),
    micro: parts.flatMap(({ micro }) => micro),
    experiments: Object.assign({}, ...parts.map(({ experiments }) => experiments)),
    failures: parts.flatMap(({ failures }) => failures),
  };
}
