import { describe, expect, it } from 'vitest';
import type { ConfigInput } from '../../../src/config/config.ts';
import { validateConfig } from '../../../src/config/validate-config.ts';
import { Board } from '../../../src/contract/board.ts';
import { type PackedPlan, PlanReader, packPlan } from '../../../src/contract/packed-plan.ts';
import type { HttpListenerPlan, Plan } from '../../../src/contract/plan.ts';
import { PlanCompiler } from '../../../src/control/compile-plan.ts';
import type { SocketAddress } from '../../../src/core/address.ts';
import { finish } from '../../../src/core/slices.ts';

const ROUTES = 2_000;

function planOf(input: ConfigInput): Plan {
  const { config, ...rest } = validateConfig(input);
  if (config === undefined) throw new Error(JSON.stringify(rest));
  return new PlanCompiler(Board.create(1)).compile(config, (address) => [address as SocketAddress]);
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** A route for each number, the others with another address. */
function manyRoutes(paths: readonly number[], others = '10.1.0.2'): ConfigInput {
  const routes = paths.map((path) => ({ name: `r${path}`, match: { path: `/${path}` }, cluster: 'one' }));
  return {
    listeners: {
      web: { address: '127.0.0.1:0', routes },
      plain: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'two' },
    },
    clusters: { one: { endpoints: ['10.1.0.1:80'] }, two: { endpoints: [`${others}:80`] } },
  };
}

function routesOf(plan: Plan): HttpListenerPlan['routes'] {
  return plan.listeners.flatMap((listener) => (listener.protocol === 'http' ? listener.routes : []));
}

function read(packed: PackedPlan, reader = new PlanReader()): Plan {
  return finish(reader.read(packed));
}

it('comes out as it went in', () => {
  const plan = planOf({
    listeners: {
      web: {
        address: '127.0.0.1:0',
        limits: { body: '1MiB' },
        routes: [
          { name: 'api', match: { hosts: ['*.example'], path: '/a/*' }, cluster: 'many' },
          { name: 'gone', match: { methods: ['GET'] }, respond: { status: 410, body: 'g\u00fcne \u2028' } },
        ],
      },
      bare: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'one' },
    },
    clusters: {
      many: {
        endpoints: Array.from({ length: 900 }, (_, index) => `10.0.${index >> 8}.${index & 255}:80`),
        policy: 'maglev',
      },
      one: { endpoints: ['10.1.0.1:80'], limits: { connections: 3 }, healthCheck: { type: 'tcp' } },
    },
  });
  expect(read(packPlan(plan))).toEqual(plan);
});

it('goes in pieces, whatever the number of routes', () => {
  const plan = planOf(manyRoutes(numbers(ROUTES)));
  const packed = packPlan(plan);
  const [{ head, pieces } = { head: '', pieces: [] }] = packed.listeners;
  for (const text of [head, ...pieces!]) expect(text.length).toBeLessThanOrEqual(20_000);
  let interruptions = 0;
  for (const _ of new PlanReader().read(packed)) interruptions++;
  expect(interruptions).toBeGreaterThan(pieces!.length);
  expect(read(packed)).toEqual(plan);
});

describe('the next plan', () => {
  /** The two plans, read one after the other. */
  function readBoth(first: ConfigInput, second: ConfigInput): readonly [Plan, Plan] {
    const reader = new PlanReader();
    const plans = [read(packPlan(planOf(first)), reader), read(packPlan(planOf(second)), reader)] as const;
    expect(plans[1]).toEqual(planOf(second));
    return plans;
  }

  it('is the same objects where it says the same', () => {
    const [before, after] = readBoth(manyRoutes(numbers(ROUTES)), manyRoutes(numbers(ROUTES), '10.1.0.3'));
    expect(after.listeners.map((listener, index) => listener === before.listeners[index])).toEqual([true, true]);
    expect(after.clusters.map((cluster, index) => cluster === before.clusters[index])).toEqual([true, false]);
  });

  it.each([
    ['is changed', [...numbers(1_000), 5_000, ...numbers(ROUTES).slice(1_001)]],
    ['has come', [...numbers(1_000), 5_000, ...numbers(ROUTES).slice(1_000)]],
    ['has gone', numbers(ROUTES).filter((number) => number !== 1_000)],
  ])('has nearly all routes of the one before if one %s', (_, paths) => {
    const [before, after] = readBoth(manyRoutes(numbers(ROUTES)), manyRoutes(paths));
    const known = new Set(routesOf(before));
    expect(routesOf(after).filter((route) => !known.has(route)).length).toBeLessThan(ROUTES / 10);
    expect(after.listeners[0]).not.toBe(before.listeners[0]);
    expect(after.listeners[1]).toBe(before.listeners[1]);
  });

  it('knows nothing of plans before the last', () => {
    const reader = new PlanReader();
    const [one, two] = [manyRoutes(numbers(10)), manyRoutes(numbers(10).map((number) => number + 100))];
    const [first, , third] = [one, two, one].map((config) => read(packPlan(planOf(config)), reader));
    expect(third).toEqual(first);
    expect(routesOf(third!)[0]).not.toBe(routesOf(first!)[0]);
    expect(third!.clusters[0]).toBe(first!.clusters[0]);
  });
});
