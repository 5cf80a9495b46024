import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Board, boardTick, Health } from '../../../../src/contract/board.ts';
import type { ClusterPlan, Plan } from '../../../../src/contract/plan.ts';
import { HealthMonitor } from '../../../../src/control/health/health-monitor.ts';
import type { Verdict } from '../../../../src/control/health/probe.ts';

const INTERVAL_MS = 1_000;
const TIMEOUT_MS = 300;
const CHECK = {
  type: 'tcp',
  intervalMs: INTERVAL_MS,
  timeoutMs: TIMEOUT_MS,
  healthyAfter: 2,
  unhealthyAfter: 3,
} as const;

/** What an endpoint answers from now on; 'hangs': nothing. */
type Answer = Verdict | 'hangs';

let board: Board;
let monitor: HealthMonitor;
let lines: string[];
/** By address. */
let answers: Map<string, Answer>;
let asked: { readonly host: string; readonly atMs: number }[];
let underWay: number;
let mostUnderWay: number;
let abortedCount: number;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
  board = Board.create(1);
  lines = [];
  answers = new Map();
  asked = [];
  underWay = 0;
  mostUnderWay = 0;
  abortedCount = 0;
});

afterEach(() => {
  monitor.stop();
  vi.useRealTimers();
});

function make(checksAtOnceMax = 100, random = () => 0): void {
  const add = (text: string) => void lines.push(text);
  monitor = new HealthMonitor({
    board,
    log: { info: add, warn: add, error: add },
    checksAtOnceMax,
    random,
    makeProbe:
      () =>
      ({ address }, settle) => {
        const host = address.family === 'unix' ? address.path : address.host;
        asked.push({ host, atMs: performance.now() });
        mostUnderWay = Math.max(mostUnderWay, ++underWay);
        const answer = answers.get(host);
        let isOpen = true;
        const over = () => {
          if (isOpen) underWay--;
          isOpen = false;
        };
        if (answer !== 'hangs') {
          queueMicrotask(() => {
            over();
            settle(answer);
          });
        }
        return () => {
          abortedCount++;
          over();
        };
      },
  });
}

function planOf(hosts: readonly string[], check: ClusterPlan['healthCheck'] | undefined = CHECK, version = 1): Plan {
  const endpoints = hosts.map((host, slot) => ({
    slot,
    name: host,
    address: { family: 4, host, port: 80 } as const,
    key: `${host}:80`,
    weight: 1,
  }));
  const cluster: ClusterPlan = {
    slot: 0,
    name: 'api',
    policy: 'random',
    endpoints,
    connectMs: 1,
    poolIdleMs: 1,
    healthCheck: check,
  };
  return { version, listeners: [], clusters: [cluster] };
}

const settled = () => vi.advanceTimersByTimeAsync(0);

describe('the first check', () => {
  it.each([
    [undefined, Health.HEALTHY],
    ['it said no', Health.UNHEALTHY],
  ])('decides alone: %s', async (answer, health) => {
    make();
    answers.set('10.0.0.1', answer);
    monitor.apply(planOf(['10.0.0.1']));
    expect(board.health(0)).toBe(Health.UNKNOWN);
    await settled();
    expect(board.health(0)).toBe(health);
    expect(lines).toEqual(
      answer === undefined ? [] : ['cluster api: 10.0.0.1:80 is unhealthy, a check failed: it said no'],
    );
  });
});

describe('from then on', () => {
  beforeEach(async () => {
    make();
    monitor.apply(planOf(['10.0.0.1']));
    await settled();
    // The second check, and with it the rhythm.
    await vi.advanceTimersByTimeAsync(1);
  });

  it('takes three failures in a row, the checks then twice as close, and two successes to come back', async () => {
    answers.set('10.0.0.1', 'status 503');
    const beganMs = performance.now();
    await vi.advanceTimersByTimeAsync(INTERVAL_MS + INTERVAL_MS / 2);
    expect(board.health(0)).toBe(Health.HEALTHY);
    await vi.advanceTimersByTimeAsync(INTERVAL_MS / 2 + 10);
    expect(board.health(0)).toBe(Health.UNHEALTHY);
    expect(performance.now() - beganMs).toBeLessThanOrEqual(3 * INTERVAL_MS);
    answers.delete('10.0.0.1');
    await vi.advanceTimersByTimeAsync(0.75 * INTERVAL_MS);
    expect(board.health(0)).toBe(Health.UNHEALTHY);
    await vi.advanceTimersByTimeAsync(INTERVAL_MS / 2);
    expect(board.health(0)).toBe(Health.HEALTHY);
    expect(lines).toEqual([
      'cluster api: 10.0.0.1:80 is unhealthy, 3 checks in a row failed: status 503',
      'cluster api: 10.0.0.1:80 is healthy again, 2 checks in a row passed',
    ]);
  });

  it('forgets failures after a success', async () => {
    for (let round = 0; round < 5; round++) {
      answers.set('10.0.0.1', 'status 503');
      await vi.advanceTimersByTimeAsync(INTERVAL_MS + INTERVAL_MS / 2);
      answers.delete('10.0.0.1');
      await vi.advanceTimersByTimeAsync(INTERVAL_MS);
    }
    expect(board.health(0)).toBe(Health.HEALTHY);
  });

  it('takes one that hangs out after interval × threshold + timeout', async () => {
    answers.set('10.0.0.1', 'hangs');
    await vi.advanceTimersByTimeAsync(3 * INTERVAL_MS + TIMEOUT_MS);
    expect(board.health(0)).toBe(Health.UNHEALTHY);
    expect(lines[0]).toContain(`no answer within ${TIMEOUT_MS} ms`);
    expect(abortedCount).toBeGreaterThanOrEqual(3);
    expect(underWay).toBe(0);
  });

  it('ends an ejection with a check that began after it and passes, not with one that fails', async () => {
    board.eject(0, boardTick() + 1_000, 1);
    answers.set('10.0.0.1', 'status 503');
    await vi.advanceTimersByTimeAsync(INTERVAL_MS);
    expect(board.ejectedUntilTick(0)).toBeGreaterThan(boardTick());
    answers.delete('10.0.0.1');
    await vi.advanceTimersByTimeAsync(INTERVAL_MS);
    expect(board.ejectedUntilTick(0)).toBe(0);
  });

  it('leaves alone what live traffic has counted against an endpoint that is not ejected', async () => {
    board.addFailure(0);
    await vi.advanceTimersByTimeAsync(3 * INTERVAL_MS);
    expect(board.failures(0)).toBe(1);
  });
});

it('counts the interval from start to start, and only ever shortens it', async () => {
  for (const random of [0, 0.5, 0.999]) {
    make(100, () => random);
    asked = [];
    monitor.apply(planOf(['10.0.0.1']));
    await vi.advanceTimersByTimeAsync(10 * INTERVAL_MS);
    const gaps = asked.slice(2).map(({ atMs }, index) => atMs - asked[index + 1]!.atMs);
    expect(gaps.length).toBeGreaterThanOrEqual(8);
    for (const gap of gaps) {
      expect(gap).toBeGreaterThanOrEqual(0.9 * INTERVAL_MS - 1);
      expect(gap).toBeLessThanOrEqual(INTERVAL_MS);
    }
    monitor.stop();
  }
});

it('asks again while an earlier question is unanswered, but never more often than would decide', async () => {
  make();
  answers.set('10.0.0.1', 'hangs');
  monitor.apply(planOf(['10.0.0.1'], { ...CHECK, timeoutMs: 10 * INTERVAL_MS }));
  await vi.advanceTimersByTimeAsync(9 * INTERVAL_MS);
  expect(asked).toHaveLength(3);
  await vi.advanceTimersByTimeAsync(2 * INTERVAL_MS);
  expect(board.health(0)).toBe(Health.UNHEALTHY);
});

it('never has more checks under way than it may, and gets through all the same', async () => {
  make(4);
  const hosts = Array.from({ length: 50 }, (_, index) => `10.0.1.${index}`);
  for (const host of hosts) answers.set(host, 'hangs');
  monitor.apply(planOf(hosts));
  await vi.advanceTimersByTimeAsync(Math.ceil(50 / 4) * TIMEOUT_MS);
  expect(mostUnderWay).toBe(4);
  expect(new Set(asked.map(({ host }) => host)).size).toBe(50);
});

describe('the next plan', () => {
  beforeEach(async () => {
    make();
    answers.set('10.0.0.2', 'status 503');
    monitor.apply(planOf(['10.0.0.1', '10.0.0.2']));
    await settled();
    asked = [];
  });

  it('does not disturb the checks that stay', async () => {
    monitor.apply(planOf(['10.0.0.1', '10.0.0.2'], { ...CHECK }, 2));
    await settled();
    expect(asked).toEqual([]);
    expect(board.health(1)).toBe(Health.UNHEALTHY);
  });

  it('keeps what is known when the check itself changes', async () => {
    answers.set('10.0.0.1', 'hangs');
    answers.set('10.0.0.2', 'hangs');
    monitor.apply(planOf(['10.0.0.1', '10.0.0.2'], { ...CHECK, unhealthyAfter: 2 }, 2));
    await settled();
    expect([board.health(0), board.health(1)]).toEqual([Health.HEALTHY, Health.UNHEALTHY]);
    await vi.advanceTimersByTimeAsync(INTERVAL_MS + TIMEOUT_MS);
    expect(board.health(0)).toBe(Health.UNHEALTHY);
  });

  it('makes whoever is checked no more as good as any, whatever is still under way', async () => {
    answers.set('10.0.0.1', 'hangs');
    await vi.advanceTimersByTimeAsync(INTERVAL_MS);
    monitor.apply({ ...planOf(['10.0.0.1', '10.0.0.2']), clusters: [] });
    await vi.advanceTimersByTimeAsync(5 * INTERVAL_MS);
    expect([board.health(0), board.health(1)]).toEqual([Health.UNKNOWN, Health.UNKNOWN]);
    expect(underWay).toBe(0);
  });
});

it('asks nobody any more once it is stopped', async () => {
  make();
  monitor.apply(planOf(['10.0.0.1']));
  await settled();
  monitor.stop();
  asked = [];
  await vi.advanceTimersByTimeAsync(10 * INTERVAL_MS);
  expect(asked).toEqual([]);
});
