import { describe, expect, test } from 'vitest';
import { STATUS_ABORTED, TrafficCounters } from '../../../src/observe/traffic-counters.ts';

describe('traffic counters', () => {
  test('count requests by listener, route, cluster and status', () => {
    const counters = new TrafficCounters();
    counters.requestCounter('web', 'api', 'origin').count(200);
    counters.requestCounter('web', 'api', 'origin').count(200);
    counters.requestCounter('web', 'api', 'origin').count(STATUS_ABORTED);
    counters.requestCounter('web', 'site', 'origin').count(404);
    expect(counters.requests()).toEqual([
      { listener: 'web', route: 'api', cluster: 'origin', status: 'aborted', count: 1 },
      { listener: 'web', route: 'api', cluster: 'origin', status: '200', count: 2 },
      { listener: 'web', route: 'site', cluster: 'origin', status: '404', count: 1 },
    ]);
  });

  test('count sessions by listener, cluster and outcome', () => {
    const counters = new TrafficCounters();
    counters.sessionCounter('db', 'postgres').count('ok');
    counters.sessionCounter('db', 'postgres').count('cut');
    counters.sessionCounter('db', 'postgres').count('ok');
    expect(counters.sessions()).toEqual([
      { listener: 'db', cluster: 'postgres', outcome: 'ok', count: 2 },
      { listener: 'db', cluster: 'postgres', outcome: 'cut', count: 1 },
    ]);
  });

  test('give the same names the same row, and do not mix up names that run together', () => {
    const counters = new TrafficCounters();
    expect(counters.requestCounter('a', 'b', 'c')).toBe(counters.requestCounter('a', 'b', 'c'));
    expect(counters.requestCounter('a,b', '', 'c')).not.toBe(counters.requestCounter('a', 'b', 'c'));
    expect(counters.sessionCounter('a', 'b')).not.toBe(counters.sessionCounter('ab', ''));
  });

  test('show no row before anything was counted', () => {
    const counters = new TrafficCounters();
    counters.requestCounter('web', 'api', 'origin');
    expect(counters.requests()).toEqual([]);
  });
});
