import { beforeEach, describe, expect, test } from 'vitest';
import { POLICIES, type PolicyName } from '../../../src/contract/plan.ts';
import { mixHash } from '../../../src/core/hash.ts';
import { Random } from '../../../src/core/random.ts';
import type { Endpoint } from '../../../src/upstream/endpoint.ts';
import { makePolicy } from '../../../src/upstream/policy/make-policy.ts';
import { TriedEndpoints } from '../../../src/upstream/tried-endpoints.ts';
import { UpstreamFixture } from './upstream-fixture.ts';

const NONE = new TriedEndpoints();
const SEED = 4711;

let fixture: UpstreamFixture;

beforeEach(() => {
  fixture = new UpstreamFixture();
});

function make(name: PolicyName, endpoints: readonly Endpoint[], weights = endpoints.map(() => 1)) {
  return makePolicy(name, endpoints, Uint32Array.from(weights), new Random(SEED));
}

function triedOf(...slots: number[]): TriedEndpoints {
  const tried = new TriedEndpoints();
  for (const slot of slots) tried.add(slot);
  return tried;
}

/** How often each of `endpoints` is picked, each time with another hash. */
function countPicks(policy: ReturnType<typeof make>, endpoints: readonly Endpoint[], picks: number): number[] {
  const counts = endpoints.map(() => 0);
  for (let i = 0; i < picks; i++) counts[endpoints.indexOf(policy.pick(mixHash(i), NONE)!)]! += 1;
  return counts;
}

describe.each(POLICIES)('%s', (name) => {
  test('picks nothing from nothing', () => {
    expect(make(name, []).pick(1, NONE)).toBeUndefined();
  });

  test('picks the only endpoint every time', () => {
    const [only] = fixture.endpoints(1);
    const policy = make(name, [only!]);
    for (let hash = 0; hash < 10; hash++) expect(policy.pick(hash, NONE)).toBe(only);
  });

  test('never picks one that was tried, and tries all of them', () => {
    const endpoints = fixture.endpoints(6);
    const policy = make(name, endpoints, [1, 2, 3, 4, 5, 6]);
    for (let hash = 0; hash < 50; hash++) {
      const tried = new TriedEndpoints();
      for (let attempt = 0; attempt < endpoints.length; attempt++) tried.add(policy.pick(mixHash(hash), tried)!.slot);
      expect(new Set(endpoints.filter(({ slot }) => tried.has(slot))).size).toBe(6);
      expect(policy.pick(mixHash(hash), tried)).toBeUndefined();
    }
  });

  test('never picks one that may not be selected', () => {
    const endpoints = fixture.endpoints(4);
    endpoints[0]!.isSelectable = false;
    endpoints[2]!.isSelectable = false;
    const counts = countPicks(make(name, endpoints), endpoints, 400);
    expect(counts[0]).toBe(0);
    expect(counts[2]).toBe(0);
    expect(counts[1]).toBeGreaterThan(0);
    expect(counts[3]).toBeGreaterThan(0);
  });

  test('picks nothing where none may be selected', () => {
    const endpoints = fixture.endpoints(3);
    for (const endpoint of endpoints) endpoint.isSelectable = false;
    expect(make(name, endpoints).pick(1, NONE)).toBeUndefined();
  });

  test('finds the one endpoint left among very many', () => {
    const endpoints = fixture.endpoints(500);
    for (const endpoint of endpoints) endpoint.isSelectable = endpoint.slot === 321;
    expect(make(name, endpoints).pick(1, NONE)).toBe(endpoints[321]);
  });

  test.each([
    { weights: [1, 1, 1] },
    { weights: [3, 1] },
    { weights: [1, 2, 3, 4, 10] },
    { weights: [5, 5, 10, 20, 30, 30] },
  ])('gives endpoints of weights $weights their shares', ({ weights }) => {
    const endpoints = fixture.endpoints(weights.length);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const picks = 20_000;
    const counts = countPicks(make(name, endpoints, weights), endpoints, picks);
    for (const [index, weight] of weights.entries()) {
      const share = weight / total;
      // Four standard deviations of a draw.
      const tolerance = 4 * Math.sqrt(picks * share * (1 - share));
      expect(Math.abs(counts[index]! - picks * share)).toBeLessThan(tolerance);
    }
  });
});

describe('round-robin', () => {
  test('takes equal endpoints in turn', () => {
    const endpoints = fixture.endpoints(3);
    const policy = make('round-robin', endpoints);
    const slots = Array.from({ length: 9 }, () => policy.pick(0, NONE)!.slot);
    for (let i = 0; i < 6; i++) expect(slots[i + 3]).toBe(slots[i]);
    expect(new Set(slots.slice(0, 3)).size).toBe(3);
  });

  test('shares the turns of a missing endpoint among all others', () => {
    const endpoints = fixture.endpoints(4);
    endpoints[1]!.isSelectable = false;
    expect(countPicks(make('round-robin', endpoints), endpoints, 300)).toEqual([100, 0, 100, 100]);
  });

  test('spreads the picks of a heavy endpoint', () => {
    const policy = make('round-robin', fixture.endpoints(3), [5, 1, 1]);
    const slots = Array.from({ length: 14 }, () => policy.pick(0, NONE)!.slot);
    expect(slots).toEqual([0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
  });

  test('gives weighted endpoints their share to the pick in every cycle', () => {
    const endpoints = fixture.endpoints(4);
    const policy = make('round-robin', endpoints, [7, 2, 1, 10]);
    for (let cycle = 0; cycle < 5; cycle++) expect(countPicks(policy, endpoints, 20)).toEqual([7, 2, 1, 10]);
  });

  test('begins elsewhere with another seed', () => {
    const endpoints = fixture.endpoints(16);
    const firsts = Array.from({ length: 8 }, (_, seed) =>
      makePolicy('round-robin', endpoints, new Uint32Array(16).fill(1), new Random(seed)).pick(0, NONE),
    );
    expect(new Set(firsts).size).toBeGreaterThan(2);
  });
});

describe('least-request', () => {
  test('picks the least loaded of few, over all shards', () => {
    const endpoints = fixture.endpoints(3);
    const policy = make('least-request', endpoints);
    for (const slot of [0, 0, 1, 2, 2]) fixture.board.enter(1, slot);
    for (let i = 0; i < 20; i++) expect(policy.pick(0, NONE)).toBe(endpoints[1]);
  });

  test('compares the load with the weight', () => {
    const endpoints = fixture.endpoints(2);
    const policy = make('least-request', endpoints, [3, 1]);
    for (const slot of [0, 0, 1]) fixture.board.enter(1, slot);
    for (let i = 0; i < 20; i++) expect(policy.pick(0, NONE)).toBe(endpoints[0]);
  });

  test('keeps many endpoints about evenly loaded', () => {
    const endpoints = fixture.endpoints(50);
    const policy = make('least-request', endpoints);
    for (let i = 0; i < 5000; i++) policy.pick(0, NONE)!.enter();
    const loads = endpoints.map(({ inFlight }) => inFlight);
    // 100 each. One random choice would stray by 30 and more; of two, log log n.
    expect(Math.max(...loads)).toBeLessThanOrEqual(104);
    expect(Math.min(...loads)).toBeGreaterThanOrEqual(94);
  });

  test('prefers a loaded endpoint to one that was tried', () => {
    const endpoints = fixture.endpoints(2);
    fixture.board.enter(1, 1);
    expect(make('least-request', endpoints).pick(0, triedOf(0))).toBe(endpoints[1]);
  });
});

describe.each(['source-hash', 'maglev'] as const)('%s', (name) => {
  test('gives the same hash the same endpoint', () => {
    const endpoints = fixture.endpoints(7);
    const policy = make(name, endpoints);
    const other = make(name, endpoints);
    for (let i = 0; i < 200; i++) expect(policy.pick(mixHash(i), NONE)).toBe(other.pick(mixHash(i), NONE));
  });

  test('gives the same hash the same second endpoint', () => {
    const endpoints = fixture.endpoints(7);
    const policy = make(name, endpoints);
    const other = make(name, endpoints);
    for (let i = 0; i < 200; i++) {
      const tried = triedOf(policy.pick(mixHash(i), NONE)!.slot);
      expect(policy.pick(mixHash(i), tried)).toBe(other.pick(mixHash(i), tried));
    }
  });
});

describe('maglev', () => {
  test('does not mind the order of the endpoints', () => {
    const endpoints = fixture.endpoints(9);
    const policy = make('maglev', endpoints, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const reversed = make('maglev', [...endpoints].reverse(), [9, 8, 7, 6, 5, 4, 3, 2, 1]);
    for (let i = 0; i < 500; i++) expect(reversed.pick(mixHash(i), NONE)).toBe(policy.pick(mixHash(i), NONE));
  });

  test('moves no client of the endpoints that stay when one drains, and scatters its own', () => {
    const endpoints = fixture.endpoints(10);
    const policy = make('maglev', endpoints);
    const before = Array.from({ length: 2000 }, (_, i) => policy.pick(mixHash(i), NONE)!.slot);
    endpoints[4]!.isSelectable = false;
    const heirs = new Set<number>();
    for (const [i, slot] of before.entries()) {
      const now = policy.pick(mixHash(i), NONE)!.slot;
      if (slot === 4) heirs.add(now);
      else expect(now).toBe(slot);
    }
    expect(heirs.size).toBe(9);
  });
});
