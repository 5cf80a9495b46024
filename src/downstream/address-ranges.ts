import { type Cidr, maskOf } from '../core/cidr.ts';
import type { ClientAddress } from './client-address.ts';

const WORDS = 4;

/** Ranges of client addresses, compiled once per plan. Hot path (`has`): no allocation, no strings. */
export class AddressRanges {
  readonly #families: Uint8Array;
  /** WORDS per range. */
  readonly #words: Int32Array;
  readonly #masks: Int32Array;

  constructor(ranges: readonly Cidr[]) {
    this.#families = Uint8Array.from(ranges, ({ family }) => family);
    this.#words = Int32Array.from(ranges.flatMap(({ words }) => words));
    this.#masks = Int32Array.from(ranges.flatMap(({ bits }) => [0, 32, 64, 96].map((before) => maskOf(bits - before))));
  }

  /** Whether the address is in one of the ranges. A client of a unix socket has no address, and is in none. */
  has(client: ClientAddress): boolean {
    for (let index = 0; index < this.#families.length; index++) {
      if (this.#families[index] === client.family && this.#contains(index * WORDS, client)) return true;
    }
    return false;
  }

  #contains(at: number, client: ClientAddress): boolean {
    const words = this.#words;
    const masks = this.#masks;
    return (
      ((client.word0 ^ words[at]!) & masks[at]!) === 0 &&
      ((client.word1 ^ words[at + 1]!) & masks[at + 1]!) === 0 &&
      ((client.word2 ^ words[at + 2]!) & masks[at + 2]!) === 0 &&
      ((client.word3 ^ words[at + 3]!) & masks[at + 3]!) === 0
    );
  }
}
