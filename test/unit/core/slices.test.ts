import { describe, expect, it } from 'vitest';
import { finish, finishAtPace, type Slices } from '../../../src/core/slices.ts';

const PACE = { workMs: 0, restMs: 0 };

function* countTo(end: number, steps: number[] = []): Slices<number> {
  for (let step = 1; step <= end; step++) {
    steps.push(step);
    yield;
  }
  return steps.length;
}

it('finishes at once', () => {
  expect(finish(countTo(5))).toBe(5);
});

describe('at a pace', () => {
  it('ends with the result', async () => {
    expect(await finishAtPace(countTo(5), PACE, () => false)).toBe(5);
  });

  it('lets others have a turn in between', async () => {
    const steps: number[] = [];
    const seen: number[] = [];
    const other = setInterval(() => seen.push(steps.length), 1);
    await finishAtPace(countTo(20, steps), { workMs: 0, restMs: 2 }, () => false);
    clearInterval(other);
    expect(seen.some((count) => count > 0 && count < 20)).toBe(true);
  });

  it('works for as long as it may before it rests', async () => {
    let rests = 0;
    const work = finishAtPace(countTo(1_000), { workMs: 1_000, restMs: 0 }, () => ++rests > 1);
    expect(await work).toBe(1_000);
  });

  it('is given up once it is over', async () => {
    const steps: number[] = [];
    expect(await finishAtPace(countTo(20, steps), PACE, () => steps.length >= 3)).toBeUndefined();
    expect(steps).toEqual([1, 2, 3]);
  });

  it('rejects as the work throws', async () => {
    // biome-ignore lint/correctness/useYield: it fails before it can be interrupted.
    function* fails(): Slices<never> {
      throw new Error('broken');
    }
    await expect(finishAtPace(fails(), PACE, () => false)).rejects.toThrow('broken');
  });
});
