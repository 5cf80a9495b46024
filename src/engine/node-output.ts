import type { Socket } from 'node:net';

/** Most bytes handed to a socket in one write, so that progress on a slow connection is seen in steps of this size. */
const WRITE_BYTES = 64 * 1024;
/** Most bytes that wait for the socket; a shard that sends more does not heed back-pressure. */
export const PENDING_MAX_BYTES = 1024 * 1024;

export interface OutputOwner {
  /** The kernel took bytes. */
  onSent(byteCount: number): void;
  /** Nothing is pending any more. */
  onDrained(): void;
}

/**
 * What a connection still has to send, in order. Kept here and not in the socket's own queue: it survives a failed dial, and what the
 * kernel has not taken is known exactly. Holds bytes from before the connection is made.
 */
export class Output {
  readonly #owner: OutputOwner;
  #socket: Socket | undefined;
  #queue: Uint8Array[] = [];
  /** Bytes of the write that the socket has not finished. At most one is under way. */
  #writing = 0;
  #finAsked = false;
  /** Bytes sent by the shard that the kernel has not taken yet. */
  pendingBytes = 0;
  sentBytes = 0;

  constructor(owner: OutputOwner) {
    this.#owner = owner;
  }

  get finAsked(): boolean {
    return this.#finAsked;
  }

  /** The socket is connected: what waited goes out. */
  attach(socket: Socket): void {
    this.#socket = socket;
    this.#flush();
    if (this.#finAsked && this.pendingBytes === 0) socket.end();
  }

  /** Nothing goes out until another socket is attached. */
  detach(): void {
    this.#socket = undefined;
  }

  /** Takes over `bytes`: they must not change until they are sent. */
  send(bytes: Uint8Array): void {
    if (this.#finAsked || bytes.length === 0) return;
    this.pendingBytes += bytes.length;
    for (let at = 0; at < bytes.length; at += WRITE_BYTES) this.#queue.push(bytes.subarray(at, at + WRITE_BYTES));
    this.#flush();
  }

  /** FIN after what is pending. */
  finish(): void {
    if (this.#finAsked) return;
    this.#finAsked = true;
    if (this.pendingBytes === 0) this.#socket?.end();
  }

  /** Drops what is pending: the connection is gone. */
  abandon(): void {
    this.#socket = undefined;
    this.#queue = [];
    this.pendingBytes = 0;
  }

  #flush(): void {
    const socket = this.#socket;
    if (this.#writing > 0 || socket === undefined || this.pendingBytes === 0) return;
    while (this.#queue.length > 0) {
      const byteCount = this.#write(socket);
      if (broken(socket)) return;
      if (socket.writableLength > 0) {
        this.#writing = byteCount;
        return;
      }
      this.#taken(byteCount);
    }
    this.#drained();
  }

  /** Writes pieces up to WRITE_BYTES together, at least one. Returns how many bytes. */
  #write(socket: Socket): number {
    const queue = this.#queue;
    let byteCount = 0;
    let pieces = 0;
    while (pieces < queue.length && (pieces === 0 || byteCount + queue[pieces]!.length <= WRITE_BYTES)) {
      byteCount += queue[pieces]!.length;
      pieces += 1;
    }
    if (pieces === 1) {
      socket.write(queue[0]!, this.#onWritten);
    } else {
      socket.cork();
      for (let i = 0; i < pieces - 1; i++) socket.write(queue[i]!);
      socket.write(queue[pieces - 1]!, this.#onWritten);
      socket.uncork();
    }
    if (pieces === queue.length) queue.length = 0;
    else queue.splice(0, pieces);
    return byteCount;
  }

  /** Also comes, late, for writes that were done at once: those must not be taken for the one under way. */
  readonly #onWritten = (): void => {
    const socket = this.#socket;
    if (this.#writing === 0 || socket === undefined || broken(socket) || socket.writableLength > 0) return;
    const byteCount = this.#writing;
    this.#writing = 0;
    this.#taken(byteCount);
    if (this.#queue.length > 0) this.#flush();
    else this.#drained();
  };

  #taken(byteCount: number): void {
    this.pendingBytes -= byteCount;
    this.sentBytes += byteCount;
    this.#owner.onSent(byteCount);
  }

  #drained(): void {
    if (this.#finAsked) this.#socket?.end();
    this.#owner.onDrained();
  }
}

/** Whether writes are lost; the socket's own events say the rest. */
function broken(socket: Socket): boolean {
  return socket.destroyed || socket.errored !== null;
}
