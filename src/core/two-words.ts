/** Counts beyond 32 bits that travel as two words. Exact up to 2^53. */

const TWO_POW_32 = 4_294_967_296;

export function lowWord(count: number): number {
  return count | 0;
}

export function highWord(count: number): number {
  return Math.floor(count / TWO_POW_32);
}

/** The count that two words make. */
export function fromWords(low: number, high: number): number {
  return (low >>> 0) + high * TWO_POW_32;
}
