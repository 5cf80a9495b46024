import { encodeIntoCompressedBase64 } from 'hdr-histogram-js';
import { describe, expect, it } from 'vitest';
import { compareResults, differencesOfRuns, rankSumProbability } from '../../../bench/comparison.ts';
import { makeRandom } from '../../../bench/load/open-loop/arrivals.ts';
import { makeHistogram } from '../../../bench/load/open-loop/open-loop.ts';
import { renderComparison } from '../../../bench/report/comparison.ts';
import type { Results, Round } from '../../../bench/results.ts';
import { usualCase } from '../../../bench/vocabulary.ts';
import { resultsWith } from './results-with.ts';

const NONE: readonly string[] = [];

function round(processorUs: number, problems = NONE): Round {
  return {
    requests: 1_000,
    seconds: 1,
    userUs: processorUs * 400,
    systemUs: processorUs * 600,
    counters: null,
    problems,
  };
}

/** HAProxy is not in it. */
const results = (more: Partial<Results> = {}): Results => resultsWith({ versions: { fourseven: '0.1.0' }, ...more });

const small = (...rounds: Round[]): Partial<Results> => ({
  throughput: [{ ...usualCase('l7', 'small'), subject: 'fourseven', rounds }],
});

describe('the test of ranks', () => {
  it('agrees with the tables', () => {
    // Of C(10, 5) = 252 orders one has all of the first below, one all above.
    expect(rankSumProbability([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])).toBeCloseTo(2 / 252, 12);
    expect(rankSumProbability([6, 7, 8, 9, 10], [1, 2, 3, 4, 5])).toBeCloseTo(2 / 252, 12);
    // U = 2 is the critical value of 5 and 5 at 0.05 two-sided: 4 of 252 orders have no more on either side; U = 3 has 7.
    expect(rankSumProbability([1, 2, 3, 4, 7], [5, 6, 8, 9, 10])).toBeCloseTo(8 / 252, 12);
    expect(rankSumProbability([1, 2, 3, 4, 8], [5, 6, 7, 9, 10])).toBeCloseTo(14 / 252, 12);
  });

  it('never finds a difference in too few rounds, nor where there is none', () => {
    expect(rankSumProbability([1, 2], [3, 4])).toBeCloseTo(1 / 3, 12);
    expect(rankSumProbability([1], [2])).toBe(1);
    expect(rankSumProbability([], [2])).toBe(1);
    expect(rankSumProbability([5, 5, 5, 5], [5, 5, 5, 5])).toBe(1);
    expect(rankSumProbability([1, 3, 5, 7], [2, 4, 6, 8])).toBeGreaterThan(0.5);
  });

  it('is right as often as it says: of equal distributions it calls at most one in twenty different', () => {
    const random = makeRandom(47);
    const sample = () => Array.from({ length: 6 }, random);
    let called = 0;
    for (let run = 0; run < 2_000; run++) if (rankSumProbability(sample(), sample()) < 0.05) called++;
    expect(called / 2_000).toBeLessThan(0.06);
    expect(called / 2_000).toBeGreaterThan(0.02);
  });

  it('holds for a hundred rounds', () => {
    const low = Array.from({ length: 100 }, (_, index) => index);
    expect(rankSumProbability(low, low)).toBeGreaterThan(0.9);
    expect(
      rankSumProbability(
        low,
        low.map((value) => value + 200),
      ),
    ).toBeLessThan(1e-50);
  });
});

describe('the comparison of two runs', () => {
  const slow = small(...[20, 21, 22, 23].map((us) => round(us)));
  const fast = small(...[10, 11, 12, 13].map((us) => round(us)));

  it('calls a difference only where the rounds allow it', () => {
    expect(renderComparison(compareResults(results(slow), results(fast)), [])).toMatch(
      /21\.50 +11\.50 +0\.53 +0\.029 +less/,
    );
    expect(renderComparison(compareResults(results(fast), results(slow)), [])).toMatch(/1\.87 +0\.029 +MORE/);
    const restless = small(...[10, 30, 12, 31].map((us) => round(us)));
    const text = renderComparison(compareResults(results(restless), results(fast)), []);
    expect(text).toMatch(/0\.55 +0\.\d+ +no difference/);
    expect(text).toContain('1 of 1 figures do not differ');
  });

  it('leaves out invalid rounds and what only one of the runs has', () => {
    const broken = small(round(1, ['3 timeouts']), round(1, ['3 timeouts']));
    expect(compareResults(results(broken), results(fast))).toEqual([]);
    expect(compareResults(results(), results(fast))).toEqual([]);
    expect(renderComparison([], [])).toContain('no valid figure in common');
  });

  it('takes p99 of each round, memory and start as they are', () => {
    const latency = (us: number) => {
      const histogram = makeHistogram();
      histogram.recordValue(us);
      const encoded = encodeIntoCompressedBase64(histogram);
      const asked = { ratePerSecond: 1_000, saturationPerSecond: 2_000, saturationBusy: 1 };
      return { latency: encoded, lateness: encoded, stolenMs: 0, busy: 0.7, ...asked, problems: NONE };
    };
    const run = results({
      latency: [
        {
          subject: 'haproxy',
          layer: 'l7',
          size: 'small',
          share: 0.7,
          rounds: [100, 300].map(latency),
        },
      ],
      idle: [{ subject: 'fourseven', samples: [500, 520] }],
      start: [{ subject: 'fourseven', samples: [200] }],
    });
    expect(compareResults(run, run).map(({ title, before, ratio }) => [title, before, ratio])).toEqual([
      ['L7, small body, latency at 70 % of saturation, haproxy: p99 µs', 200, 1],
      ['idle connection, fourseven: bytes', 510, 1],
      ['start, fourseven: ms', 200, 1],
    ]);
  });

  it('says where the runs were not alike', () => {
    const other = results({ versions: { fourseven: '0.2.0', nginx: '1.22.1' }, connections: [16] });
    expect(differencesOfRuns(results(), results())).toEqual([]);
    const differences = differencesOfRuns(results(), other);
    expect(differences).toEqual([
      'fourseven: 0.1.0 before, 0.2.0 after',
      'connections: 64 before, 16 after',
      'nginx: none before, 1.22.1 after',
    ]);
    expect(renderComparison(compareResults(results(slow), results(slow)), differences)).toContain(
      'The runs were not alike',
    );
  });
});
