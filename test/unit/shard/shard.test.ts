import { constants } from 'node:os';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Board } from '../../../src/contract/board.ts';
import type { EndpointRef, FromShard, ListenerSocket } from '../../../src/contract/messages.ts';
import { packPlan } from '../../../src/contract/packed-plan.ts';
import type { ListenerPlan, Plan } from '../../../src/contract/plan.ts';
import type { Slices } from '../../../src/core/slices.ts';
import { Counter } from '../../../src/engine/protocol.ts';
import type { Corridor } from '../../../src/shard/corridor.ts';
import { Shard } from '../../../src/shard/shard.ts';
import type { PlannedClusters } from '../../../src/upstream/cluster-set.ts';
import type { ListenerContext } from '../../../src/upstream/listener-context.ts';
import { shardSnapshot } from '../control/shard-snapshot.ts';
import { FakeEngine, happen } from '../upstream/fake-engine.ts';
import { clusterPlan, endpointPlan } from '../upstream/upstream-fixture.ts';

const HEARTBEAT_MS = 500;
/** Longer than the shard looks before it believes that it is idle. */
const DRAINED_WITHIN_MS = 200;

/** Stands behind a listener and notes what it is told. */
class FakeCorridor implements Corridor {
  readonly protocol: ListenerPlan['protocol'];
  readonly context: ListenerContext;
  readonly calls: string[] = [];
  activeCount = 0;
  readonly connectionCount = 0;
  onConnectionOver: (() => void) | undefined;

  constructor(context: ListenerContext, plan: ListenerPlan) {
    this.context = context;
    this.protocol = plan.protocol;
  }

  *prepare(plan: ListenerPlan, clusters: PlannedClusters): Slices<() => void> {
    yield;
    return () => this.calls.push(`apply ${plan.name} to ${clusters.at(0).plan.endpoints.length} endpoints`);
  }

  closeIdle(): void {
    this.calls.push('closeIdle');
  }

  cutAll(): number {
    return this.activeCount;
  }

  /** Has work on these. */
  readonly endpoints: EndpointRef[] = [];

  cutWorkOn(isMeant: (endpoint: EndpointRef) => boolean): number {
    const meant = this.endpoints.filter(isMeant);
    this.calls.push(...meant.map(({ slot, key }) => `cut ${slot} ${key}`));
    return meant.length;
  }

  onAccepted(id: number): void {
    this.calls.push(`accepted ${id}`);
  }

  adopt(): void {}
}

let engine: FakeEngine;
let board: Board;
let posted: FromShard[];
let corridors: FakeCorridor[];
let shard: Shard;

function listenerPlan(slot: number, protocol: 'tcp' | 'http' = 'tcp'): ListenerPlan {
  const base = { slot, name: `listener-${slot}`, address: '127.0.0.1:0' };
  if (protocol === 'tcp') return { ...base, protocol, cluster: 0, idleMs: 1000 };
  const timeouts = { headMs: 1, bodyMs: 1, idleMs: 1 };
  return {
    ...base,
    protocol,
    routes: [],
    timeouts,
    limits: { headMaxBytes: 1, headersMaxCount: 1, lineMaxBytes: 1 },
  };
}

function plan(version: number, listeners: readonly ListenerPlan[], endpointCount = 1): Plan {
  const endpoints = Array.from({ length: endpointCount }, (_, slot) => endpointPlan(slot));
  return { version, listeners, clusters: [clusterPlan(endpoints)] };
}

function socketOf(slot: number): ListenerSocket {
  return { slot, fd: 50 + slot, address: `127.0.0.1:${1000 + slot}` };
}

function makeShard(first: Plan): Shard {
  return new Shard({
    engine,
    start: {
      index: 1,
      engine: 'native',
      plan: packPlan(first),
      sockets: first.listeners.map(({ slot }) => socketOf(slot)),
      board: board.buffer,
      descriptorsMax: 100,
      ticketKeys: new Uint8Array(48),
      heartbeatMs: HEARTBEAT_MS,
    },
    post: (message) => posted.push(message),
    *makeCorridor(context, listener) {
      yield;
      const corridor = new FakeCorridor(context, listener);
      corridors.push(corridor);
      return corridor;
    },
  });
}

async function apply(next: Plan): Promise<void> {
  shard.receive({ type: 'apply', plan: packPlan(next), sockets: next.listeners.map(({ slot }) => socketOf(slot)) });
  await vi.advanceTimersByTimeAsync(0);
}

beforeEach(() => {
  vi.useFakeTimers();
  engine = new FakeEngine();
  board = Board.create(2);
  posted = [];
  corridors = [];
  shard = makeShard(plan(1, [listenerPlan(0), listenerPlan(1)]));
});

afterEach(async () => {
  shard.receive({ type: 'close' });
  await shard.closed;
  vi.useRealTimers();
});

describe('a shard that starts', () => {
  test('is ready once it accepts on every listener', async () => {
    await shard.open();
    expect(engine.adopted).toEqual([
      { listener: 0, fd: 50 },
      { listener: 1, fd: 51 },
    ]);
    expect(posted).toEqual([{ type: 'ready' }]);
  });

  test('names the listener that it cannot open, and is not ready', async () => {
    engine.adoptError = -22;
    await shard.open();
    expect(posted).toEqual([{ type: 'failed', listener: 'listener-0', address: '127.0.0.1:0', errno: 22 }]);
  });

  test('names a listener without a socket', async () => {
    await shard.open();
    const next = packPlan(plan(2, [listenerPlan(0), listenerPlan(7)]));
    shard.receive({ type: 'apply', plan: next, sockets: [] });
    await vi.advanceTimersByTimeAsync(0);
    expect(posted.at(-1)).toEqual({
      type: 'failed',
      listener: 'listener-7',
      address: '127.0.0.1:0',
      errno: constants.errno.ENOTSOCK,
    });
  });

  test('beats at once, and on, with its number of connections', async () => {
    engine.counters[Counter.CONNECTIONS_OPEN] = 12;
    await shard.open();
    expect(board.beats(1)).toBe(1);
    await vi.advanceTimersByTimeAsync(3 * HEARTBEAT_MS);
    expect(board.beats(1)).toBe(4);
    expect(board.connections(1)).toBe(12);
    expect(board.beats(0)).toBe(0);
  });
});

describe('a plan', () => {
  beforeEach(() => shard.open());

  test('reaches listeners that stay, with its clusters in place, and opens no socket again', async () => {
    await apply(plan(2, [listenerPlan(0), listenerPlan(1)], 3));
    expect(corridors.map(({ calls }) => calls)).toEqual([
      ['apply listener-0 to 3 endpoints'],
      ['apply listener-1 to 3 endpoints'],
    ]);
    expect(engine.adopted).toHaveLength(2);
    expect(posted.at(-1)).toEqual({ type: 'applied', version: 2 });
  });

  test('opens listeners that are new', async () => {
    await apply(plan(2, [listenerPlan(0), listenerPlan(1), listenerPlan(2)]));
    expect(engine.adopted.at(-1)).toEqual({ listener: 2, fd: 52 });
    engine.round(happen.accepted(9, 2));
    expect(corridors[2]!.calls).toEqual(['accepted 9']);
  });

  test('closes listeners that it leaves out, and their work goes on', async () => {
    corridors[1]!.activeCount = 1;
    await apply(plan(2, [listenerPlan(0)]));
    expect(engine.closedListeners).toEqual([1]);
    expect(corridors[1]!.calls).toEqual(['closeIdle']);
    await apply(plan(3, [listenerPlan(0)]));
    shard.receive({ type: 'close' });
    await shard.closed;
    expect(posted.at(-1)).toEqual({ type: 'closed', cut: 1 });
  });

  test('puts another protocol behind the same socket', async () => {
    await apply(plan(2, [listenerPlan(0, 'http'), listenerPlan(1)]));
    expect(engine.adopted).toHaveLength(2);
    expect(engine.closedListeners).toEqual([]);
    expect(corridors[0]!.calls).toEqual(['closeIdle']);
    engine.round(happen.accepted(9, 0));
    expect(corridors[2]!.protocol).toBe('http');
    expect(corridors[2]!.calls).toEqual(['accepted 9']);
  });
});

describe('endpoints that are taken out', () => {
  beforeEach(() => shard.open());

  test('lose the work that is on them, by slot and address, whatever listener it came from', async () => {
    corridors[0]!.endpoints.push({ slot: 1, key: 'a' }, { slot: 2, key: 'b' });
    corridors[1]!.endpoints.push({ slot: 1, key: 'a' }, { slot: 1, key: 'later owner' });
    // Listener 1 leaves, its work does not.
    corridors[1]!.activeCount = 2;
    await apply(plan(2, [listenerPlan(0)]));
    for (const corridor of corridors) corridor.calls.length = 0;
    shard.receive({
      type: 'cut-endpoints',
      endpoints: [
        { slot: 1, key: 'a' },
        { slot: 3, key: 'c' },
      ],
    });
    expect(corridors.map(({ calls }) => calls)).toEqual([['cut 1 a'], ['cut 1 a']]);
    expect(posted.at(-1)).toMatchObject({ type: 'log', text: expect.stringContaining('cut 2 exchanges') });
  });

  test('are not worth a word if nothing was on them', () => {
    const before = posted.length;
    shard.receive({ type: 'cut-endpoints', endpoints: [{ slot: 1, key: 'a' }] });
    expect(posted).toHaveLength(before);
  });
});

describe('a drain', () => {
  beforeEach(() => shard.open());

  test('tells the listeners, which still accept', () => {
    expect(corridors[0]!.context.draining).toBe(false);
    shard.receive({ type: 'drain' });
    expect(corridors[0]!.context.draining).toBe(true);
    expect(engine.closedListeners).toEqual([]);
  });

  test('closes listeners and what is idle when it stops accepting', () => {
    shard.receive({ type: 'stop-accepting' });
    expect(corridors[0]!.context.draining).toBe(true);
    expect(engine.closedListeners).toEqual([0, 1]);
    expect(corridors.map(({ calls }) => calls)).toEqual([['closeIdle'], ['closeIdle']]);
  });

  test('is over when nothing is in flight and no accepted connection is open, and says so once', async () => {
    corridors[0]!.activeCount = 1;
    engine.setListenerConnections(1, 1);
    shard.receive({ type: 'stop-accepting' });
    await vi.advanceTimersByTimeAsync(DRAINED_WITHIN_MS);
    corridors[0]!.activeCount = 0;
    await vi.advanceTimersByTimeAsync(DRAINED_WITHIN_MS);
    expect(posted).not.toContainEqual({ type: 'drained' });
    engine.setListenerConnections(1, 0);
    await vi.advanceTimersByTimeAsync(DRAINED_WITHIN_MS);
    await vi.advanceTimersByTimeAsync(DRAINED_WITHIN_MS);
    expect(posted.filter(({ type }) => type === 'drained')).toHaveLength(1);
  });

  test('is not over while the engine still takes connections from a queue', async () => {
    shard.receive({ type: 'stop-accepting' });
    for (let connections = 1; connections < 20; connections++) {
      await vi.advanceTimersByTimeAsync(40);
      engine.setListenerConnections(0, connections % 2);
    }
    expect(posted).not.toContainEqual({ type: 'drained' });
  });

  test('ends with the plan it began with', async () => {
    shard.receive({ type: 'stop-accepting' });
    await apply(plan(2, [listenerPlan(0), listenerPlan(5)], 4));
    expect(posted.at(-1)).toEqual({ type: 'applied', version: 2 });
    expect(engine.adopted).toHaveLength(2);
    expect(corridors[0]!.calls).toEqual(['closeIdle']);
  });
});

describe('a shard that closes', () => {
  beforeEach(() => shard.open());

  test('cuts what is left, closes its engine, and says how much it cut', async () => {
    corridors[0]!.activeCount = 2;
    corridors[1]!.activeCount = 3;
    shard.receive({ type: 'close' });
    await shard.closed;
    expect(posted.at(-1)).toEqual({ type: 'closed', cut: 5 });
    expect(engine.isClosed).toBe(true);
    expect(engine.addresses).toEqual([undefined]);
    const beats = board.beats(1);
    await vi.advanceTimersByTimeAsync(5 * HEARTBEAT_MS);
    expect(board.beats(1)).toBe(beats);
  });
});

describe('a snapshot', () => {
  beforeEach(() => shard.open());

  test('tells what the shard has counted', () => {
    engine.counters[Counter.CONNECTIONS_OPEN] = 9;
    engine.setListenerConnections(1, 4);
    corridors[0]!.context.counters.sessionCounter('listener-0', 'origin').count('ok');
    corridors[0]!.context.counters.requestCounter('listener-1', 'api', 'origin').count(200);
    shard.receive({ type: 'snapshot', request: 77 });
    expect(posted.at(-1)).toEqual({
      type: 'snapshot',
      request: 77,
      snapshot: shardSnapshot(1, {
        connections: 9,
        listeners: [
          { name: 'listener-0', connections: 0, accepted: 0, active: 0, bytesReceived: 0, bytesSent: 0 },
          { name: 'listener-1', connections: 4, accepted: 0, active: 0, bytesReceived: 0, bytesSent: 0 },
        ],
        requests: [{ listener: 'listener-1', route: 'api', cluster: 'origin', status: '200', count: 1 }],
        sessions: [{ listener: 'listener-0', cluster: 'origin', outcome: 'ok', count: 1 }],
      }),
    });
  });
});
