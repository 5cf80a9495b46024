/**
 * Bump allocator over the slab's scratch part: bytes the shard writes for this round only (a client's address, a chunk size). Reset by the
 * dispatcher when a round begins. Hot path: no allocation, no strings but where asked.
 */
import { SCRATCH_BYTES, SCRATCH_OFFSET } from './protocol.ts';

const SCRATCH_END = SCRATCH_OFFSET + SCRATCH_BYTES;

export class Scratch {
  readonly bytes: Uint8Array;
  #at = SCRATCH_OFFSET;

  constructor(slab: Uint8Array) {
    this.bytes = slab;
  }

  reset(): void {
    this.#at = SCRATCH_OFFSET;
  }

  /** Where `length` bytes may be written, or -1 when the round has used up its scratch: the caller submits its commands, which copies or
   *  sends what they name, and calls reset. */
  take(length: number): number {
    const offset = this.#at;
    if (offset + length > SCRATCH_END) return -1;
    this.#at = offset + length;
    return offset;
  }
}
