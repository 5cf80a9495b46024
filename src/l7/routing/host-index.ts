/**
 * Which host patterns match a host. The host is hashed once, from its end, and the table is asked at each dot: the cost depends on its
 * labels, not on the number of patterns. Hot path (`find`): no allocation, no strings, no throw.
 */
import { asciiBytes, LOWER_CASE } from '../../core/bytes.ts';
import { ByteTable, HASH_BASIS, HASH_PRIME, hashBytes } from './byte-table.ts';

/** Stands for "no host pattern" among the patterns; no host is spelt so. */
export const ANY_HOST = '*';

const NO_HOST = -1;
const DOT = 0x2e;

export class HostIndex {
  /** What the last `find` found: ids of patterns, from none over the shortest wildcard to exact. */
  readonly found: Int32Array;
  count = 0;
  readonly #table: ByteTable;
  /** By id, written backwards, because a wildcard is compared from its end; `*.a.b` as `b.a.`. */
  readonly #texts: readonly Uint8Array[];
  /** The id of ANY_HOST, or -1. */
  readonly #any: number;
  readonly #maxBytes: number;

  /** An id is the place in `patterns`, which are `a.b`, `*.a.b` or ANY_HOST, each once. */
  constructor(patterns: readonly string[]) {
    this.#any = patterns.indexOf(ANY_HOST);
    this.#texts = patterns.map((pattern) => asciiBytes(pattern.replace(/^\*/, '').toLowerCase()).reverse());
    this.#table = new ByteTable(patterns.length);
    this.#texts.forEach((text, id) => {
      if (id !== this.#any) this.#table.add(hashBytes(text), id);
    });
    this.#maxBytes = this.#texts.reduce((length, text) => Math.max(length, text.length), 0);
    // At most: none, every label's wildcard, exact.
    this.found = new Int32Array(this.#maxBytes + 2);
  }

  /** Looks for the host `bytes[start, end)`, in any case, without port and trailing dot; may be empty. */
  find(bytes: Uint8Array, start: number, end: number): void {
    let count = 0;
    if (this.#any !== NO_HOST) this.found[count++] = this.#any;
    // What is longer than every pattern can still end in a wildcard's.
    const from = Math.max(start, end - this.#maxBytes);
    let hash = HASH_BASIS;
    for (let at = end - 1; at >= from; at--) {
      const byte = LOWER_CASE[bytes[at]!]!;
      hash = Math.imul(hash ^ byte, HASH_PRIME);
      // A wildcard stands for at least one label, so its dot cannot be the first byte.
      if ((at === start) !== (byte === DOT)) {
        const id = this.#idOf(bytes, at, end, hash);
        if (id !== NO_HOST) this.found[count++] = id;
      }
    }
    this.count = count;
  }

  #idOf(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const { mask, places } = this.#table;
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const entry = places[place * 2 + 1]!;
      if (entry === 0) return NO_HOST;
      if (places[place * 2] !== hash) continue;
      const text = this.#texts[entry - 1]!;
      if (text.length === end - start && endsBackwards(bytes, end, text)) return entry - 1;
    }
  }
}

function endsBackwards(bytes: Uint8Array, end: number, backwards: Uint8Array): boolean {
  for (let index = 0; index < backwards.length; index++) {
    if (LOWER_CASE[bytes[end - 1 - index]!] !== backwards[index]) return false;
  }
  return true;
}
