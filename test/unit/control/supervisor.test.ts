import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Board } from '../../../src/contract/board.ts';
import type { ListenerSocket } from '../../../src/contract/messages.ts';
import { packPlan } from '../../../src/contract/packed-plan.ts';
import type { Plan } from '../../../src/contract/plan.ts';
import { Supervisor } from '../../../src/control/supervisor.ts';
import { FakeShardPool, settle } from './fake-shard-pool.ts';
import { shardSnapshot } from './shard-snapshot.ts';

const PLAN: Plan = {
  version: 1,
  listeners: [{ slot: 0, name: 'db', address: '127.0.0.1:5432', protocol: 'tcp', cluster: 0, idleMs: 1000 }],
  clusters: [],
};
const HEARTBEAT_MS = 500;

let pool: FakeShardPool;
let board: Board;
let lines: string[];
let openSockets: Set<number>;
let supervisor: Supervisor;

function makeSupervisor(shardCount: number): Supervisor {
  openSockets = new Set(Array.from({ length: shardCount }, (_, index) => index));
  const socket: ListenerSocket = { slot: 0, fd: 7, address: '127.0.0.1:5432' };
  const add = (text: string) => void lines.push(text);
  return new Supervisor({
    shardCount,
    engine: 'node',
    plan: PLAN,
    board,
    pool,
    descriptorsMax: 100,
    log: { info: add, warn: add, error: add },
    sockets: {
      forShard: (index) => (openSockets.has(index) ? [socket] : []),
      closeShard: (index) => void openSockets.delete(index),
      removeUnixPaths: () => {},
      close: () => openSockets.clear(),
    },
  });
}

/** Starts all shards, and lets them say that they are ready. */
async function startReady(shardCount: number): Promise<void> {
  supervisor = makeSupervisor(shardCount);
  const started = supervisor.start();
  for (const run of pool.runs) run.say({ type: 'ready' });
  await started;
}

/** Time passes; shards that are given beat meanwhile. */
async function pass(ms: number, beating: readonly number[] = []): Promise<void> {
  for (let passed = 0; passed < ms; passed += HEARTBEAT_MS) {
    for (const shard of beating) board.beat(shard, 0);
    await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  pool = new FakeShardPool();
  board = Board.create(2);
  lines = [];
});

afterEach(async () => {
  // Ends whatever a test left running, and with it all timers.
  const closed = supervisor.close();
  for (const run of pool.runs) await run.end();
  await closed;
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('starting', () => {
  it('is done when every shard is ready', async () => {
    supervisor = makeSupervisor(2);
    let isStarted = false;
    supervisor.start().then(() => {
      isStarted = true;
    });
    expect(pool.runs.map(({ start }) => [start.index, start.sockets.length, start.descriptorsMax])).toEqual([
      [0, 1, 100],
      [1, 1, 100],
    ]);
    pool.runs[0]!.say({ type: 'ready' });
    await settle();
    expect(isStarted).toBe(false);
    pool.runs[1]!.say({ type: 'ready' });
    await settle();
    expect(isStarted).toBe(true);
  });

  it('fails with the listener and the address if a shard cannot listen, and ends the others', async () => {
    supervisor = makeSupervisor(2);
    const failed = supervisor.start().catch((error: Error) => error);
    pool.runs[0]!.say({ type: 'ready' });
    pool.runs[1]!.say({ type: 'failed', listener: 'db', address: '127.0.0.1:5432', errno: 98 });
    await settle();
    expect(pool.runs[0]!.postedTypes()).toContain('close');
    await pool.runs[0]!.end();
    expect(await failed).toMatchObject({
      code: 'bind_failed',
      message: expect.stringContaining('127.0.0.1:5432 (listener db)'),
    });
    expect(pool.isClosed).toBe(true);
  });

  it('fails if a shard crashes before it was ever ready: there is no loop of restarts', async () => {
    supervisor = makeSupervisor(1);
    const failed = supervisor.start().catch((error: Error) => error);
    await pool.last.end(new Error('no such module'));
    expect(await failed).toMatchObject({ message: 'shard 0 did not start: no such module' });
    expect(pool.runs).toHaveLength(1);
  });

  it('fails if a shard is not ready after 10 s', async () => {
    supervisor = makeSupervisor(1);
    const failed = supervisor.start().catch((error: Error) => error);
    await pass(9_500);
    expect(pool.last.isTerminated).toBe(false);
    await pass(500);
    expect(await failed).toMatchObject({ message: expect.stringContaining('it has not become ready for 10 s') });
  });
});

describe('a shard that crashes', () => {
  it('is started again at once, with the present plan and the same sockets, and gives back what it held', async () => {
    await startReady(2);
    board.enter(1, 5);
    board.enter(0, 5);
    const next = { ...PLAN, version: 2 };
    supervisor.apply(next);
    await pool.runs[1]!.end(new Error('a bug'));
    expect(pool.runs).toHaveLength(3);
    expect(pool.last.start).toMatchObject({ index: 1, plan: packPlan(next), sockets: [{ slot: 0, fd: 7 }] });
    expect(board.inFlight(5)).toBe(1);
    expect(supervisor.shards().map(({ restarts }) => restarts)).toEqual([0, 1]);
    expect(lines).toContain('shard 1 is gone: a bug; it is started again at once');
  });

  it('is started again later and later while it crashes in a row, and never given up', async () => {
    await startReady(1);
    await pool.last.end(new Error('again'));
    for (const delayMs of [100, 200, 400, 800, 1_600]) {
      const count = pool.runs.length;
      await pool.last.end(new Error('again'));
      await vi.advanceTimersByTimeAsync(delayMs - 1);
      expect(pool.runs).toHaveLength(count);
      await vi.advanceTimersByTimeAsync(1);
      expect(pool.runs).toHaveLength(count + 1);
    }
  });

  it('is also started again if all crash together', async () => {
    await startReady(2);
    const [first, second] = pool.runs;
    await Promise.all([first!.end(new Error('x')), second!.end(new Error('y'))]);
    expect(pool.runs.slice(2).map(({ start }) => start.index)).toEqual([0, 1]);
  });

  it('is started again if it ends without being told to', async () => {
    await startReady(1);
    await pool.last.end();
    expect(pool.runs).toHaveLength(2);
    expect(lines.join()).toContain('it ended without being told to');
  });
});

describe('a shard that hangs', () => {
  it('is ended after 5 s without a heartbeat, and replaced; its neighbour is left alone', async () => {
    await startReady(2);
    await pass(20_000, [0, 1]);
    expect(pool.runs.map(({ isTerminated }) => isTerminated)).toEqual([false, false]);
    await pass(4_500, [0]);
    expect(pool.runs[1]!.isTerminated).toBe(false);
    await pass(500, [0]);
    expect(pool.runs[1]!.isTerminated).toBe(true);
    expect(pool.runs[0]!.isTerminated).toBe(false);
    expect(pool.last.start.index).toBe(1);
    expect(lines.join()).toContain('its event loop has stood still for 5 s');
  });
});

describe('a drain', () => {
  it('lets go of the sockets of a shard when the shard is told to take what waits', async () => {
    await startReady(2);
    supervisor.drain();
    expect(pool.runs[0]!.postedTypes()).toEqual(['drain']);
    expect(openSockets.size).toBe(2);
    const done = supervisor.stopAccepting();
    expect(pool.runs[0]!.postedTypes().at(-1)).toBe('stop-accepting');
    expect(openSockets.size).toBe(0);
    for (const run of pool.runs) run.say({ type: 'drained' });
    await done;
  });

  it('keeps the sockets of a shard that is being replaced until its successor can take what waits', async () => {
    await startReady(1);
    await pool.last.end(new Error('x'));
    supervisor.drain();
    const done = supervisor.stopAccepting();
    expect(openSockets.size).toBe(1);
    expect(pool.last.posted).toEqual([]);
    pool.last.say({ type: 'ready' });
    expect(pool.last.postedTypes()).toContain('stop-accepting');
    expect(openSockets.size).toBe(0);
    pool.last.say({ type: 'drained' });
    await done;
  });

  it('does not replace a shard that crashes after it was told to stop', async () => {
    await startReady(1);
    const done = supervisor.stopAccepting();
    await pool.last.end(new Error('x'));
    await done;
    expect(pool.runs).toHaveLength(1);
  });

  it('counts what is cut, over all shards', async () => {
    await startReady(2);
    const closed = supervisor.close();
    for (const [index, run] of pool.runs.entries()) {
      run.say({ type: 'closed', cut: index + 1 });
      await run.end();
    }
    expect(await closed).toBe(3);
    expect(pool.isClosed).toBe(true);
  });

  it('ends a shard that does not close within 2 s, and counts what it had open as cut', async () => {
    await startReady(1);
    board.beat(0, 5);
    const closed = supervisor.close();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(pool.last.isTerminated).toBe(true);
    expect(await closed).toBe(5);
  });

  it('ends at once while a shard waits to be started again', async () => {
    await startReady(1);
    await pool.last.end(new Error('x'));
    await pool.last.end(new Error('x'));
    expect(await supervisor.close()).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(pool.runs).toHaveLength(2);
  });
});

describe('counters', () => {
  const snapshot = (request: number, count: number) =>
    ({
      type: 'snapshot',
      request,
      snapshot: shardSnapshot(0, {
        connections: 1,
        requests: [{ listener: 'web', route: 'r', cluster: 'c', status: '200', count }],
        latencies: [{ kind: 'first-byte', labels: { cluster: 'c' }, counts: { buckets: [100, count], sumMs: count } }],
      }),
    }) as const;

  it('survive the shard that counted them, as of its last snapshot', async () => {
    await startReady(1);
    const first = supervisor.snapshots();
    pool.last.say(snapshot(1, 7));
    expect((await first).length).toBe(1);
    await pool.last.end(new Error('x'));
    pool.last.say({ type: 'ready' });
    const second = supervisor.snapshots();
    pool.last.say(snapshot(2, 2));
    await second;
    const requests = supervisor.totals().filter(({ family }) => family === 'fourseven_http_requests_total');
    expect(requests.map(({ value }) => value)).toEqual([9]);
    expect(supervisor.latencies().map(({ value }) => value)).toEqual([{ buckets: [100, 9], sumMs: 9 }]);
  });

  it('do not wait longer than a second for a shard that hangs', async () => {
    await startReady(1);
    const snapshots = supervisor.snapshots();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await snapshots).toEqual([]);
  });
});
