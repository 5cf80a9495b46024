import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Admin, Board } from '../../../src/contract/board.ts';
import type { EndpointRef } from '../../../src/contract/messages.ts';
import type { Plan } from '../../../src/contract/plan.ts';
import { EndpointDrains } from '../../../src/control/endpoint-drains.ts';
import { EndpointOperator } from '../../../src/control/endpoint-operator.ts';
import { silentLog } from '../../../src/control/event-log.ts';

const DRAIN_MS = 300_000;

let board: Board;
let cut: EndpointRef[][];
let operator: EndpointOperator;

/** Endpoints by slot; the names of two of them are one host name. */
function planOf(slots: readonly number[], drainMs = DRAIN_MS): Plan {
  const endpoints = slots.map((slot) => ({
    slot,
    name: slot < 2 ? 'db.internal:80' : `10.0.0.${slot}:80`,
    address: { family: 4, host: `10.0.0.${slot}`, port: 80 } as const,
    key: `10.0.0.${slot}:80`,
    weight: 1,
  }));
  const cluster = { slot: 0, name: 'api', policy: 'random', endpoints, connectMs: 1, poolIdleMs: 1, drainMs } as const;
  return { version: 1, listeners: [], clusters: [cluster] };
}

const PLAN = planOf([0, 1, 2]);

beforeEach(() => {
  vi.useFakeTimers();
  board = Board.create(1);
  cut = [];
  operator = new EndpointOperator(board, new EndpointDrains((endpoints) => cut.push([...endpoints])), silentLog);
});

afterEach(() => {
  vi.useRealTimers();
});

const act = (action: 'drain' | 'disable' | 'enable', address: string, deadlineMs?: number) =>
  operator.act(PLAN, action, 'api', address, deadlineMs).map(({ slot }) => slot);

describe('an operator', () => {
  it.each([
    ['drain', Admin.DRAINING],
    ['disable', Admin.DISABLED],
  ] as const)('%s: what is left is cut at the deadline of the cluster', async (action, state) => {
    expect(act(action, '10.0.0.2:80')).toEqual([2]);
    expect(board.admin(2)).toBe(state);
    await vi.advanceTimersByTimeAsync(DRAIN_MS - 1);
    expect(cut).toEqual([]);
    await vi.advanceTimersByTimeAsync(2);
    expect(cut).toEqual([[{ slot: 2, key: '10.0.0.2:80' }]]);
  });

  it('may name another deadline, also none at all to wait for, and another one later', async () => {
    act('drain', '10.0.0.2:80', 10_000);
    act('drain', '10.0.0.2:80', 20_000);
    await vi.advanceTimersByTimeAsync(19_000);
    expect(cut).toEqual([]);
    act('drain', '10.0.0.2:80', 0);
    await vi.advanceTimersByTimeAsync(1);
    expect(cut).toHaveLength(1);
  });

  it('puts an endpoint back: then nothing is cut', async () => {
    act('drain', '10.0.0.2:80', 1_000);
    act('enable', '10.0.0.2:80');
    await vi.advanceTimersByTimeAsync(DRAIN_MS);
    expect([board.admin(2), cut]).toEqual([Admin.ENABLED, []]);
  });

  it('means every address of a host name, and is told if there is none', () => {
    expect(act('drain', 'db.internal:80')).toEqual([0, 1]);
    expect(act('drain', '10.0.0.9:80')).toEqual([]);
    expect(operator.act(PLAN, 'drain', 'other', '10.0.0.2:80', undefined)).toEqual([]);
  });
});

describe('a plan', () => {
  it('gives what it leaves out the time of its cluster, all at once', async () => {
    operator.planChanged(PLAN, planOf([2]));
    await vi.advanceTimersByTimeAsync(DRAIN_MS + 1);
    expect(cut).toEqual([
      [
        { slot: 0, key: '10.0.0.0:80' },
        { slot: 1, key: '10.0.0.1:80' },
      ],
    ]);
  });

  it('does not give more time to what drains already', async () => {
    act('drain', '10.0.0.2:80', 5_000);
    operator.planChanged(PLAN, planOf([]));
    await vi.advanceTimersByTimeAsync(5_001);
    expect(cut).toEqual([[{ slot: 2, key: '10.0.0.2:80' }]]);
  });
});
