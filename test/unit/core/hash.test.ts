import { describe, expect, test } from 'vitest';
import { hashText, hashWord, mixHash } from '../../../src/core/hash.ts';
import { Random } from '../../../src/core/random.ts';

function bitsSet(value: number): number {
  let count = 0;
  for (let rest = value >>> 0; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

describe('hash', () => {
  test('gives unsigned 32-bit numbers, the same for ever', () => {
    expect(mixHash(1)).toBe(0x514e28b7);
    expect(mixHash(0)).toBe(0);
    expect([hashText('', 0), hashText('10.0.0.1:9000', 1), hashText('10.0.0.1:9000', 2)]).toEqual([
      0, 3103656166, 3298273125,
    ]);
  });

  test('changes about half of its bits with each bit of a word', () => {
    let changed = 0;
    for (let bit = 0; bit < 32; bit++) {
      for (let word = 0; word < 64; word++) {
        const hash = mixHash(hashWord(4, word * 0x01010101));
        changed += bitsSet(hash ^ mixHash(hashWord(4, (word * 0x01010101) ^ (1 << bit))));
      }
    }
    expect(changed / (32 * 64)).toBeGreaterThan(15);
    expect(changed / (32 * 64)).toBeLessThan(17);
  });

  test('spreads neighbouring addresses evenly over few endpoints', () => {
    const counts = new Array<number>(7).fill(0);
    for (let address = 0; address < 7000; address++) counts[mixHash(hashWord(4, 0x0a000000 + address)) % 7]! += 1;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(120);
  });
});

describe('random', () => {
  test('repeats itself from the same seed, and not from another', () => {
    const draw = (seed: number) => {
      const random = new Random(seed);
      return Array.from({ length: 8 }, () => random.below(1000));
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });

  test('stays below its limit and reaches all of it, evenly', () => {
    const random = new Random(0);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) counts[random.below(10)]! += 1;
    expect(counts).toHaveLength(10);
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(120);
  });
});
