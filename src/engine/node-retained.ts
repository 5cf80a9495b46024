import { RETAIN_MAX_BYTES } from './protocol.ts';

/** What was sent to a connection and may have to be sent to another one (SEND_RETAIN). All of it or nothing: never with a hole. */
export class Retained {
  #pieces: Uint8Array[] = [];
  #byteCount = 0;

  /** Beyond RETAIN_MAX_BYTES it keeps nothing, and no more until it is released. */
  keep(bytes: Uint8Array): void {
    this.#byteCount += bytes.length;
    if (this.#byteCount <= RETAIN_MAX_BYTES) this.#pieces.push(bytes);
    else this.#pieces = [];
  }

  release(): void {
    if (this.#byteCount === 0) return;
    this.#pieces = [];
    this.#byteCount = 0;
  }

  /** Hands over what is kept. */
  take(): readonly Uint8Array[] {
    const pieces = this.#pieces;
    this.release();
    return pieces;
  }
}
