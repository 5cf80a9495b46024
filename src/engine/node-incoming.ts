import type { Socket } from 'node:net';

/**
 * Beyond this a socket is not read. Below it it is, even when nobody may have the bytes yet: Node notices FIN and resets only by reading.
 * Node itself may hold one more chunk of 64 KiB and its high-water mark.
 */
const READ_AHEAD_BYTES = 64 * 1024;

/** What a connection received and nobody took yet: held bytes first, then new ones in the order they came. */
export class Incoming {
  #held: Uint8Array | undefined;
  #chunks: Uint8Array[] = [];
  #stopped = false;
  newBytes = 0;

  get heldBytes(): number {
    return this.#held === undefined ? 0 : this.#held.length;
  }

  get empty(): boolean {
    return this.newBytes === 0 && this.#held === undefined;
  }

  add(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.newBytes += chunk.length;
  }

  /** Replaces what is held. Takes over `bytes`. */
  hold(bytes: Uint8Array): void {
    this.#held = bytes.length === 0 ? undefined : bytes;
  }

  /** The next piece of at most `limit` bytes; undefined if there is none. */
  take(limit: number): Uint8Array | undefined {
    const held = this.#held;
    if (held !== undefined) {
      this.#held = held.length > limit ? held.subarray(limit) : undefined;
      return held.length > limit ? held.subarray(0, limit) : held;
    }
    const first = this.#chunks[0];
    if (first === undefined) return undefined;
    if (first.length > limit) {
      this.#chunks[0] = first.subarray(limit);
      this.newBytes -= limit;
      return first.subarray(0, limit);
    }
    this.#chunks.shift();
    this.newBytes -= first.length;
    return first;
  }

  /** Stops reading the socket while too much waits, and reads again when it does not. */
  throttle(socket: Socket): void {
    const stops = this.newBytes >= READ_AHEAD_BYTES;
    if (stops === this.#stopped) return;
    this.#stopped = stops;
    if (stops) socket.pause();
    else socket.resume();
  }
}
