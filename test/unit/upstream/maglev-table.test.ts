import { describe, expect, test } from 'vitest';
import { loadAddon } from '../../../src/engine/binding.ts';
import {
  buildMaglevTable,
  buildMaglevTableHere,
  hashKeys,
  MAGLEV_SLOTS,
} from '../../../src/upstream/policy/maglev-table.ts';

const { addon } = loadAddon();

function keysOf(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `10.${i >> 8}.${i & 255}.1:9000`).sort();
}

function build(keys: readonly string[], weights: readonly number[] = keys.map(() => 1)): Uint16Array {
  return buildMaglevTableHere(hashKeys(keys), Uint32Array.from(weights));
}

function countSlots(table: Uint16Array, endpoints: number): number[] {
  const counts = new Array<number>(endpoints).fill(0);
  for (const index of table) counts[index]! += 1;
  return counts;
}

/** Mean share of slots that move between endpoints that stay when one of `count` leaves, over ten that might. */
function meanExtraMoves(count: number): number {
  const keys = keysOf(count);
  const before = build(keys);
  let moved = 0;
  for (let i = 0; i < 10; i++) {
    const gone = i * (count / 10);
    const after = build(keys.toSpliced(gone, 1));
    for (let slot = 0; slot < MAGLEV_SLOTS; slot++) {
      const owner = before[slot]!;
      if (owner !== gone && after[slot] !== (owner > gone ? owner - 1 : owner)) moved += 1;
    }
  }
  return moved / 10 / MAGLEV_SLOTS;
}

describe('the table', () => {
  test.each([1, 2, 3, 10, 100, 1000])('gives %i equal endpoints equal shares, give or take a slot', (count) => {
    const counts = countSlots(build(keysOf(count)), count);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });

  test('gives weighted endpoints their share to the slot', () => {
    const weights = [1, 2, 3, 10, 100, 1000, 1000];
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const counts = countSlots(build(keysOf(weights.length), weights), weights.length);
    for (const [index, weight] of weights.entries()) {
      const share = (MAGLEV_SLOTS * weight) / total;
      expect(Math.abs(counts[index]! - share)).toBeLessThanOrEqual(1 + share * 0.01);
    }
  });

  test.each([
    { count: 10, most: 0.0035 },
    { count: 100, most: 0.0065 },
    { count: 1000, most: 0.0065 },
  ])('moves at most $most of the slots for no need when one of $count leaves', ({ count, most }) => {
    expect(meanExtraMoves(count)).toBeLessThanOrEqual(most);
  });

  test('is the same for ever: another one would re-map every client', () => {
    const table = build(keysOf(3), [1, 2, 3]);
    expect([...table.subarray(0, 12)]).toEqual([1, 0, 2, 0, 2, 2, 0, 2, 2, 2, 2, 1]);
  });
});

describe.skipIf(addon === undefined)('the addon', () => {
  test.each([
    { weights: [1] },
    { weights: [1, 1, 1] },
    { weights: [1, 1000] },
    { weights: Array.from({ length: 300 }, (_, i) => 1 + ((i * 37) % 1000)) },
  ])('builds the identical table for $weights.length endpoints', ({ weights }) => {
    const keys = keysOf(weights.length);
    expect(buildMaglevTable(keys, Uint32Array.from(weights))).toEqual(build(keys, weights));
  });

  test('looks up one hash and many alike', () => {
    const table = build(keysOf(5));
    const hashes = Uint32Array.of(0, 1, MAGLEV_SLOTS - 1, MAGLEV_SLOTS, 0xffffffff);
    const endpoints = new Uint16Array(hashes.length);
    addon!.maglevLookupBatch(table, hashes, endpoints);
    expect([...endpoints]).toEqual([...hashes].map((hash) => table[hash % MAGLEV_SLOTS]));
    expect([...hashes].map((hash) => addon!.maglevLookup(table, hash))).toEqual([...endpoints]);
  });
});
