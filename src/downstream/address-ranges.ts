import { type Cidr, maskOf } from '../core/cidr.ts';
import type { IpWords } from '../core/ip-address.ts';

const WORDS = 4;
const WORD_BITS = 32;
/** A range: its first and its last address. */
const RANGE_WORDS = 2 * WORDS;

/**
 * Ranges of client addresses, compiled once per plan: sorted and apart, so that a lookup is one binary search however many there are.
 * Hot path (`has`): no allocation, no strings.
 */
export class AddressRanges {
  /** RANGE_WORDS each, in order. */
  readonly #ranges4: Uint32Array;
  readonly #ranges6: Uint32Array;

  constructor(ranges: readonly Cidr[]) {
    this.#ranges4 = compile(ranges.filter(({ family }) => family === 4));
    this.#ranges6 = compile(ranges.filter(({ family }) => family === 6));
  }

  /** Whether the address is in one of the ranges. A client of a unix socket has no address, and is in none. */
  has(client: Readonly<IpWords>): boolean {
    if (client.family === 0) return false;
    const ranges = client.family === 4 ? this.#ranges4 : this.#ranges6;
    let low = 0;
    let high = ranges.length / RANGE_WORDS;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(client, ranges, middle * RANGE_WORDS) < 0) high = middle;
      else if (compare(client, ranges, middle * RANGE_WORDS + WORDS) > 0) low = middle + 1;
      else return true;
    }
    return false;
  }
}

/** Below 0, 0 or above it: the client's address against the one at `at`. */
function compare(client: Readonly<IpWords>, ranges: Uint32Array, at: number): number {
  return (
    (client.word0 >>> 0) - ranges[at]! ||
    (client.word1 >>> 0) - ranges[at + 1]! ||
    (client.word2 >>> 0) - ranges[at + 2]! ||
    (client.word3 >>> 0) - ranges[at + 3]!
  );
}

/** Two ranges are either apart, or one lies in the other, which then begins first or is the larger one. */
function compile(ranges: readonly Cidr[]): Uint32Array {
  const sorted = [...ranges].sort((a, b) => compareWords(a.words, b.words) || a.bits - b.bits);
  const flat: number[] = [];
  for (const { words, bits } of sorted) {
    const isInside = flat.length > 0 && compareWords(words, flat.slice(-WORDS)) <= 0;
    if (isInside) continue;
    flat.push(...words, ...words.map((word, index) => word | ~maskOf(bits - index * WORD_BITS)));
  }
  return Uint32Array.from(flat);
}

function compareWords(a: readonly number[], b: readonly number[]): number {
  for (const [index, word] of a.entries()) if (word !== b[index]) return (word >>> 0) - (b[index]! >>> 0);
  return 0;
}
