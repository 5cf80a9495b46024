import { beforeEach, describe, expect, test } from 'vitest';
import type { ClusterPlan, HttpListenerPlan, ListenerTlsPlan, Plan, RoutePlan } from '../../../src/contract/plan.ts';
import { Random } from '../../../src/core/random.ts';
import { finish } from '../../../src/core/slices.ts';
import { HttpPlan } from '../../../src/l7/http-plan.ts';
import { TIMED_ROUTES_MAX } from '../../../src/observe/traffic-counters.ts';
import { ClusterSet } from '../../../src/upstream/cluster-set.ts';
import { clusterPlan, endpointPlan, takeOver, UpstreamFixture } from '../upstream/upstream-fixture.ts';

const TLS: ListenerTlsPlan = { contexts: [], names: [], fallback: -1, policies: [], passthrough: [] };
const FIRST = { ...clusterPlan([endpointPlan(0)]), name: 'first' };
const SECOND = { ...clusterPlan([endpointPlan(1)]), slot: 1, name: 'second' };

let fixture: UpstreamFixture;
let set: ClusterSet;

beforeEach(() => {
  fixture = new UpstreamFixture();
  set = new ClusterSet(fixture.context, new Random(1));
});

function forward(name: string, ...weights: readonly number[]): RoutePlan {
  const clusters = weights.map((weight, cluster) => ({ cluster, weight }));
  return { name, match: { path: `/${name}` }, action: { kind: 'forward', clusters } as unknown as RoutePlan['action'] };
}

const GONE: RoutePlan = {
  name: 'gone',
  match: {},
  action: { kind: 'respond', status: 410, body: '', contentType: 'text/plain' },
};
const MOVED: RoutePlan = { name: 'moved', match: {}, action: { kind: 'redirect', status: 301, path: '/x' } };

function listener(routes: readonly RoutePlan[], more: Partial<HttpListenerPlan> = {}): HttpListenerPlan {
  const timeouts = { headMs: 1, bodyMs: 1, idleMs: 1 };
  const limits = { headMaxBytes: 1, headersMaxCount: 1, lineMaxBytes: 1 };
  return { slot: 0, name: 'web', address: '127.0.0.1:0', protocol: 'http', routes, timeouts, limits, ...more };
}

function compile(
  web: HttpListenerPlan,
  before?: HttpPlan,
  clusters: readonly ClusterPlan[] = [FIRST, SECOND],
): HttpPlan {
  const plan: Plan = { version: 1, listeners: [web], clusters };
  return finish(
    HttpPlan.compile(web, takeOver(set, plan), { counters: fixture.counters, random: new Random(1) }, before),
  );
}

/** Which routes of `after` are those of `before`. */
function kept(after: HttpPlan, before: HttpPlan): string[] {
  return after.routes.filter((route) => before.routes.includes(route)).map(({ plan }) => plan.name);
}

describe('the next plan of a listener', () => {
  const routes = [forward('a', 1), forward('b', 1, 1), MOVED, GONE];

  test('has the routes and the router of the one before if nothing has changed, whatever else has', () => {
    const before = compile(listener(routes));
    const after = compile(listener(routes, { requestId: true }), before);
    expect(kept(after, before)).toEqual(['a', 'b', 'moved', 'gone']);
    expect(after.router).toBe(before.router);
    expect(after.listener.requestId).toBe(true);
  });

  test('compiles a route that has changed, and a router for it', () => {
    const before = compile(listener(routes));
    const after = compile(listener([routes[0]!, forward('b', 1), ...routes.slice(2)]), before);
    expect(kept(after, before)).toEqual(['a', 'moved', 'gone']);
    expect(after.router).not.toBe(before.router);
  });

  test('compiles routes whose cluster has changed, and keeps the router', () => {
    const before = compile(listener(routes));
    const after = compile(listener(routes), before, [FIRST, { ...SECOND, endpoints: [endpointPlan(2)] }]);
    expect(kept(after, before)).toEqual(['a', 'moved', 'gone']);
    expect(after.router).toBe(before.router);
    const slots = [1, 2].map(() => after.routes[1]!.targets!.next().cluster.endpoints[0]!.slot);
    expect(slots).toEqual([0, 2]);
  });

  test('compiles routes that lead to another cluster because clusters have other places', () => {
    const before = compile(listener(routes));
    const after = compile(listener(routes), before, [SECOND, FIRST]);
    expect(kept(after, before)).toEqual(['moved', 'gone']);
    expect(after.routes[0]!.targets!.next().cluster.plan.name).toBe('second');
  });

  test('gives shares of a route that has changed where they stood', () => {
    const before = compile(listener([forward('a', 1, 1)]));
    before.routes[0]!.targets!.next();
    const other = { ...forward('a', 1, 1), match: { path: '/other' } };
    const after = compile(listener([other]), before);
    expect(after.routes[0]!.targets!.next().cluster.plan.name).toBe('second');
  });

  test.each([
    ['is called otherwise', listener(routes, { name: 'other' })],
    ['speaks TLS now', listener(routes, { tls: TLS })],
  ])('compiles all routes of a listener that %s', (_, next) => {
    const before = compile(listener(routes));
    const after = compile(next, before);
    expect(kept(after, before)).toEqual([]);
    expect(after.routes.map(({ plan }) => plan.name)).toEqual(['a', 'b', 'moved', 'gone']);
  });

  test('compiles all routes when there are too many to time each', () => {
    const many = Array.from({ length: TIMED_ROUTES_MAX }, (_, index) => forward(`r${index}`, 1));
    const before = compile(listener(many));
    const after = compile(listener([...many, GONE]), before);
    expect(kept(after, before)).toEqual([]);
  });

  test('has its routes in its own order', () => {
    const before = compile(listener(routes));
    const after = compile(listener([...routes].reverse()), before);
    expect(after.routes.map(({ plan }) => plan.name)).toEqual(['gone', 'moved', 'b', 'a']);
    expect(kept(after, before)).toHaveLength(4);
    expect(after.router).not.toBe(before.router);
  });
});
