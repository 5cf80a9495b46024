import { mixHash } from './hash.ts';

const TWO_POW_32 = 4_294_967_296;

/**
 * Random numbers for choosing endpoints: xorshift32 (Marsaglia, "Xorshift RNGs", 2003). A few instructions, no allocation, repeatable from
 * its seed. Not for secrets.
 */
export class Random {
  #state: number;

  constructor(seed: number) {
    // The state must not be 0, where xorshift stands still.
    this.#state = mixHash(seed) || 1;
  }

  /** A whole number from 0 to `limit` - 1. `limit` is 1 to 2^32. */
  below(limit: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return Math.floor(((state >>> 0) / TWO_POW_32) * limit);
  }
}
