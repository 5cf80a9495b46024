import { describe, expect, it } from 'vitest';
import type { LatencyRound, Results, Round, ThroughputResult } from '../../../bench/results.ts';
import { mergeResults } from '../../../bench/study/merge.ts';
import { type BodySize, type SubjectName, usualCase } from '../../../bench/vocabulary.ts';
import { resultsWith } from '../bench/results-with.ts';

describe('the parts of a study', () => {
  it('become one run', () => {
    const merged = mergeResults([
      resultsWith({ connections: [64], versions: { nginx: '1' }, experiments: { 6: 'six' } }),
      resultsWith({
        connections: [1, 64],
        versions: { haproxy: '2' },
        experiments: { 7: 'seven' },
        idleConnections: 10,
      }),
    ]);
    expect(merged.connections).toEqual([1, 64]);
    expect(merged.versions).toEqual({ nginx: '1', haproxy: '2' });
    expect(merged.experiments).toEqual({ 6: 'six', 7: 'seven' });
    expect(() => mergeResults([])).toThrow('without parts');
  });

  it('may have rounds of the same case', () => {
    const round = (requests: number): Round => ({
      requests,
      seconds: 1,
      userUs: 10,
      systemUs: 10,
      problems: [],
      counters: null,
    });
    const of = (subject: SubjectName, size: BodySize, requests: number): ThroughputResult => ({
      ...usualCase('l7', size),
      subject,
      rounds: [round(requests)],
    });
    const failure = { subject: 'nginx', where: 'l7', reason: 'not installed', missing: true } as const;
    const merged = mergeResults([
      resultsWith({
        rounds: 1,
        throughput: [of('fourseven', 'small', 1), of('haproxy', 'small', 2)],
        failures: [failure],
      }),
      resultsWith({
        rounds: 1,
        throughput: [of('fourseven', '1k', 3), of('fourseven', 'small', 4)],
        failures: [failure, { ...failure, where: 'l4' }],
      }),
    ]);
    expect(merged.throughput).toEqual([
      { ...of('fourseven', 'small', 1), rounds: [round(1), round(4)] },
      of('haproxy', 'small', 2),
      of('fourseven', '1k', 3),
    ]);
    expect(merged.rounds).toBe(2);
    expect(merged.failures.map(({ where }) => where)).toEqual(['l7', 'l4']);
  });

  it('are put together by what was measured, round by round', () => {
    const merged = mergeResults([part(10, 0.5), part(20, 0.5), part(30, 0.9)]);
    expect(merged.throughput.map(({ rounds }) => rounds.map(({ userUs }) => userUs))).toEqual([[10, 20, 30]]);
    expect(merged.latency.map(({ share, rounds }) => [share, rounds.map(({ busy }) => busy)])).toEqual([
      [0.5, [10, 20]],
      [0.9, [30]],
    ]);
    expect(merged.idle).toEqual([{ subject: 'nginx', samples: [10, 20, 30] }]);
    expect(merged.start).toEqual([{ subject: 'nginx', samples: [10, 20, 30] }]);
    expect(merged.micro).toEqual([
      { group: 'maglev', name: 'lookup', x: 1, samples: [10, 20, 30] },
      { group: 'maglev', name: 'lookup', x: 2, samples: [11, 21, 31] },
    ]);
    expect(merged.rounds).toBe(3);
  });
});

/** One round of each kind of figure; `value` is what it found. */
function part(value: number, share: number): Results {
  const round = { requests: 1, seconds: 1, userUs: value, systemUs: 0, counters: null, problems: [] };
  const latencyRound: LatencyRound = {
    latency: '',
    lateness: '',
    stolenMs: 0,
    busy: value,
    ratePerSecond: 1_000,
    saturationPerSecond: 2_000,
    saturationBusy: 1,
    problems: [],
  };
  return resultsWith({
    rounds: 1,
    throughput: [{ ...usualCase('l7', 'small'), subject: 'nginx', rounds: [round] }],
    latency: [{ subject: 'nginx', layer: 'l7', size: 'small', share, rounds: [latencyRound] }],
    idle: [{ subject: 'nginx', samples: [value] }],
    start: [{ subject: 'nginx', samples: [value] }],
    micro: [
      { group: 'maglev', name: 'lookup', x: 1, samples: [value] },
      { group: 'maglev', name: 'lookup', x: 2, samples: [value + 1] },
    ],
  });
}
