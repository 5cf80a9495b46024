import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LiveStream } from '../../../src/control/admin/live-stream.ts';
import { endpointsOf, LiveView, type Look, loadBetween, WATCHERS_MAX } from '../../../src/control/admin/live-view.ts';
import type { EndpointStatus, Status } from '../../../src/control/admin/status.ts';
import { shardSnapshot } from './shard-snapshot.ts';

const STATUS: Status = {
  version: '1',
  pid: 1,
  configVersion: 1,
  rejected: null,
  draining: false,
  shards: [],
  listeners: [
    { name: 'web', address: 'a:1', protocol: 'http', connections: 0 },
    { name: 'raw', address: 'a:2', protocol: 'tcp', connections: 0 },
  ],
  clusters: [{ name: 'api', policy: 'random', endpoints: [] }],
};

function look(requests: Record<string, number>, more: Partial<Look> = {}): Look {
  const totals = Object.entries(requests).map(([status, value]) => ({
    family: 'fourseven_http_requests_total',
    labels: { listener: 'web', route: 'all', cluster: 'api', status },
    value,
  }));
  return { status: STATUS, snapshots: [], totals, latencies: [], ...more };
}

describe('the load between two looks', () => {
  test('is what came in per second, and what of it failed', () => {
    const load = loadBetween(look({ 200: 100, 503: 1 }), look({ 200: 300, 404: 10, 503: 5, aborted: 6 }), 2, 'now');
    const [web, raw] = load.listeners;
    expect(web).toMatchObject({ name: 'web', perSecond: 110, failuresPerSecond: 5 });
    expect(raw).toMatchObject({ perSecond: 0, failuresPerSecond: 0, p50Ms: null });
    expect(load.routes).toEqual([{ listener: 'web', route: 'all', perSecond: 110, failuresPerSecond: 5 }]);
  });

  test('has the latencies of that time alone, all routes together', () => {
    const family = 'fourseven_http_request_duration_seconds';
    const row = (route: string, buckets: readonly number[]) => ({
      family,
      labels: { listener: 'web', route },
      value: { buckets, sumMs: 0 },
    });
    const before = look({}, { latencies: [row('a', [600, 1_000])] });
    const after = look({}, { latencies: [row('a', [100, 50, 600, 1_000]), row('b', [100, 49, 300, 1])] });
    const [web] = loadBetween(before, after, 1, 'now').listeners;
    expect(web!.p50Ms).toBe(web!.p99Ms);
    expect(web!.p50Ms).toBeLessThan(1);
  });

  test('is none where nothing is known of a time before', () => {
    expect(loadBetween(undefined, look({ 200: 5 }), 0, 'now').listeners[0]!.perSecond).toBe(0);
  });

  test('of a shard that began anew is not below zero', () => {
    const requests = [{ listener: 'web', route: 'r', cluster: 'c', status: '200', count: 9 }];
    const before = look({}, { snapshots: [shardSnapshot(0, { requests })] });
    expect(loadBetween(before, look({}, { snapshots: [shardSnapshot(0)] }), 1, 'now').shards).toEqual([
      { index: 0, perSecond: 0, delayMs: null },
    ]);
  });
});

describe('the live view', () => {
  let view: LiveView;
  let looks: number;

  beforeEach(() => {
    vi.useFakeTimers();
    looks = 0;
    view = new LiveView({
      look: async () => {
        looks++;
        return look({ 200: looks * 10 });
      },
      events: (after) => (after < 1 ? [{ number: 1, at: 'then', level: 'info', text: 'it began' }] : []),
      nowMs: () => Date.now(),
      wallMs: () => Date.now(),
    });
  });
  afterEach(() => {
    view.stop();
    vi.useRealTimers();
  });

  test('looks once a second while somebody watches, and seldom otherwise', async () => {
    view.start();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(looks).toBe(3);
    const stop = view.watch(() => {})!;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(looks).toBe(14);
    stop();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(looks).toBeLessThanOrEqual(19);
  });

  test('has a history and all events for who comes later', async () => {
    view.start();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(view.history.map(({ listeners }) => listeners[0]!.perSecond)).toEqual([2, 2, 2, 2]);
    expect(view.last?.events).toHaveLength(1);
  });

  test('is for so many at a time, and no more', () => {
    const stops = Array.from({ length: WATCHERS_MAX }, () => view.watch(() => {}));
    expect(view.watch(() => {})).toBeUndefined();
    stops[0]!();
    expect(view.watch(() => {})).toBeDefined();
  });

  test('ends with the proxy', async () => {
    view.start();
    view.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(looks).toBe(1);
    expect(view.watch(() => {})).toBeUndefined();
  });
});

describe('the stream', () => {
  const endpoint = (address: string, inFlight: number): EndpointStatus => {
    return { address, weight: 1, health: 'healthy', admin: 'enabled', ejectedUntil: null, inFlight };
  };
  const update = (...endpoints: EndpointStatus[]) => {
    const status = { ...STATUS, clusters: [{ name: 'api', policy: 'random', endpoints }] };
    const load = { at: '', listeners: [], routes: [], clusters: [], shards: [] };
    return { status, load, events: [], endpoints: endpointsOf(status) };
  };

  test('tells all endpoints first, then those that have changed, and all again when one is gone', () => {
    const stream = new LiveStream();
    const told = (...endpoints: EndpointStatus[]) => {
      const { isWhole, endpoints: all } = stream.messageOf(update(...endpoints));
      return [isWhole, all.map(({ cluster, address, inFlight }) => `${cluster} ${address} ${inFlight}`)];
    };
    expect(told(endpoint('a', 0), endpoint('b', 0))).toEqual([true, ['api a 0', 'api b 0']]);
    expect(told(endpoint('a', 0), endpoint('b', 3))).toEqual([false, ['api b 3']]);
    expect(told(endpoint('a', 0), endpoint('b', 3))).toEqual([false, []]);
    expect(told(endpoint('a', 0), endpoint('b', 3), endpoint('c', 1))).toEqual([false, ['api c 1']]);
    expect(told(endpoint('a', 0), endpoint('c', 1))).toEqual([true, ['api a 0', 'api c 1']]);
  });
});
