import type { Socket } from 'node:net';
import type { Clock } from '../core/clock.ts';
import type { Deadlines, Timed } from './node-deadlines.ts';
import type { Output } from './node-output.ts';
import { FLUSH_MAX_MS, LINGER_MAX_BYTES } from './protocol.ts';

/**
 * What is left of a connection that the shard closed: bytes that have not left yet, then perhaps a peer that must be heard out before the
 * socket closes, or the kernel would answer it with a reset that destroys the answer (RFC 9112 section 9.6).
 */
export class Closing implements Timed {
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #socket: Socket;
  readonly #output: Output;
  readonly #lingerMs: number;
  #dueMs = 0;
  #discardedBytes = 0;

  constructor(clock: Clock, deadlines: Deadlines, socket: Socket, output: Output, lingerMs: number) {
    this.#clock = clock;
    this.#deadlines = deadlines;
    this.#socket = socket;
    this.#output = output;
    this.#lingerMs = lingerMs;
  }

  begin(): void {
    if (this.#lingerMs > 0) this.#socket.resume();
    else this.#socket.pause();
    if (this.#output.pendingBytes === 0) this.onFlushed();
    else this.#wait(FLUSH_MAX_MS);
  }

  /** Everything has left. */
  onFlushed(): void {
    if (this.#lingerMs === 0 || this.#discardedBytes > LINGER_MAX_BYTES) {
      this.#socket.destroy();
      return;
    }
    this.#output.finish();
    this.#wait(this.#lingerMs);
  }

  /** The peer sent something that nobody reads. */
  onReceived(byteCount: number): void {
    this.#discardedBytes += byteCount;
    if (this.#discardedBytes <= LINGER_MAX_BYTES) return;
    if (this.#output.pendingBytes === 0) this.#socket.destroy();
    else this.#socket.pause();
  }

  /** The socket has closed. */
  stop(): void {
    this.#deadlines.forget(this);
  }

  dueAtMs(): number {
    return this.#dueMs;
  }

  onDue(): void {
    this.#output.abandon();
    this.#socket.destroy();
  }

  #wait(ms: number): void {
    this.#dueMs = this.#clock.nowMs() + ms;
    this.#deadlines.watch(this);
  }
}
