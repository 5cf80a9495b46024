import { describe, expect, it } from 'vitest';
import { EXPERIMENTS } from '../../../bench/claims/all-claims.ts';
import { planOf } from '../../../bench/study/plan.ts';

describe('the plan of the study', () => {
  it.each([true, false])('asks for what the benchmark knows, and plays every claim (quick: %s)', (isQuick) => {
    const plan = planOf(isQuick, 7);
    const scenarios = new Set(plan.flatMap((options) => options.scenarios));
    for (const needed of ['l4', 'l7', 'tls', 'full', 'passed', 'reencrypted', 'latency', 'micro', 'claims'] as const) {
      expect(scenarios).toContain(needed);
    }
    expect(plan.every(({ seed }) => seed === 7)).toBe(true);
    const claims = plan.filter((options) => options.scenarios.includes('claims')).flatMap((options) => options.claims);
    expect(claims).toEqual(EXPERIMENTS.map(({ number }) => number));
  });

  it('goes through everything but the claims in each of its rounds, forwards and backwards', () => {
    const plan = planOf(false, 7);
    expect(plan.at(-1)).toMatchObject({ scenarios: ['claims'], rounds: 5 });
    const parts = plan.slice(0, -1);
    expect([...new Set(parts.map(({ firstRound }) => firstRound))]).toEqual([0, 1, 2, 3, 4]);
    const partsOf = (round: number) =>
      parts.filter((part) => part.firstRound === round).map((part) => ({ ...part, firstRound: 0 }));
    expect(partsOf(0).every((part) => part.rounds === 1)).toBe(true);
    expect(partsOf(1)).toEqual(partsOf(0).toReversed());
    expect(partsOf(2)).toEqual(partsOf(0));
    expect(partsOf(4)).toEqual(partsOf(0));
  });
});
