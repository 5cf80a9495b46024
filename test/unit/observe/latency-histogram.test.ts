import { describe, expect, test } from 'vitest';
import { Random } from '../../../src/core/random.ts';
import {
  addLatencies,
  bucketOf,
  LATENCY_BOUNDS_S,
  LATENCY_BUCKETS,
  LatencyHistogram,
  latenciesSince,
  latencyCount,
  latencyQuantileMs,
  upperBoundMs,
} from '../../../src/observe/latency-histogram.ts';

function histogramOf(values: readonly number[]) {
  const histogram = new LatencyHistogram();
  for (const ms of values) histogram.record(ms);
  return histogram.counts()!;
}

describe('buckets', () => {
  test('hold their upper bound and not their lower one', () => {
    for (let bucket = 0; bucket < LATENCY_BUCKETS - 1; bucket++) {
      const bound = upperBoundMs(bucket);
      expect(bucketOf(bound), `${bound} ms`).toBe(bucket);
      expect(bucketOf(bound + 0.0005), `just above ${bound} ms`).toBe(bucket + 1);
    }
  });

  test('take what is below and above all bounds', () => {
    expect([-5, 0, 0.001].map(bucketOf)).toEqual([0, 0, 0]);
    expect([100_000.1, 1e12, Number.POSITIVE_INFINITY].map(bucketOf)).toEqual(Array(3).fill(LATENCY_BUCKETS - 1));
  });

  test('are at most a tenth of their value wide', () => {
    for (let bucket = 1; bucket < LATENCY_BUCKETS - 1; bucket++) {
      expect((upperBoundMs(bucket) - upperBoundMs(bucket - 1)) / upperBoundMs(bucket - 1)).toBeLessThanOrEqual(0.1001);
    }
  });

  test('end where the bounds for scrapers are', () => {
    for (const bound of LATENCY_BOUNDS_S) expect(upperBoundMs(bucketOf(bound * 1000))).toBeCloseTo(bound * 1000, 9);
  });
});

describe('histograms', () => {
  test('add up to what one histogram of everything would have counted', () => {
    const random = new Random(7);
    const values = Array.from({ length: 2_000 }, () => random.below(1_000_000) / 100);
    const halves = [values.slice(0, 700), values.slice(700)].map(histogramOf);
    const whole = histogramOf(values);
    const sum = addLatencies(halves[0]!, halves[1]!);
    expect(sum.buckets).toEqual(whole.buckets);
    expect(sum.sumMs).toBeCloseTo(whole.sumMs, 6);
    expect(latencyCount(sum)).toBe(2_000);
  });

  test('tell quantiles to within a tenth', () => {
    const counts = histogramOf(Array.from({ length: 1_000 }, (_, index) => index + 1));
    for (const [quantile, exact] of [
      [0.5, 500],
      [0.99, 990],
      [1, 1000],
    ] as const) {
      const told = latencyQuantileMs(counts, quantile)!;
      expect(told / exact, `p${quantile * 100}`).toBeGreaterThanOrEqual(1);
      expect(told / exact, `p${quantile * 100}`).toBeLessThan(1.1);
    }
  });

  test('say nothing where nothing was recorded', () => {
    expect(new LatencyHistogram().counts()).toBeUndefined();
    expect(latencyQuantileMs({ buckets: [], sumMs: 0 }, 0.5)).toBeUndefined();
  });

  test('tell what came since an earlier look', () => {
    const histogram = new LatencyHistogram();
    histogram.record(1);
    histogram.record(50);
    const earlier = histogram.counts();
    histogram.record(50);
    histogram.record(900);
    expect(latenciesSince(histogram.counts()!, earlier)).toEqual(histogramOf([50, 900]));
    expect(latenciesSince(histogram.counts()!, undefined)).toEqual(histogram.counts());
  });
});
