/**
 * Bump allocator over the slab's scratch part: bytes the shard writes for this round only (a client's address, a chunk size). Reset by the
 * dispatcher when a round begins. Hot path: no allocation, no strings but where asked.
 */
import { invariant } from '../core/invariant.ts';
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

  /** Bytes that are left. */
  get room(): number {
    return SCRATCH_END - this.#at;
  }

  /** Where `length` bytes may be written. The caller has made sure of the room: see `Dispatcher.reserveScratch`. */
  take(length: number): number {
    const offset = this.#at;
    invariant(offset + length <= SCRATCH_END, 'the scratch of a round is used up');
    this.#at = offset + length;
    return offset;
  }
}
