import { describe, expect, it } from 'vitest';
import { lowerQuartile, median, ratio, roundOrder, spread } from '../../../bench/statistics.ts';

describe('the arithmetic of the benchmark', () => {
  it('takes the middle of an odd count and the mean of the two in the middle of an even one', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([10, 1, 2, 100])).toBe(6);
    expect(median([7])).toBe(7);
    expect(median([])).toBeNaN();
  });

  it('sorts by number, not by text, and leaves its input alone', () => {
    const values = [100, 9, 20];
    expect(median(values)).toBe(20);
    expect(values).toEqual([100, 9, 20]);
  });

  it('takes the value that a quarter lies below, between two where the quarter ends there', () => {
    expect(lowerQuartile([50, 10, 40, 20, 30])).toBe(20);
    expect(lowerQuartile([4, 1, 3, 2])).toBe(1.75);
    expect(lowerQuartile([8, 4])).toBe(5);
    expect(lowerQuartile([100, 9, 20])).toBe(14.5);
    expect(lowerQuartile([7])).toBe(7);
    expect(lowerQuartile([])).toBeNaN();
  });

  it('gives median and range', () => {
    expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
    expect(spread([]).max).toBeNaN();
  });

  it('has no ratio where a figure is missing or zero', () => {
    expect(ratio(9, 12)).toBe(0.75);
    expect(ratio(0, 12)).toBe(0);
    expect(ratio(9, 0)).toBeUndefined();
    expect(ratio(Number.NaN, 12)).toBeUndefined();
    expect(ratio(9, Number.NaN)).toBeUndefined();
  });

  it('goes forwards and backwards in turn: A B, B A, A B', () => {
    const subjects = ['a', 'b', 'c'];
    expect([0, 1, 2].map((round) => roundOrder(subjects, round).join(''))).toEqual(['abc', 'cba', 'abc']);
  });
});
