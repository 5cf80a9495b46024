import { beforeEach, describe, expect, test } from 'vitest';
import { POLICIES, type PolicyName } from '../../../src/contract/plan.ts';
import { sharedNowMs } from '../../../src/core/clock.ts';
import { mixHash } from '../../../src/core/hash.ts';
import { Random } from '../../../src/core/random.ts';
import type { Endpoint } from '../../../src/upstream/endpoint.ts';
import { HashRing, POINTS_PER_WEIGHT } from '../../../src/upstream/policy/hash-ring.ts';
import { buildMaglevTable, MAGLEV_SLOTS } from '../../../src/upstream/policy/maglev-table.ts';
import { makePolicy } from '../../../src/upstream/policy/make-policy.ts';
import { TriedEndpoints } from '../../../src/upstream/tried-endpoints.ts';
import { UpstreamFixture } from './upstream-fixture.ts';

/** Of all: what a ring takes for one. */
function greatestDivisor(weights: readonly number[]): number {
  const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
  return weights.reduce(gcd);
}

const NONE = new TriedEndpoints();
const SEED = 4711;

let fixture: UpstreamFixture;

beforeEach(() => {
  fixture = new UpstreamFixture();
});

function make(name: PolicyName, endpoints: readonly Endpoint[], weights = endpoints.map(() => 1)) {
  return makePolicy({ policy: name }, endpoints, Uint32Array.from(weights), new Random(SEED));
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
      const drawn = 4 * Math.sqrt(picks * share * (1 - share));
      // The stretches between n points of a ring vary like a draw of n points.
      const points = name === 'ring-hash' ? POINTS_PER_WEIGHT * (weight / greatestDivisor(weights)) : Infinity;
      const tolerance = drawn + (4 * picks * share) / Math.sqrt(points);
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
      makePolicy({ policy: 'round-robin' }, endpoints, new Uint32Array(16).fill(1), new Random(seed)).pick(0, NONE),
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

describe.each(['source-hash', 'ring-hash', 'maglev'] as const)('%s', (name) => {
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

describe.each(['ring-hash', 'maglev'] as const)('%s', (name) => {
  test('does not mind the order of the endpoints', () => {
    const endpoints = fixture.endpoints(9);
    const policy = make(name, endpoints, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const reversed = make(name, [...endpoints].reverse(), [9, 8, 7, 6, 5, 4, 3, 2, 1]);
    for (let i = 0; i < 500; i++) expect(reversed.pick(mixHash(i), NONE)).toBe(policy.pick(mixHash(i), NONE));
  });

  test('moves no client of the endpoints that stay when one drains, and scatters its own', () => {
    const endpoints = fixture.endpoints(10);
    const policy = make(name, endpoints);
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

describe('a bounded load', () => {
  const bounded = (
    policy: PolicyName,
    endpoints: readonly Endpoint[],
    factor: number,
    weights = endpoints.map(() => 1),
  ) => makePolicy({ policy, boundedLoadFactor: factor }, endpoints, Uint32Array.from(weights), new Random(SEED));

  test.each(['source-hash', 'ring-hash', 'maglev'] as const)(
    'keeps one hot key from giving an endpoint more than its share times the factor (%s)',
    (name) => {
      const endpoints = fixture.endpoints(5);
      const policy = bounded(name, endpoints, 1.25);
      for (let i = 0; i < 1000; i++) policy.pick(mixHash(1), NONE)!.enter();
      const loads = endpoints.map(({ inFlight }) => inFlight).sort((a, b) => a - b);
      expect(loads.at(-1)).toBe(250);
      expect(loads[0]).toBeGreaterThanOrEqual(0);
      expect(loads.reduce((sum, load) => sum + load, 0)).toBe(1000);
    },
  );

  test('goes by weight', () => {
    const endpoints = fixture.endpoints(2);
    const policy = bounded('maglev', endpoints, 1.01, [3, 1]);
    for (let i = 0; i < 400; i++) policy.pick(mixHash(2), NONE)!.enter();
    expect(endpoints[0]!.inFlight).toBeGreaterThan(294);
    expect(endpoints[0]!.inFlight).toBeLessThan(307);
  });

  test('leaves who is below it where the hash says', () => {
    const endpoints = fixture.endpoints(5);
    const free = make('maglev', endpoints);
    const policy = bounded('maglev', endpoints, 2);
    for (const endpoint of endpoints) for (let i = 0; i < 10; i++) endpoint.enter();
    for (let i = 0; i < 100; i++) expect(policy.pick(mixHash(i), NONE)).toBe(free.pick(mixHash(i), NONE));
  });

  test('never leaves an eligible endpoint unused for lack of room', () => {
    const endpoints = fixture.endpoints(3);
    for (let i = 0; i < 100; i++) endpoints[0]!.enter();
    for (const slot of [1, 2]) endpoints[slot]!.isSelectable = false;
    for (const name of ['source-hash', 'ring-hash', 'maglev'] as const) {
      expect(bounded(name, endpoints, 1.01).pick(7, NONE)).toBe(endpoints[0]);
    }
  });
});

describe('least-time', () => {
  test('prefers who answers sooner, and counts the work it has', () => {
    const endpoints = fixture.endpoints(3);
    const policy = make('least-time', endpoints);
    const nowMs = sharedNowMs();
    for (const [slot, us] of [50_000, 10_000, 20_000].entries()) endpoints[slot]!.observeLatency(us, nowMs);
    expect(policy.pick(0, NONE)).toBe(endpoints[1]);
    endpoints[1]!.enter();
    endpoints[1]!.enter();
    // 3 times 10 ms against 20 ms.
    expect(policy.pick(0, NONE)).toBe(endpoints[2]);
  });

  test('asks an endpoint of which nothing is known once, and not twice at a time', () => {
    const endpoints = fixture.endpoints(2);
    const policy = make('least-time', endpoints);
    endpoints[0]!.observeLatency(10_000, sharedNowMs());
    expect(policy.pick(0, NONE)).toBe(endpoints[1]);
    endpoints[1]!.enter();
    expect(policy.pick(0, NONE)).toBe(endpoints[0]);
  });

  test('asks a slow endpoint again when time has passed', () => {
    const endpoints = fixture.endpoints(2);
    const policy = make('least-time', endpoints);
    const nowMs = sharedNowMs();
    endpoints[0]!.observeLatency(10_000, nowMs);
    endpoints[1]!.observeLatency(20_000, nowMs - 60_000);
    expect(policy.pick(0, NONE)).toBe(endpoints[1]);
  });
});

describe('how many keys move when an endpoint comes or goes', () => {
  const keysOf = (count: number) => Array.from({ length: count }, (_, i) => `10.0.${i >> 8}.${i & 255}:9000`);
  const ones = (count: number) => new Uint32Array(count).fill(1);

  /** Share of the slots whose endpoint has stayed and that changed hands all the same, when the endpoint `gone` leaves. */
  function extraMoves(count: number, gone: number): number {
    const keys = keysOf(count).sort();
    const rest = keys.filter((_, index) => index !== gone);
    const before = buildMaglevTable(keys, ones(count));
    const after = buildMaglevTable(rest, ones(count - 1));
    let moved = 0;
    for (let slot = 0; slot < MAGLEV_SLOTS; slot++) {
      if (before[slot] !== gone && keys[before[slot]!] !== rest[after[slot]!]) moved++;
    }
    return moved / MAGLEV_SLOTS;
  }

  test.each([
    [10, 0.0035],
    [100, 0.0065],
    [1000, 0.0065],
  ])('maglev, %i endpoints: beyond those of the one that left, at most %f of all', (count, most) => {
    // What a table does depends on who leaves: the mean over several.
    const gone = [0, 1, 2, 3, 4, 5, 6, 7].map((part) => Math.floor((part * count) / 8));
    const moves = gone.map((index) => extraMoves(count, index));
    expect(moves.reduce((sum, share) => sum + share, 0) / moves.length).toBeLessThanOrEqual(most);
  });

  test.each([3, 10, 100, 1000])('maglev, %i endpoints: every share is even to the slot', (count) => {
    const shares = new Uint32Array(count);
    for (const owner of buildMaglevTable(keysOf(count).sort(), ones(count))) shares[owner]! += 1;
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
  });

  test('ring-hash: only what belonged to the one that left', () => {
    const keys = keysOf(10);
    const before = new HashRing(keys, ones(10));
    const rest = keys.slice(1);
    const after = new HashRing(rest, ones(9));
    let moved = 0;
    for (let i = 0; i < 20_000; i++) {
      const hash = mixHash(i);
      const owner = keys[before.ownerAt(before.placeOf(hash))]!;
      if (owner === keys[0]) moved++;
      else expect(rest[after.ownerAt(after.placeOf(hash))]).toBe(owner);
    }
    expect(moved / 20_000).toBeGreaterThan(0.06);
    expect(moved / 20_000).toBeLessThan(0.14);
  });

  test('source-hash: n of n + 1, as the theory of a remainder says', () => {
    const endpoints = fixture.endpoints(11);
    const ten = make('source-hash', endpoints.slice(0, 10));
    const eleven = make('source-hash', endpoints);
    const count = 20_000;
    let moved = 0;
    for (let i = 0; i < count; i++) if (ten.pick(mixHash(i), NONE) !== eleven.pick(mixHash(i), NONE)) moved++;
    // A hash keeps its endpoint if its remainders by 10 and by 11 agree: 10 of 110.
    const expected = 10 / 11;
    expect(Math.abs(moved / count - expected)).toBeLessThan(4 * Math.sqrt((expected * (1 - expected)) / count));
  });
});
