import { describe, expect, test } from 'vitest';
import type { RouteTarget } from '../../../src/l7/route-target.ts';
import { WeightedTargets } from '../../../src/l7/weighted-targets.ts';

function targets(shares: Readonly<Record<string, number>>): WeightedTargets {
  const named = Object.keys(shares).map((name) => ({ cluster: { plan: { name } } }) as RouteTarget);
  return new WeightedTargets(named, Object.values(shares));
}

function take(from: WeightedTargets, count: number): string {
  return Array.from({ length: count }, () => from.next().cluster.plan.name).join('');
}

function counts(text: string): Record<string, number> {
  const found: Record<string, number> = {};
  for (const name of text) found[name] = (found[name] ?? 0) + 1;
  return found;
}

describe('shares', () => {
  test('are exact over any run as long as their sum, wherever it begins', () => {
    const shared = targets({ a: 95, b: 5 });
    take(shared, 37);
    for (let run = 0; run < 5; run++) expect(counts(take(shared, 100))).toEqual({ a: 95, b: 5 });
    expect(counts(take(targets({ a: 3, b: 2, c: 1 }), 600))).toEqual({ a: 300, b: 200, c: 100 });
  });

  test('spread the few among the many', () => {
    expect(take(targets({ a: 5, b: 1, c: 1 }), 7)).toBe('aabacaa');
  });

  test('of 0 get nothing, and one alone gets all', () => {
    expect(take(targets({ a: 0, b: 2, c: 0 }), 4)).toBe('bbbb');
    expect(take(targets({ a: 7 }), 3)).toBe('aaa');
  });

  test('go on in the next plan if they are the same there, and begin anew if not', () => {
    let shared = targets({ a: 95, b: 5 });
    let taken = '';
    for (let plan = 0; plan < 100; plan++) {
      taken += take(shared, 1);
      const next = targets({ a: 95, b: 5 });
      next.continueFrom(shared);
      shared = next;
    }
    expect(counts(taken)).toEqual({ a: 95, b: 5 });
    const other = targets({ a: 1, b: 1 });
    other.continueFrom(shared);
    expect(take(other, 2)).toBe('ab');
  });
});
