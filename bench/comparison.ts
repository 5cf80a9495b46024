import { mergeHistograms } from './load/open-loop/open-loop.ts';
import type { Results } from './results.ts';
import { median, ratio } from './statistics.ts';
import { LAYER_TITLES, SIZE_TITLES, titleOf } from './vocabulary.ts';

/** How probable it may be that a difference which is called one is none. */
export const SIGNIFICANCE = 0.05;

/** One figure of two runs. */
export interface Comparison {
  readonly title: string;
  readonly before: number;
  readonly after: number;
  /** `after` as a multiple of `before`; undefined where that says nothing. */
  readonly ratio: number | undefined;
  /** How probable a difference like this is where there is none. */
  readonly probability: number;
}

/** Figures of one run by what they are of: a sample for each valid round. */
type Samples = ReadonlyMap<string, readonly number[]>;

/** What both runs have measured. Smaller is better for every figure. */
export function compareResults(before: Results, after: Results): readonly Comparison[] {
  const others = samplesOf(after);
  return [...samplesOf(before)].flatMap(([title, samples]) => {
    const other = others.get(title);
    if (other === undefined || samples.length === 0 || other.length === 0) return [];
    const [medianBefore, medianAfter] = [median(samples), median(other)];
    return [
      {
        title,
        before: medianBefore,
        after: medianAfter,
        ratio: ratio(medianAfter, medianBefore),
        probability: rankSumProbability(samples, other),
      },
    ];
  });
}

/** What makes two runs hard to compare, in words. */
export function differencesOfRuns(before: Results, after: Results): readonly string[] {
  const facts = ({ machine, versions, load, origin, pinned, connections, seconds }: Results) => ({
    ...machine,
    ...versions,
    load,
    origin,
    pinned,
    connections: connections.join(),
    'seconds of a measurement': seconds,
  });
  const [one, other] = [facts(before), facts(after)] as Record<string, unknown>[];
  return Object.keys({ ...one, ...other }).flatMap((name) => {
    const [a, b] = [one?.[name] ?? 'none', other?.[name] ?? 'none'];
    return a === b ? [] : [`${name}: ${a} before, ${b} after`];
  });
}

function samplesOf(results: Results): Samples {
  const samples = new Map<string, readonly number[]>();
  for (const result of results.throughput) {
    const { subject, rounds } = result;
    const valid = rounds.filter(({ problems }) => problems.length === 0);
    samples.set(
      `${titleOf(result)}, ${subject}: CPU µs per request`,
      valid.map(({ userUs, systemUs, requests }) => (userUs + systemUs) / requests),
    );
  }
  for (const { subject, layer, size, share, rounds } of results.latency) {
    const valid = rounds.filter(({ problems }) => problems.length === 0);
    samples.set(
      `${LAYER_TITLES[layer]}, ${SIZE_TITLES[size]}, latency at ${Math.round(share * 100)} % of saturation, ${subject}: p99 µs`,
      valid.map(({ latency }) => mergeHistograms([latency]).getValueAtPercentile(99)),
    );
  }
  for (const { group, name, x, samples: ns } of results.micro) samples.set(`${group}: ${name}, ${x}: ns`, ns);
  for (const { subject, samples: bytes } of results.idle) samples.set(`idle connection, ${subject}: bytes`, bytes);
  for (const { subject, samples: ms } of results.start) samples.set(`start, ${subject}: ms`, ms);
  return samples;
}

/**
 * How probable it is that two samples of the same distribution are as far from each other in their ranks as these, or farther: the exact
 * two-sided test of Mann and Whitney ("On a test of whether one of two random variables is stochastically larger than the other", 1947).
 * It asks nothing of the distribution. Equal values count half; that errs towards no difference. 1 where there is nothing to compare.
 */
export function rankSumProbability(a: readonly number[], b: readonly number[]): number {
  let wins = 0;
  for (const x of a) for (const y of b) wins += x > y ? 1 : x === y ? 0.5 : 0;
  const fewer = Math.ceil(Math.min(wins, a.length * b.length - wins));
  const ways = waysToWin(a.length, b.length);
  const all = ways.reduce((sum, count) => sum + count, 0);
  const asExtreme = ways.slice(0, fewer + 1).reduce((sum, count) => sum + count, 0);
  return Math.min(1, (2 * asExtreme) / all);
}

/**
 * In how many orders of `m` and `n` values the first ones win 0, 1, … m·n of the pairs. The greatest value is one of the first, and wins n pairs, or
 * one of the others, and wins none: ways(m, n, wins) = ways(m - 1, n, wins - n) + ways(m, n - 1, wins).
 */
function waysToWin(m: number, n: number): Float64Array {
  /** By the number of others: with none of the first ones, there is one way to win nothing. */
  let rows: Float64Array[] = Array.from({ length: n + 1 }, () => Float64Array.of(1));
  for (let first = 1; first <= m; first++) {
    const longer: Float64Array[] = [];
    for (let others = 0; others <= n; others++) {
      const ways = new Float64Array(first * others + 1);
      for (const [wins, count] of rows[others]!.entries()) ways[wins + others]! += count;
      if (others > 0) for (const [wins, count] of longer[others - 1]!.entries()) ways[wins]! += count;
      longer.push(ways);
    }
    rows = longer;
  }
  return rows[n]!;
}
