import { expect, it } from 'vitest';
import { counterTotals } from '../../../src/observe/counter-totals.ts';

const sample = (value: number, listener = 'web') => ({ family: 'f', labels: { listener }, value });

it('sums over sources, each label set apart', () => {
  const totals = counterTotals();
  totals.put(0, [sample(1), sample(5, 'db')]);
  totals.put(1, [sample(2)]);
  expect(totals.totals()).toEqual([sample(3), sample(5, 'db')]);
});

it('replaces what a source told before', () => {
  const totals = counterTotals();
  totals.put(0, [sample(1)]);
  totals.put(0, [sample(4)]);
  expect(totals.totals()).toEqual([sample(4)]);
});

it('never goes back when a source dies and begins again at zero', () => {
  const totals = counterTotals();
  totals.put(0, [sample(7)]);
  totals.retire(0);
  expect(totals.totals()).toEqual([sample(7)]);
  totals.put(0, [sample(0)]);
  expect(totals.totals()).toEqual([sample(7)]);
  totals.put(0, [sample(2)]);
  totals.retire(0);
  totals.retire(0);
  expect(totals.totals()).toEqual([sample(9)]);
});

it('keeps the last value of a counter that a source no longer tells', () => {
  const totals = counterTotals();
  totals.put(0, [sample(7), sample(1, 'db')]);
  totals.put(0, [sample(2, 'db')]);
  expect(totals.totals()).toEqual([sample(7), sample(2, 'db')]);
});
