/** Verdicts follow from figures: each claim with figures that bear it out, and with figures that don't. */

import { encodeIntoCompressedBase64 } from 'hdr-histogram-js';
import { describe, expect, it } from 'vitest';
import { EXPERIMENTS, judgeClaims } from '../../../bench/claims/all-claims.ts';
import type { Verdict } from '../../../bench/claims/claim.ts';
import { drawFrom, hashedImbalance, zipfWeights } from '../../../bench/claims/experiments/hidden-clients.ts';
import { chainShares } from '../../../bench/claims/experiments/rule-chain.ts';
import { throwAtRandom } from '../../../bench/claims/experiments/two-choices.ts';
import { failedIn, imbalance, quantile } from '../../../bench/claims/rig.ts';
import { makeHistogram } from '../../../bench/load/open-loop/open-loop.ts';
import type { LatencyResult, Results, Round } from '../../../bench/results.ts';
import type { Layer, LoadKind, SubjectName } from '../../../bench/vocabulary.ts';
import { resultsWith } from '../bench/results-with.ts';

function judge(number: number, data: unknown) {
  return EXPERIMENTS.find((one) => one.number === number)!.judge(data);
}

const policies = (roundRobin: number[], leastRequest: number[]) =>
  ['equal durations', 'one endpoint is slow', 'one request in 200 is slow, one worker'].flatMap((name, index) => [
    { name, policy: 'round-robin', p50Us: 5_000, p99Us: roundRobin[index], peak: 9 },
    { name, policy: 'least-request', p50Us: 5_000, p99Us: leastRequest[index], peak: 3 },
  ]);
const moved = (modulo: number, ring: number, maglev: number) => [
  { name: 'modulo N', moved: modulo, imbalance: 0.1 },
  { name: 'ring, 160 points', moved: ring, imbalance: 0.2 },
  { name: 'ring, load bounded to 1.25', moved: 0.14, imbalance: 0.2 },
  { name: 'Maglev, 65,537 slots', moved: maglev, imbalance: 0.01 },
];
const chain = (taken: number[]) => [{ endpoints: 4, exact: chainShares(4), taken }];
const sticky = (requests: number[], clients: number[], gone: number[]) => [
  { name: 'none', clients: null, requests: requests[0], moved: null, lost: 0 },
  { name: 'cookie', clients: clients[0], requests: requests[1], moved: gone[0], lost: 0 },
  { name: 'source hash', clients: clients[1], requests: requests[2], moved: gone[1], lost: 0 },
];
const checks = (outAfterMs: (number | null)[]) =>
  ['tcp check', 'http check', 'ejection alone', 'http check and ejection'].map((name, index) => ({
    name,
    errors: 10,
    outAfterMs: outAfterMs[index],
  }));
const interval = (alone: number[], retried: number[]) =>
  [1_000, 10_000].map((intervalMs, index) => ({
    intervalMs,
    errors: { 'check alone': alone[index], 'and ejection': 5, 'and retries': retried[index] },
  }));
const cost = (usedUs: number) => {
  const without = { usedUs: 1e6, endpointsUsedUs: 1e6, checks: 0, p50Us: 1_000, p99Us: 5_000 };
  return { seconds: 10, without, with: { ...without, usedUs, checks: 5_000 } };
};
const cuts = (counts: number[]) =>
  ['at once', 'with too short a drain', 'with a drain that is long enough'].map((name, index) => ({
    name,
    deadlineMs: index * 600,
    sent: 1_000,
    cut: counts[index],
  }));
const race = (failed: number[]) =>
  ['stops at once', 'stops at once, the proxy retries', 'waits too short a time', 'waits until the news has come'].map(
    (name, index) => ({ name, waitMs: index * 250, sent: 600, failed: failed[index] }),
  );
const choices = (real: [number, number], many: [number, number]) => ({
  arithmetic: [
    { endpoints: 10, random: 0.5, twoChoices: 0.1 },
    { endpoints: 1_000, random: many[0], twoChoices: many[1] },
  ],
  real: { endpoints: 10, random: real[0], twoChoices: real[1] },
});
const hidden = (zipf: number, real: number) => ({
  arithmetic: [
    { addresses: 10, alike: 0.7, zipf },
    { addresses: 10_000, alike: 0.02, zipf: zipf / 3 },
  ],
  real,
});

describe('the verdicts of the experiments', () => {
  it.each<[number, Verdict, unknown]>([
    [6, 'holds', policies([20_000, 900_000, 400_000], [19_000, 30_000, 90_000])],
    [6, 'half-true', policies([20_000, 900_000, 95_000], [19_000, 30_000, 90_000])],
    [6, 'false here', policies([20_000, 30_000, 95_000], [19_000, 30_000, 90_000])],
    [7, 'holds', { connections: [10, 10, 10, 10], requests: [100, 500, 100, 100] }],
    [7, 'false here', { connections: [10, 10, 10, 10], requests: [200, 210, 190, 200] }],
    [7, 'half-true', { connections: [20, 5, 5, 10], requests: [100, 500, 100, 100] }],
    [8, 'holds', choices([0.3, 0.1], [0.4, 0.1])],
    [8, 'half-true', choices([0.3, 0.1], [1.1, 0.2])],
    [8, 'false here', choices([0.1, 0.3], [1.1, 0.2])],
    [9, 'holds', hidden(1, 0.6)],
    [9, 'false here', hidden(1, 0.1)],
    [10, 'holds', moved(0.9, 0.11, 0.1)],
    [10, 'half-true', moved(0.9, 0.3, 0.1)],
    [10, 'false here', moved(0.5, 0.3, 0.1)],
    [11, 'holds', chain([250, 260, 240, 250])],
    [11, 'half-true', chain([400, 200, 200, 200])],
    [11, 'holds', chain([])],
    [12, 'holds', sticky([0.05, 0.4, 0.8], [0.2, 0.5], [0.3, 0.3])],
    [12, 'half-true', sticky([0.05, 0.1, 0.1], [0.2, 0.5], [0.3, 0.3])],
    [12, 'false here', sticky([0.05, 0.1, 0.1], [0.5, 0.2], [0, 0])],
    [13, 'holds', checks([null, 600, 50, 50])],
    [13, 'half-true', checks([null, null, 50, 50])],
    [13, 'false here', checks([600, 600, 50, 50])],
    [14, 'holds', interval([100, 1_000], [80, 900])],
    [14, 'half-true', interval([100, 1_000], [0, 0])],
    [14, 'false here', interval([100, 110], [0, 0])],
    [15, 'half-true', cost(1.5e6)],
    [15, 'false here', cost(9e6)],
    [16, 'holds', cuts([30, 100, 0])],
    [16, 'half-true', cuts([30, 100, 2])],
    [16, 'false here', cuts([0, 0, 5])],
    [17, 'holds', race([30, 0, 15, 0])],
    [17, 'half-true', race([30, 0, 15, 3])],
    [17, 'false here', race([0, 0, 0, 3])],
  ])('claim %i: %s', (number, verdict, data) => {
    const judgement = judge(number, data);
    expect(judgement.verdict).toBe(verdict);
    expect(judgement.found).not.toMatch(/NaN|undefined|Infinity/);
    expect(judgement.table.rows.flat().join()).not.toMatch(/NaN|undefined/);
  });

  it('change the sentence with the figures', () => {
    expect(judge(16, cuts([30, 100, 0])).found).toContain(
      '30 were cut at once, 100 were cut with too short a drain, 0',
    );
    expect(judge(13, checks([null, 600, 50, 50])).found).toContain('http check: 10 errors, out after 0.60 s');
  });
});

describe('the verdicts that are read off the scenarios', () => {
  const round = (processorUs: number, machineUs: number, originUs: number, packets: number): Round => ({
    requests: 100,
    seconds: 1,
    userUs: 0,
    systemUs: processorUs * 100,
    counters: {
      machineUs: machineUs * 100,
      originUs: originUs * 100,
      packets: packets * 100,
      packetBytes: 0,
      contextSwitches: 0,
    },
    problems: [],
  });
  const throughput = (
    ...rows: [SubjectName, Layer, LoadKind, processorUs: number, machineUs: number, originUs: number, packets: number][]
  ): Results =>
    resultsWith({
      throughput: rows.map(([subject, layer, load, ...figures]) => ({
        subject,
        layer,
        load,
        size: 'small',
        connections: 64,
        rounds: [round(...figures)],
      })),
    });
  const latency = (l4Us: number, l7Us: number): Results => {
    const encoded = (us: number): string => {
      const histogram = makeHistogram();
      histogram.recordValueWithCount(us, 1_000);
      return encodeIntoCompressedBase64(histogram);
    };
    const one = (subject: SubjectName, layer: Layer, us: number): LatencyResult => ({
      subject,
      layer,
      size: 'small',
      share: 0.5,
      rounds: [
        {
          latency: encoded(us),
          lateness: encoded(1),
          stolenMs: 0,
          busy: 0.5,
          ratePerSecond: 10_000,
          saturationPerSecond: 20_000,
          saturationBusy: 1,
          problems: [],
        },
      ],
    });
    return resultsWith({
      latency: [one('direct', 'l4', 100), one('fourseven', 'l4', 100 + l4Us), one('fourseven', 'l7', 100 + l7Us)],
    });
  };

  it.each<[number, Verdict, Results]>([
    [1, 'holds', latency(50, 2_000)],
    [1, 'false here', latency(50, 90)],
    [2, 'holds', throughput(['fourseven', 'l4', 'kept', 20, 50, 5, 4], ['fourseven', 'l7', 'kept', 26, 60, 5, 4])],
    [
      2,
      'half-true',
      throughput(
        ['fourseven', 'l4', 'kept', 20, 50, 5, 4],
        ['fourseven', 'l7', 'kept', 26, 60, 5, 4],
        ['fourseven', 'l4', 'fresh', 150, 300, 20, 20],
        ['fourseven', 'l7', 'fresh', 80, 200, 5, 12],
      ),
    ],
    [2, 'false here', throughput(['fourseven', 'l4', 'kept', 30, 50, 5, 4], ['fourseven', 'l7', 'kept', 26, 60, 5, 4])],
    ...(
      [
        ['holds', 90],
        ['false here', 200],
      ] as const
    ).map(([verdict, ended]): [number, Verdict, Results] => [
      3,
      verdict,
      throughput(
        ['fourseven', 'passed', 'kept', 20, 100, 40, 4],
        ['fourseven', 'tls', 'kept', 40, ended, 10, 4],
        ['fourseven', 'passed', 'fresh', 200, 4_000, 800, 30],
        ['fourseven', 'full', 'fresh', 900, 4_200, 30, 20],
      ),
    ]),
    ...(
      [
        ['holds', 60, 4],
        ['half-true', 60, 2],
        ['false here', 32, 2],
      ] as const
    ).map(([verdict, machine, packets]): [number, Verdict, Results] => [
      4,
      verdict,
      throughput(
        ['direct', 'l4', 'kept', 0, 30, 10, 2],
        ['dnat', 'l4', 'kept', 0, 33, 10, 2.01],
        ['fourseven', 'l4', 'kept', 20, machine, 10, packets],
      ),
    ]),
    ...(
      [
        ['holds', 100],
        ['half-true', 32],
        ['false here', 29],
      ] as const
    ).map(([verdict, unpooled]): [number, Verdict, Results] => [
      5,
      verdict,
      throughput(['fourseven', 'l7', 'kept', 30, 60, 5, 4], ['fourseven', 'l7', 'unpooled', unpooled, 200, 20, 12]),
    ]),
    ...(
      [
        ['holds', 10, 100],
        ['half-true', 38, 100],
        ['false here', 38, 790],
      ] as const
    ).map(([verdict, kept, fresh]): [number, Verdict, Results] => [
      18,
      verdict,
      throughput(
        ['fourseven', 'passed', 'kept', 20, 100, 40, 4],
        ['fourseven', 'tls', 'kept', 40, 110, kept, 4],
        ['fourseven', 'passed', 'fresh', 200, 4_000, 800, 30],
        ['fourseven', 'full', 'fresh', 900, 4_200, fresh, 20],
      ),
    ]),
  ])('claim %i: %s', (number, verdict, results) => {
    const claim = judgeClaims(results).find((one) => one.number === number)!;
    expect(claim.verdict).toBe(verdict);
    expect(claim.found).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('are left out where the run has not measured what they take', () => {
    expect(judgeClaims(resultsWith())).toEqual([]);
  });

  it('come in the order of their numbers, each with a command', () => {
    const results = {
      ...latency(50, 90),
      experiments: { 16: cuts([1, 1, 0]), 7: { connections: [1], requests: [1] } },
    };
    const claims = judgeClaims(results);
    expect(claims.map(({ number }) => number)).toEqual([1, 7, 16]);
    expect(claims.map(({ command }) => command)).toContain('npm run bench -- --only claims --claims 16');
  });
});

describe('the arithmetic of the experiments', () => {
  it('knows how uneven a distribution is', () => {
    expect(imbalance([5, 5, 5])).toBe(0);
    expect(imbalance([0, 0, 9])).toBe(2);
  });

  it('takes quantiles of an ascending list', () => {
    const values = Array.from({ length: 100 }, (_, index) => index + 1);
    expect(quantile(values, 0.5)).toBe(51);
    expect(quantile(values, 0.99)).toBe(100);
    expect(quantile([], 0.5)).toBeNaN();
  });

  it('counts as failed what a client would', () => {
    const tally = {
      sent: 10,
      answered: 8,
      lost: 2,
      statuses: { 200: 5, 404: 1, 502: 1, 503: 1 },
      endpoints: {},
      latenciesUs: [],
      lastFailureMs: 0,
    };
    expect(failedIn(tally)).toBe(4);
  });

  it('splits evenly by rules of 1/n, 1/(n-1), … 1', () => {
    for (const count of [1, 3, 4, 17]) {
      for (const share of chainShares(count)) expect(share).toBeCloseTo(1 / count, 12);
    }
  });

  it('finds two random choices better than one, and one worse with more endpoints', () => {
    expect(throwAtRandom(100, 2, 1)).toBeLessThan(throwAtRandom(100, 1, 1));
    expect(throwAtRandom(1_000, 1, 1)).toBeGreaterThan(throwAtRandom(10, 1, 1));
  });

  it('finds a hash of few unequal addresses uneven, and of many alike even', () => {
    expect(hashedImbalance(new Array(10_000).fill(1), 4, 1)).toBeLessThan(0.05);
    expect(hashedImbalance(zipfWeights(10), 4, 1)).toBeGreaterThan(0.5);
    // All on one of four: three times its share beyond its share.
    expect(hashedImbalance([1], 4, 1)).toBe(3);
  });

  it('draws by weight', () => {
    const draw = drawFrom([3, 1], 1);
    const counts = [0, 0];
    for (let index = 0; index < 4_000; index++) counts[draw()]! += 1;
    expect(counts[0]! / counts[1]!).toBeCloseTo(3, 0);
  });
});
