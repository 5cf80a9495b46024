/**
 * Counts durations in log-linear buckets: 90 for each decade from 10 µs to 100 s, so that a bucket is at most a tenth of its value wide.
 * The buckets are the same everywhere, so that histograms of shards add up exactly, and the boundaries that scrapers are shown
 * (LATENCY_BOUNDS_S) fall between two of them. Percentiles are never averaged: whoever wants one adds buckets first.
 *
 * Hot path: no allocation after the first record.
 */

const DECADES = 7;
const PER_DECADE = 90;
const FIRST_US = 10;
const LEADING_END = 100;
/** One below the first decade, one above the last. */
export const LATENCY_BUCKETS = DECADES * PER_DECADE + 2;
const MAX_US = FIRST_US * 10 ** DECADES;

/** Upper bounds that are told to scrapers, in seconds, both ends of what a proxy sees. Each is a boundary between two buckets. */
export const LATENCY_BOUNDS_S = [
  0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
] as const;

const NO_COUNTS = new Float64Array(0);

/** What a histogram has counted, as plain data: pairs of bucket and count for those that are not empty. */
export interface LatencyCounts {
  readonly buckets: readonly number[];
  readonly sumMs: number;
}

export class LatencyHistogram {
  /** Made with the first record, because most of ten thousand routes have none. */
  #counts = NO_COUNTS;
  #sumMs = 0;

  /** Milliseconds, fractions included. Below 0 counts as 0: two threads may disagree by a tick. */
  record(ms: number): void {
    if (this.#counts === NO_COUNTS) this.#counts = new Float64Array(LATENCY_BUCKETS);
    this.#counts[bucketOf(ms)]! += 1;
    this.#sumMs += Math.max(ms, 0);
  }

  /** Undefined: nothing was recorded. */
  counts(): LatencyCounts | undefined {
    if (this.#counts === NO_COUNTS) return undefined;
    const pairs: number[] = [];
    for (const [bucket, count] of this.#counts.entries()) if (count > 0) pairs.push(bucket, count);
    return { buckets: pairs, sumMs: this.#sumMs };
  }
}

/** A bucket holds what is above its lower bound, and its upper bound itself, as `le` means it. Hot path. */
export function bucketOf(ms: number): number {
  // What is a whole microsecond but for the rounding of doubles stays one.
  const us = Math.ceil(ms * 1000 - 1e-6) - 1;
  if (us < FIRST_US) return 0;
  if (us >= MAX_US) return LATENCY_BUCKETS - 1;
  let leading = us | 0;
  let first = 1;
  while (leading >= LEADING_END) {
    leading = (leading / 10) | 0;
    first += PER_DECADE;
  }
  return first + leading - FIRST_US;
}

/** Upper bound of a bucket in milliseconds; infinite for the last. */
export function upperBoundMs(bucket: number): number {
  if (bucket === 0) return FIRST_US / 1000;
  if (bucket === LATENCY_BUCKETS - 1) return Number.POSITIVE_INFINITY;
  const decade = Math.floor((bucket - 1) / PER_DECADE);
  const leading = ((bucket - 1) % PER_DECADE) + FIRST_US;
  return ((leading + 1) * 10 ** decade) / 1000;
}

/** Both together. */
export function addLatencies(a: LatencyCounts, b: LatencyCounts): LatencyCounts {
  const dense = new Float64Array(LATENCY_BUCKETS);
  for (const { buckets } of [a, b]) {
    for (let at = 0; at < buckets.length; at += 2) dense[buckets[at]!]! += buckets[at + 1]!;
  }
  const pairs: number[] = [];
  for (const [bucket, count] of dense.entries()) if (count > 0) pairs.push(bucket, count);
  return { buckets: pairs, sumMs: a.sumMs + b.sumMs };
}

/** What `later` has counted beyond `earlier`, of the same histogram. */
export function latenciesSince(later: LatencyCounts, earlier: LatencyCounts | undefined): LatencyCounts {
  if (earlier === undefined) return later;
  const negated = earlier.buckets.map((value, at) => (at % 2 === 0 ? value : -value));
  return addLatencies(later, { buckets: negated, sumMs: -earlier.sumMs });
}

export function latencyCount({ buckets }: LatencyCounts): number {
  let count = 0;
  for (let at = 1; at < buckets.length; at += 2) count += buckets[at]!;
  return count;
}

/**
 * The value in milliseconds that a share of `quantile` (0 to 1) does not exceed: the upper bound of its bucket, so at most a tenth too high.
 * Undefined where nothing was counted.
 */
export function latencyQuantileMs(counts: LatencyCounts, quantile: number): number | undefined {
  const total = latencyCount(counts);
  if (total === 0) return undefined;
  const rank = Math.max(1, Math.ceil(total * quantile));
  const { buckets } = counts;
  let seen = 0;
  for (let at = 0; at < buckets.length; at += 2) {
    seen += buckets[at + 1]!;
    if (seen >= rank) return upperBoundMs(buckets[at]!);
  }
  return undefined;
}
