/** Byte strings by their hash: what a lookup asks instead of comparing one route after the other. */

/** FNV-1a, 32 bits. What is looked up comes from the configuration alone, so no request can make a chain of collisions longer. */
export const HASH_BASIS = 0x811c9dc5 | 0;
export const HASH_PRIME = 0x01000193;

/** Of `bytes[start, end)`. */
export function hashBytes(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let hash = HASH_BASIS;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, HASH_PRIME);
  return hash;
}

/**
 * An open-addressed table: two words per place, the hash and the entry's number plus one. Half of the places stay empty, so a search ends
 * soon. Whoever searches walks the places itself, because only it can tell whether an entry is the one it means:
 *
 *     for (let place = hash & mask; places[place * 2 + 1] !== 0; place = (place + 1) & mask) …
 */
export class ByteTable {
  readonly mask: number;
  readonly places: Int32Array;

  /** `count`: entries that will be added at most. */
  constructor(count: number) {
    this.mask = 2 ** Math.ceil(Math.log2(count * 2 + 2)) - 1;
    this.places = new Int32Array((this.mask + 1) * 2);
  }

  add(hash: number, entry: number): void {
    let place = hash & this.mask;
    while (this.places[place * 2 + 1] !== 0) place = (place + 1) & this.mask;
    this.places[place * 2] = hash;
    this.places[place * 2 + 1] = entry + 1;
  }
}
