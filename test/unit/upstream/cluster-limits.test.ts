import { beforeEach, describe, expect, test } from 'vitest';
import type { ClusterLimitsConfig } from '../../../src/config/cluster-config.ts';
import { ClusterCount } from '../../../src/contract/board.ts';
import { ClusterLimits, type Waiter } from '../../../src/upstream/cluster-limits.ts';
import { Dialer, NO_ROOM } from '../../../src/upstream/dialer.ts';
import type { Endpoint } from '../../../src/upstream/endpoint.ts';
import { happen } from './fake-engine.ts';
import { UpstreamFixture } from './upstream-fixture.ts';

const SLOT = 5;
const WAITING: Omit<ClusterLimitsConfig, 'connectionsMaxCount'> = { pendingMaxCount: 2, pendingTimeoutMs: 60_000 };

let fixture: UpstreamFixture;
let endpoints: Endpoint[];
let nowMs = 0;
/** What became of waiters, in order. */
let told: string[];

beforeEach(() => {
  fixture = new UpstreamFixture();
  endpoints = fixture.endpoints(2);
  nowMs = 1000;
  told = [];
});

function limitsOf(shard: number, plan: Partial<ClusterLimitsConfig>): ClusterLimits {
  const context = { board: fixture.board, shard, flush: () => {}, nowMs: () => nowMs };
  return new ClusterLimits({ ...WAITING, ...plan }, SLOT, shard === 0 ? endpoints : [], context);
}

function waiter(name: string): Waiter {
  // Of this test: the queues of others may still be looking.
  const mine = told;
  return { waitDueMs: 0, onPlace: () => mine.push(`${name} in`), onNoPlace: () => mine.push(`${name} out`) };
}

const inFlight = () => fixture.board.clusterCount(SLOT, ClusterCount.REQUESTS);
const connections = () => fixture.board.clusterCount(SLOT, ClusterCount.CONNECTIONS);
const pending = () => fixture.board.clusterCount(SLOT, ClusterCount.PENDING);

describe('requests', () => {
  test('are as many over all shards as the limit says, and never more', () => {
    const [first, second] = [limitsOf(0, { requestsMaxCount: 3 }), limitsOf(1, { requestsMaxCount: 3 })];
    expect([first.tryEnter(), second.tryEnter(), first.tryEnter(), second.tryEnter()]).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(inFlight()).toBe(3);
  });

  test('wait in order, and the one that comes first is let in first', () => {
    const limits = limitsOf(0, { requestsMaxCount: 1 });
    limits.tryEnter();
    expect(limits.wait(waiter('a'))).toBe(true);
    expect(limits.wait(waiter('b'))).toBe(true);
    limits.leave();
    expect(told).toEqual(['a in']);
    expect(inFlight()).toBe(1);
    limits.arrived();
    limits.leave();
    expect(told).toEqual(['a in', 'b in']);
  });

  test('are not let in before those who wait', () => {
    const limits = limitsOf(0, { requestsMaxCount: 2 });
    limits.tryEnter();
    limits.tryEnter();
    limits.wait(waiter('a'));
    fixture.board.leaveCluster(0, SLOT, ClusterCount.REQUESTS);
    expect(limits.tryEnter()).toBe(false);
  });

  test('are refused where too many wait, over all shards', () => {
    const [first, second] = [limitsOf(0, { requestsMaxCount: 1 }), limitsOf(1, { requestsMaxCount: 1 })];
    first.tryEnter();
    expect([first.wait(waiter('a')), second.wait(waiter('b')), first.wait(waiter('c'))]).toEqual([true, true, false]);
    expect(pending()).toBe(2);
  });

  test('are let in when another shard makes room, and turned away when their time is up', async () => {
    const [first, second] = [limitsOf(0, { requestsMaxCount: 1 }), limitsOf(1, { requestsMaxCount: 1 })];
    first.tryEnter();
    second.wait(waiter('a'));
    second.wait(waiter('b'));
    first.leave();
    await expect.poll(() => told).toEqual(['a in']);
    nowMs += WAITING.pendingTimeoutMs;
    await expect.poll(() => told).toEqual(['a in', 'b out']);
    expect(pending()).toBe(0);
  });

  test('that no longer wait are forgotten', () => {
    const limits = limitsOf(0, { requestsMaxCount: 1 });
    limits.tryEnter();
    const gone = waiter('a');
    limits.wait(gone);
    limits.wait(waiter('b'));
    limits.cancel(gone);
    expect(pending()).toBe(1);
    limits.leave();
    expect(told).toEqual(['b in']);
  });

  test('keep their turn and their time when the room turns out to be gone', async () => {
    const limits = limitsOf(0, { requestsMaxCount: 1 });
    limits.tryEnter();
    const [first, second] = [waiter('a'), waiter('b')];
    limits.wait(first);
    limits.wait(second);
    limits.leave();
    const dueMs = first.waitDueMs;
    nowMs += 100;
    limits.arrived();
    // As when its connection was taken by another shard.
    fixture.board.leaveCluster(0, SLOT, ClusterCount.REQUESTS);
    limits.wait(first);
    expect(first.waitDueMs).toBe(dueMs);
    await expect.poll(() => told).toEqual(['a in', 'a in']);
  });
});

describe('connections', () => {
  const HANDLER = {
    onData() {},
    onEnd() {},
    onClosed() {},
    onDeadline() {},
    onConnected() {},
    onConnectFailed() {},
    onRelayDone() {},
    onTunnelClosed() {},
  };
  let dialer: Dialer;

  beforeEach(() => {
    dialer = new Dialer(fixture.dispatcher);
  });

  const dial = (limits: ClusterLimits, slot = 0) => dialer.dial(endpoints[slot]!, 500, HANDLER, limits);

  test('are counted from the dial to the end, whoever ends them', async () => {
    const limits = limitsOf(0, { connectionsMaxCount: 2 });
    const [first, second] = [dial(limits), dial(limits, 1)];
    expect(dial(limits)).toBe(NO_ROOM);
    expect(connections()).toBe(2);
    fixture.dispatcher.unbind(first);
    fixture.dispatcher.commands.close(first);
    fixture.engine.round(happen.closed(second));
    await expect.poll(connections).toBe(0);
  });

  test('count until the order to close has been carried out', async () => {
    const limits = limitsOf(0, { connectionsMaxCount: 1 });
    const id = dial(limits);
    fixture.orders();
    fixture.dispatcher.unbind(id);
    fixture.dispatcher.commands.close(id);
    expect(connections()).toBe(1);
    await expect.poll(connections).toBe(0);
    expect(fixture.engine.takeOrders()).toEqual([`close ${id}`]);
  });

  test('replace an idle one, which is closed first', () => {
    const limits = limitsOf(0, { connectionsMaxCount: 1 });
    const id = dial(limits);
    endpoints[0]!.pool.put(id, 4000);
    fixture.orders();
    const other = dial(limits, 1);
    expect(other).toBeGreaterThan(id);
    expect(fixture.engine.takeOrders()[0]).toBe(`close ${id}`);
    expect(connections()).toBe(1);
  });

  test('that are idle here let a request in', () => {
    const limits = limitsOf(0, { connectionsMaxCount: 1 });
    const id = dial(limits);
    expect(limits.tryEnter()).toBe(false);
    endpoints[0]!.pool.put(id, 4000);
    expect(limits.tryEnter()).toBe(true);
  });

  test('take over the place of one that died', () => {
    const limits = limitsOf(0, { connectionsMaxCount: 1 });
    const dead = dial(limits);
    expect(dialer.dialAfter(dead, endpoints[1]!, 500, HANDLER)).toBeGreaterThan(dead);
    expect(connections()).toBe(1);
  });

  test('that are idle are closed when another shard waits for room', () => {
    const [first, second] = [limitsOf(0, { connectionsMaxCount: 1 }), limitsOf(1, { connectionsMaxCount: 1 })];
    const id = dial(first);
    endpoints[0]!.pool.put(id, 4000);
    first.spareIdle();
    expect(endpoints[0]!.pool.count).toBe(1);
    expect(second.tryEnter()).toBe(false);
    second.wait(waiter('a'));
    expect(first.othersWait).toBe(true);
    first.spareIdle();
    expect(endpoints[0]!.pool.count).toBe(0);
  });
});
