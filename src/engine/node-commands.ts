import { invariant } from '../core/invariant.ts';
import { fromWords } from '../core/two-words.ts';
import type { ConnectionHost, NodeConnection } from './node-connection.ts';
import type { ConnectionTable } from './node-connection-table.ts';
import { NodeTunnel } from './node-tunnel.ts';
import { Command, RELAY_UNTIL_END, SEND_RETAIN } from './protocol.ts';

const SEND_HEAD_WORDS = 5;
const PLAIN_WORDS = 5;

/** Reads the shard's commands and has the connections do them. What names a stale id does nothing. */
export class CommandRunner {
  /** The slab, as a Buffer for its `copy`. */
  readonly #slab: Buffer;
  readonly #words: Int32Array;
  readonly #table: ConnectionTable<NodeConnection>;
  readonly #host: ConnectionHost;

  constructor(slab: Uint8Array, words: Int32Array, table: ConnectionTable<NodeConnection>, host: ConnectionHost) {
    this.#slab = Buffer.from(slab.buffer, slab.byteOffset, slab.byteLength);
    this.#words = words;
    this.#table = table;
    this.#host = host;
  }

  run(length: number): void {
    const words = this.#words;
    let at = 0;
    while (at < length) {
      if (words[at] === Command.SEND) {
        this.#send(at);
        at += SEND_HEAD_WORDS + 2 * words[at + 4]!;
      } else {
        this.#plain(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!, words[at + 4]!);
        at += PLAIN_WORDS;
      }
    }
    invariant(at === length, 'commands end within one');
  }

  #send(at: number): void {
    const words = this.#words;
    const connection = this.#live(words[at + 1]!);
    if (connection === undefined || connection.tunnel !== undefined) return;
    // Copied once: the ranges are gone after the round, and the socket may need longer.
    connection.send(this.#gather(at + SEND_HEAD_WORDS, words[at + 4]!), (words[at + 3]! & SEND_RETAIN) !== 0);
    const source = this.#live(words[at + 2]!);
    if (source !== undefined) connection.blocks(source);
  }

  #gather(at: number, count: number): Buffer {
    const words = this.#words;
    let total = 0;
    for (let i = 0; i < count; i++) total += words[at + 2 * i + 1]!;
    const bytes = Buffer.allocUnsafe(total);
    let filled = 0;
    for (let i = 0; i < count; i++) {
      const offset = words[at + 2 * i]!;
      filled += this.#slab.copy(bytes, filled, offset, offset + words[at + 2 * i + 1]!);
    }
    invariant(filled === total, 'a range lies outside the slab');
    return bytes;
  }

  #live(id: number): NodeConnection | undefined {
    const connection = this.#table.get(id);
    return connection?.alive ? connection : undefined;
  }

  #plain(op: number, id: number, a: number, b: number, c: number): void {
    if (op === Command.REPLAY) {
      this.#replay(id, a);
      return;
    }
    const connection = this.#live(id);
    if (connection === undefined) {
      invariant(op > Command.SEND && op <= Command.SECURE, `no such command: ${op}`);
      return;
    }
    if (op === Command.CLOSE || op === Command.RESET) this.#remove(connection, op, a);
    else if (connection.tunnel === undefined) this.#order(op, connection, a, b, c);
  }

  /** Commands to a connection that is not part of a tunnel: a tunnel takes none of them. */
  #order(op: number, connection: NodeConnection, a: number, b: number, c: number): void {
    switch (op) {
      case Command.RELAY: {
        const sink = this.#live(a);
        const byteCount = b === RELAY_UNTIL_END && c === RELAY_UNTIL_END ? Number.POSITIVE_INFINITY : fromWords(b, c);
        if (sink !== undefined) connection.relay(sink, byteCount);
        return;
      }
      case Command.TUNNEL:
        this.#tunnel(connection, a, b);
        return;
      case Command.HOLD:
        connection.hold(Buffer.from(this.#slab.subarray(a, a + b)));
        return;
      case Command.PAUSE:
        connection.pause();
        return;
      case Command.RESUME:
        connection.resume(a === 1);
        return;
      case Command.DEADLINE:
        connection.setDeadline(a, b);
        return;
      case Command.HALF_CLOSE:
        connection.halfClose();
        return;
      case Command.SECURE:
        this.#host.secure(connection, a, Buffer.from(this.#slab.subarray(b, b + c)));
        return;
      case Command.RELEASE:
        connection.retained.release();
        return;
      default:
        invariant(false, `no such command: ${op}`);
    }
  }

  #tunnel(first: NodeConnection, secondId: number, idleMs: number): void {
    const second = this.#live(secondId);
    if (second === undefined || second === first || second.tunnel !== undefined) return;
    if (first.connected && second.connected) new NodeTunnel(this.#host, first, second, idleMs).begin();
  }

  /** Valid for an id whose CLOSED was told in this round, too. */
  #replay(fromId: number, toId: number): void {
    const from = this.#table.get(fromId);
    const to = this.#live(toId);
    if (from === undefined || to === undefined || from === to) return;
    for (const bytes of from.retained.take()) to.send(bytes, true);
  }

  #remove(connection: NodeConnection, op: number, lingerMs: number): void {
    const tunnel = connection.tunnel;
    if (tunnel === undefined) {
      this.#removeOne(connection, op, lingerMs);
      return;
    }
    tunnel.abandon();
    this.#removeOne(tunnel.first, op, lingerMs);
    this.#removeOne(tunnel.second, op, lingerMs);
  }

  #removeOne(connection: NodeConnection, op: number, lingerMs: number): void {
    this.#table.remove(connection.id);
    if (op === Command.RESET) connection.reset();
    else connection.close(lingerMs);
  }
}
