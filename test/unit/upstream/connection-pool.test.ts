import { beforeEach, describe, expect, test } from 'vitest';
import { ConnectionPool, POOL_MAX } from '../../../src/upstream/connection-pool.ts';
import { happen } from './fake-engine.ts';
import { UpstreamFixture } from './upstream-fixture.ts';

let fixture: UpstreamFixture;
let pool: ConnectionPool;

beforeEach(() => {
  fixture = new UpstreamFixture();
  pool = new ConnectionPool(fixture.dispatcher);
});

describe('a connection pool', () => {
  test('has nothing to give at first', () => {
    expect(pool.take()).toBe(0);
  });

  test('gives the connection that was put last', () => {
    for (const id of [1, 2, 3]) pool.put(id, 4000);
    expect([pool.take(), pool.take(), pool.take(), pool.take()]).toEqual([3, 2, 1, 0]);
  });

  test('sets the idle deadline and owns the connection meanwhile', () => {
    pool.put(1, 4000);
    expect(fixture.orders()).toEqual(['deadline 1 4000']);
    expect(fixture.dispatcher.handlerOf(1)).toBe(pool);
  });

  test.each([
    { what: 'bytes that nobody asked for', record: happen.data(2, 0, 10) },
    { what: 'FIN', record: happen.end(2) },
    { what: 'its deadline', record: happen.deadline(2) },
  ])('closes and forgets an idle connection on $what', ({ record }) => {
    for (const id of [1, 2, 3]) pool.put(id, 4000);
    fixture.orders();
    expect(fixture.engine.round(record)).toEqual(['close 2']);
    expect(fixture.dispatcher.handlerOf(2)).toBeUndefined();
    expect([pool.take(), pool.take(), pool.take()]).toEqual([3, 1, 0]);
  });

  test('forgets a connection that was reset', () => {
    pool.put(1, 4000);
    fixture.orders();
    expect(fixture.engine.round(happen.closed(1, 104))).toEqual([]);
    expect(pool.take()).toBe(0);
  });

  test('closes a connection once, however much happens to it in one round', () => {
    pool.put(1, 4000);
    fixture.orders();
    expect(fixture.engine.round(happen.data(1, 0, 1), happen.end(1), happen.deadline(1))).toEqual(['close 1']);
  });

  test('keeps no more than its limit: one too many is closed', () => {
    for (let id = 1; id <= POOL_MAX; id++) pool.put(id, 4000);
    fixture.orders();
    pool.put(POOL_MAX + 1, 4000);
    expect(fixture.orders()).toEqual([`close ${POOL_MAX + 1}`]);
    expect(pool.count).toBe(POOL_MAX);
  });

  test('closes at once a connection that may not be idle at all', () => {
    pool.put(1, 0);
    expect(fixture.orders()).toEqual(['close 1']);
    expect(pool.count).toBe(0);
  });

  test('closes all it has, and all it gets from then on', () => {
    for (const id of [1, 2]) pool.put(id, 4000);
    fixture.orders();
    pool.close();
    pool.put(3, 4000);
    expect(fixture.orders()).toEqual(['close 1', 'close 2', 'close 3']);
    expect(pool.take()).toBe(0);
  });
});
