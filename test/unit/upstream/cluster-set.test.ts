import { beforeEach, describe, expect, test } from 'vitest';
import { Admin } from '../../../src/contract/board.ts';
import type { ClusterPlan, Plan } from '../../../src/contract/plan.ts';
import { Random } from '../../../src/core/random.ts';
import { ClusterSet, type PlannedClusters } from '../../../src/upstream/cluster-set.ts';
import { TriedEndpoints } from '../../../src/upstream/tried-endpoints.ts';
import { clusterPlan, endpointPlan, takeOver, UpstreamFixture } from './upstream-fixture.ts';

const NONE = new TriedEndpoints();

let fixture: UpstreamFixture;
let set: ClusterSet;
/** Of the plan in force. */
let clusters: PlannedClusters;

beforeEach(() => {
  fixture = new UpstreamFixture();
  set = new ClusterSet(fixture.context, new Random(1));
});

function plan(...list: ClusterPlan[]): Plan {
  return { version: 1, listeners: [], clusters: list };
}

function apply(...slots: number[]): void {
  clusters = takeOver(set, plan(clusterPlan(slots.map((slot) => endpointPlan(slot)))));
}

describe('the clusters of a plan', () => {
  test('are found by their index', () => {
    clusters = takeOver(
      set,
      plan(clusterPlan([endpointPlan(0)]), { ...clusterPlan([endpointPlan(1)]), name: 'other' }),
    );
    expect(clusters.at(1).plan.name).toBe('other');
    expect(clusters.at(1).pick(0, NONE)?.slot).toBe(1);
  });

  test('may be empty', () => {
    apply();
    expect(clusters.at(0).pick(0, NONE)).toBeUndefined();
  });
});

describe('a new plan', () => {
  test('keeps endpoints that stay, with their idle connections', () => {
    apply(0, 1);
    const [first, second] = clusters.at(0).endpoints;
    first!.pool.put(7, 4000);
    apply(1, 0, 2);
    expect(clusters.at(0).endpoints.slice(0, 2)).toEqual([second, first]);
    expect(first!.pool.take()).toBe(7);
  });

  test('closes the idle connections of endpoints that it leaves out, and forgets their address', () => {
    apply(0, 1);
    const [first] = clusters.at(0).endpoints;
    first!.pool.put(7, 4000);
    fixture.orders();
    apply(1);
    expect(fixture.orders()).toEqual(['close 7']);
    expect(fixture.engine.addresses[first!.addressHandle]).toBeUndefined();
  });

  test('forgets the address of an endpoint only when the last work on it has ended', () => {
    apply(0);
    const [endpoint] = clusters.at(0).endpoints;
    endpoint!.enter();
    endpoint!.enter();
    apply(1);
    expect(endpoint!.isSelectable).toBe(false);
    endpoint!.leave();
    expect(fixture.engine.addresses[endpoint!.addressHandle]).toBeDefined();
    endpoint!.leave();
    expect(fixture.engine.addresses[endpoint!.addressHandle]).toBeUndefined();
  });

  test('leaves nothing to pick in the old plan but endpoints that stay', () => {
    apply(0, 1);
    const old = clusters.at(0);
    apply(1);
    for (let i = 0; i < 4; i++) expect(old.pick(0, NONE)?.slot).toBe(1);
  });

  test('makes another endpoint where a slot has another address', () => {
    apply(0);
    const [before] = clusters.at(0).endpoints;
    clusters = takeOver(set, plan(clusterPlan([{ ...endpointPlan(0), key: '10.9.9.9:1' }])));
    expect(clusters.at(0).endpoints[0]).not.toBe(before);
    expect(before!.isSelectable).toBe(false);
  });

  test('goes on with whose turn it is where nothing changed', () => {
    apply(0, 1, 2);
    const first = clusters.at(0).pick(0, NONE)!.slot;
    apply(0, 1, 2);
    const second = clusters.at(0).pick(0, NONE)!.slot;
    apply(0, 1, 2);
    expect(new Set([first, second, clusters.at(0).pick(0, NONE)!.slot]).size).toBe(3);
  });

  test('keeps a cluster in which nothing has changed', () => {
    const [kept, changed] = [clusterPlan([endpointPlan(0), endpointPlan(1)]), { ...clusterPlan([]), name: 'other' }];
    clusters = takeOver(set, plan(kept, changed));
    const [first, second] = [clusters.at(0), clusters.at(1)];
    clusters = takeOver(set, plan({ ...changed, endpoints: [endpointPlan(2)] }, kept));
    expect(clusters.at(1)).toBe(first);
    expect(clusters.at(0)).not.toBe(second);
    fixture.board.setAdmin(0, Admin.DRAINING);
    expect(clusters.at(1).pick(0, NONE)?.slot).toBe(1);
  });

  test('makes a cluster anew that comes back as it was', () => {
    const origin = clusterPlan([endpointPlan(0)]);
    const first = takeOver(set, plan(origin)).at(0);
    takeOver(set, plan());
    clusters = takeOver(set, plan(origin));
    expect(clusters.at(0)).not.toBe(first);
    expect(clusters.at(0).pick(0, NONE)?.slot).toBe(0);
  });

  test.each([
    { what: 'another weight', next: clusterPlan([endpointPlan(0), endpointPlan(1, 5)]) },
    { what: 'another policy', next: clusterPlan([endpointPlan(0), endpointPlan(1)], 'random') },
    { what: 'another order', next: clusterPlan([endpointPlan(1), endpointPlan(0)]) },
  ])('makes another policy for $what', ({ next }) => {
    apply(0, 1);
    const before = clusters.at(0).policies;
    clusters = takeOver(set, plan(next));
    expect(clusters.at(0).policies).not.toBe(before);
  });
});

describe('an endpoint', () => {
  test('counts on the board what it works on, for its own shard', () => {
    apply(3);
    const [endpoint] = clusters.at(0).endpoints;
    endpoint!.enter();
    fixture.board.enter(1, 3);
    expect(endpoint!.inFlight).toBe(2);
    endpoint!.leave();
    expect(endpoint!.inFlight).toBe(1);
    fixture.board.forgetShard(1);
    expect(endpoint!.inFlight).toBe(0);
  });

  test('may be selected while it is enabled', () => {
    apply(3);
    const [endpoint] = clusters.at(0).endpoints;
    const pick = () => clusters.at(0).pick(0, new TriedEndpoints());
    expect(pick()).toBe(endpoint);
    fixture.board.setAdmin(3, Admin.DRAINING);
    expect(pick()).toBeUndefined();
    fixture.board.setAdmin(3, Admin.ENABLED);
    expect(pick()).toBe(endpoint);
  });

  test('is never selected where the engine refused its address', () => {
    fixture.engine.rememberAddress = () => -22;
    apply(0);
    expect(clusters.at(0).pick(0, NONE)).toBeUndefined();
    expect(() => apply()).not.toThrow();
  });
});

describe('closing', () => {
  test('retires every endpoint', () => {
    apply(0, 1);
    clusters.at(0).endpoints[1]!.pool.put(9, 4000);
    fixture.orders();
    set.close();
    expect(fixture.orders()).toEqual(['close 9']);
    expect(fixture.engine.addresses).toEqual([undefined, undefined]);
  });
});
