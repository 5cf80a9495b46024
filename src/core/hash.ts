/**
 * A 32-bit hash for spreading keys over endpoints: the mixing steps of MurmurHash3 (Austin Appleby, public domain), which change about
 * half of the output's bits for each bit of input. Not for secrets: a client that knows it can choose its endpoint, as it can with its address.
 * All results are unsigned 32-bit numbers, the same on every machine and in every version: changing them re-maps every client.
 */

const FIRST_FACTOR = 0xcc9e2d51;
const SECOND_FACTOR = 0x1b873593;

/** Takes one 32-bit word into a hash under way. Finish with `mixHash`. */
export function hashWord(hash: number, word: number): number {
  const spread = Math.imul(word, FIRST_FACTOR);
  const mixed = hash ^ Math.imul((spread << 15) | (spread >>> 17), SECOND_FACTOR);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

/** Spreads every bit of a number over all 32. */
export function mixHash(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Hash of a text by its UTF-16 code units. Different seeds give independent hashes. */
export function hashText(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = hashWord(hash, text.charCodeAt(i));
  return mixHash(hash ^ text.length);
}

/** Hash of `bytes[start, end)`. Hot path: no allocation. */
export function hashBytes(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = seed;
  for (let at = start; at < end; at++) hash = hashWord(hash, bytes[at]!);
  return mixHash(hash ^ (end - start));
}
