import { expect, it } from 'vitest';
import { ConnectionTable } from '../../../src/engine/node-connection-table.ts';
import { INDEX_BITS, INDEX_MASK } from '../../../src/engine/protocol.ts';

const make = (id: number) => ({ id });

it('finds what it gave an id to, and nothing else', () => {
  const table = new ConnectionTable<{ id: number }>();
  const first = table.add(make);
  const second = table.add(make);
  expect(table.get(first.id)).toBe(first);
  expect(table.get(second.id)).toBe(second);
  expect(table.get(0)).toBeUndefined();
  expect(table.get(-1)).toBeUndefined();
  expect(table.get(first.id + (1 << INDEX_BITS))).toBeUndefined();
});

it('refuses an id whose index was given out again', () => {
  const table = new ConnectionTable<{ id: number }>();
  const first = table.add(make);
  table.remove(first.id);
  table.endRound();
  const heir = table.add(make);
  expect(heir.id & INDEX_MASK).toBe(first.id & INDEX_MASK);
  expect(table.get(first.id)).toBeUndefined();
  table.remove(first.id);
  expect(table.get(heir.id)).toBe(heir);
});

it('keeps an index back until the round has ended', () => {
  const table = new ConnectionTable<{ id: number }>();
  const first = table.add(make);
  table.remove(first.id);
  expect(table.add(make).id & INDEX_MASK).not.toBe(first.id & INDEX_MASK);
});

it('gives out positive ids, however often an index is used', () => {
  const table = new ConnectionTable<{ id: number }>();
  const generations = new Set<number>();
  for (let i = 0; i < 5_000; i++) {
    const { id } = table.add(make);
    expect(id).toBeGreaterThan(0);
    expect(id).toBeLessThan(2 ** 31);
    generations.add(id >> INDEX_BITS);
    table.remove(id);
    table.endRound();
  }
  expect(generations.size).toBe(2 ** (31 - INDEX_BITS) - 1);
});
