import { describe, expect, it } from 'vitest';
import { makeRandom } from '../../../bench/load/open-loop/arrivals.ts';
import {
  BULK_KIB,
  fitCostModel,
  fitPrices,
  type Observation,
  type Prices,
  predictUs,
  residualsOf,
  STREAM_KIB,
  type Work,
} from '../../../bench/study/cost-model.ts';

const NO_WORK: Work = {
  accepted: 0,
  dialed: 0,
  packets: 0,
  kibibytes: 0,
  bulk: 0,
  streamed: 0,
  requests: 0,
  uploads: 0,
  uploaded: 0,
  tunneled: 0,
  handshakes: 0,
  resumptions: 0,
  wakeups: 0,
  cold: 0,
};
const PRICES: Prices = {
  accepted: 30,
  dialed: 40,
  packets: 4,
  kibibytes: 0.25,
  bulk: 0.4,
  streamed: 0.1,
  requests: 6,
  uploads: 5,
  uploaded: 0.3,
  tunneled: 0.2,
  handshakes: 700,
  resumptions: 150,
  wakeups: 8,
  cold: 9,
};

/** Scenarios as a run has them: kept and fresh connections, six sizes, with and without a handshake. */
const SCENARIOS: readonly Work[] = [1, 16, 128, 512, 1024, 4096].flatMap((size) => {
  const kibibytes = Math.min(size, BULK_KIB);
  const bytes = { kibibytes, bulk: Math.min(size, STREAM_KIB) - kibibytes, streamed: Math.max(0, size - STREAM_KIB) };
  const packets = 4 + size / 20;
  return [
    { ...NO_WORK, packets, ...bytes, requests: 1 },
    { ...NO_WORK, packets: packets + 8, ...bytes, requests: 1, accepted: 1 },
    { ...NO_WORK, packets: packets + 9, ...bytes, requests: 1, accepted: 1, dialed: 1 },
    { ...NO_WORK, packets, ...bytes, kibibytes: 0, uploaded: kibibytes, requests: 1, uploads: 1 },
    { ...NO_WORK, packets, ...bytes, kibibytes: 0, tunneled: kibibytes },
    { ...NO_WORK, packets, ...bytes, requests: 1, cold: 0.75 },
    { ...NO_WORK, packets: packets / 2, ...bytes, requests: 1 },
    { ...NO_WORK, packets, ...bytes, requests: 1, wakeups: 1.7 },
    { ...NO_WORK, packets: packets + 14, ...bytes, requests: 1, accepted: 1, handshakes: 1 },
    { ...NO_WORK, packets: packets + 11, ...bytes, requests: 1, accepted: 1, resumptions: 1 },
  ];
});

/** What these scenarios would cost at those prices, each round off by as much as `noise`. */
function observe(prices: Prices, noise = 0): Observation[] {
  const random = makeRandom(7);
  return SCENARIOS.map((work, index) => ({
    title: `scenario ${index}`,
    work,
    costsUs: [1, 2, 3].map(() => predictUs(prices, work) * (1 + noise * (2 * random() - 1))),
  }));
}

const points = (observations: readonly Observation[]) =>
  observations.map(({ work, costsUs }) => ({ work, costUs: costsUs[0]! }));

describe('the cost model', () => {
  it('finds the prices that figures were made of', () => {
    const prices = fitPrices(points(observe(PRICES)));
    for (const [term, price] of Object.entries(prices)) expect(price).toBeCloseTo(PRICES[term as keyof Prices], 6);
  });

  it('finds no price for what costs nothing, and none below zero', () => {
    const free = { ...PRICES, streamed: 0 };
    expect(fitPrices(points(observe(free))).streamed).toBeCloseTo(0, 6);
    // More of it makes things cheaper: the best that is not below zero is nothing.
    const paradox = fitPrices(points(observe({ ...PRICES, streamed: -0.0001 })));
    expect(paradox.streamed).toBe(0);
    expect(Math.min(...Object.values(paradox))).toBeGreaterThanOrEqual(0);
  });

  it('weighs a scenario by its relative error, so that the dear ones do not drown the cheap ones', () => {
    const cheap = { work: { ...NO_WORK, requests: 1 }, costUs: 10 };
    const dear = { work: { ...NO_WORK, requests: 1 }, costUs: 1_000 };
    // The least of (p/10 - 1)² + (p/1000 - 1)² is at (1/10 + 1/1000) / (1/10² + 1/1000²); of the plain errors it would be 505.
    expect(fitPrices([cheap, dear]).requests).toBeCloseTo((0.1 + 0.001) / (0.01 + 0.000_001), 9);
  });

  it('gives no price to what no scenario has', () => {
    const kept = observe(PRICES).filter(({ work }) => work.accepted === 0);
    expect(fitPrices(points(kept))).toMatchObject({ accepted: 0, handshakes: 0, resumptions: 0 });
  });

  it('predicts scenarios that it has not seen, and says by how much it is off', () => {
    const { leftOut, residuals, prices } = fitCostModel(observe(PRICES), 1);
    expect(leftOut).toHaveLength(SCENARIOS.length);
    const other = { title: 'other', work: { ...NO_WORK, packets: 7, requests: 2, cold: 0.5 }, costsUs: [44.5] };
    for (const { error } of [...leftOut, ...residuals, ...residualsOf([other], prices)])
      expect(error).toBeCloseTo(0, 9);
    const wrong = observe(PRICES);
    wrong[3] = { ...wrong[3]!, costsUs: wrong[3]!.costsUs.map((cost) => cost / 2) };
    const off = fitCostModel(wrong, 1).leftOut[3]!;
    expect(off.error).toBeCloseTo(1, 1);
    expect(off.predictedUs).toBeCloseTo(2 * off.measuredUs, 0);
  });

  it('goes by the cheaper rounds: what disturbs a measurement only ever adds to it', () => {
    const disturbed = observe(PRICES).map((one) => ({
      ...one,
      costsUs: [2, 1, 1, 1.7, 1.5].map((f) => f * one.costsUs[0]!),
    }));
    const { prices, residuals } = fitCostModel(disturbed, 1);
    for (const [term, price] of Object.entries(prices)) expect(price).toBeCloseTo(PRICES[term as keyof Prices], 6);
    for (const { measuredUs, title } of residuals)
      expect(measuredUs).toBe(disturbed.find((one) => one.title === title)!.costsUs[1]);
  });

  it('has intervals that hold the prices, and grow with the noise', () => {
    const [calm, wild] = [0.02, 0.2].map((noise) => fitCostModel(observe(PRICES, noise), 1).intervals);
    for (const [term, { low, high }] of Object.entries(calm!)) {
      const price = PRICES[term as keyof Prices];
      expect(low, term).toBeLessThanOrEqual(price);
      expect(high, term).toBeGreaterThanOrEqual(price);
      const wide = wild![term as keyof Prices];
      expect(wide.high - wide.low, term).toBeGreaterThan(high - low);
    }
  });

  it('says the same for the same seed', () => {
    const observations = observe(PRICES, 0.1);
    expect(fitCostModel(observations, 3)).toEqual(fitCostModel(observations, 3));
    expect(fitCostModel(observations, 3).intervals).not.toEqual(fitCostModel(observations, 4).intervals);
  });
});
