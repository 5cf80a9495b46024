import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { drainShards } from '../../../src/control/drain.ts';
import { silentLog } from '../../../src/control/event-log.ts';

let steps: string[];
let finish: () => void;
const shards = {
  drain: () => void steps.push(`drain at ${Date.now()}`),
  stopAccepting: () => {
    steps.push(`stop at ${Date.now()}`);
    return new Promise<void>((resolve) => {
      finish = resolve;
    });
  },
  close: async () => {
    steps.push(`close at ${Date.now()}`);
    return 3;
  },
};

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  steps = [];
});

afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

it('accepts for the grace, then finishes, then ends with nothing cut', async () => {
  const cut = drainShards(shards, { graceMs: 1_000, deadlineMs: 300_000, log: silentLog });
  await vi.advanceTimersByTimeAsync(1_500);
  finish();
  expect(await cut).toBe(0);
  expect(steps).toEqual(['drain at 0', 'stop at 1000', 'close at 1500']);
});

it('cuts what is left at the deadline, counted from the beginning', async () => {
  const cut = drainShards(shards, { graceMs: 1_000, deadlineMs: 5_000, log: silentLog });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await cut).toBe(3);
  expect(steps).toEqual(['drain at 0', 'stop at 1000', 'close at 5000']);
});

it('gives no more grace than the deadline allows', async () => {
  const cut = drainShards(shards, { graceMs: 10_000, deadlineMs: 0, log: silentLog });
  await vi.runAllTimersAsync();
  expect(await cut).toBe(3);
  expect(steps).toEqual(['drain at 0', 'stop at 0', 'close at 0']);
});
