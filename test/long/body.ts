/**
 * Bodies that both ends can make from an id alone: the bytes of one endless random sequence, from a place that the id decides. A byte that
 * belongs to another id, is missing, doubled or in the wrong place is found by comparison; no digest could tell more.
 */

/** A prime, so that no power of two, such as the size of a buffer or a pipe, leads back to the same bytes. */
const SEQUENCE_BYTES = 2_097_143;
const SEED = 0x4707;

const sequence = makeSequence();

/** mulberry32, a byte at a time. */
function makeSequence(): Buffer {
  const bytes = Buffer.allocUnsafe(SEQUENCE_BYTES);
  let state = SEED;
  for (let at = 0; at < SEQUENCE_BYTES; at++) {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    bytes[at] = mixed >>> 14;
  }
  return bytes;
}

/** Where the body of an id begins: FNV-1a. */
function beginning(id: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % SEQUENCE_BYTES;
}

/** Bytes `[from, from + length)` of the body of `id`, or fewer, but at least one. Borrowed: do not write to them. */
export function pieceOfBody(id: string, from: number, length: number): Buffer {
  const at = (beginning(id) + from) % SEQUENCE_BYTES;
  return sequence.subarray(at, Math.min(at + length, SEQUENCE_BYTES));
}

/** The body of `id` in pieces of at most `pieceBytes`. */
export function* bodyOf(id: string, size: number, pieceBytes = 64 * 1024): Generator<Buffer> {
  for (let from = 0; from < size; ) {
    const piece = pieceOfBody(id, from, Math.min(pieceBytes, size - from));
    yield piece;
    from += piece.length;
  }
}

/** Compares a body with what it has to be, while it comes. */
export class BodyCheck {
  readonly #id: string;
  byteCount = 0;
  /** Place of the first piece with a wrong byte; -1 while all are right. */
  wrongAt = -1;

  constructor(id: string) {
    this.#id = id;
  }

  take(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const wanted = pieceOfBody(this.#id, this.byteCount, bytes.length - at);
      const isRight = bytes.compare(wanted, 0, wanted.length, at, at + wanted.length) === 0;
      if (!isRight && this.wrongAt < 0) this.wrongAt = this.byteCount;
      this.byteCount += wanted.length;
      at += wanted.length;
    }
  }

  /** What is wrong with a body that should have had `size` bytes; '' if nothing is. */
  problem(size: number): string {
    if (this.wrongAt >= 0) return `wrong bytes in the piece at ${this.wrongAt}`;
    return this.byteCount === size ? '' : `${this.byteCount} bytes instead of ${size}`;
  }
}
