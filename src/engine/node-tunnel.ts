import { constants } from 'node:os';
import { highWord, lowWord } from '../core/two-words.ts';
import type { ConnectionHost, NodeConnection } from './node-connection.ts';
import type { Timed } from './node-deadlines.ts';
import type { Round } from './node-round.ts';
import { Event, TunnelEnd } from './protocol.ts';

const ERRNO_SHIFT = 8;

/** Two connections that pass everything on to each other, until both have ended or one has failed. */
export class NodeTunnel implements Timed {
  readonly first: NodeConnection;
  readonly second: NodeConnection;
  readonly #host: ConnectionHost;
  readonly #idleMs: number;
  #forwardBytes = 0;
  #backBytes = 0;
  #endsClosed = 0;
  /** Reason and errno of the last record, or -1 while the tunnel lives. */
  #outcome = -1;
  #told = false;

  constructor(host: ConnectionHost, first: NodeConnection, second: NodeConnection, idleMs: number) {
    this.#host = host;
    this.first = first;
    this.second = second;
    this.#idleMs = idleMs;
  }

  begin(): void {
    // The idle time begins now, whenever the last byte came.
    this.first.lastActivityMs = this.#host.clock.nowMs();
    this.first.enterTunnel(this);
    this.second.enterTunnel(this);
    if (this.#idleMs > 0) this.#host.deadlines.watch(this);
    this.first.beginTunnel(this);
    this.second.beginTunnel(this);
  }

  get over(): boolean {
    return this.#outcome >= 0;
  }

  otherThan(end: NodeConnection): NodeConnection {
    return end === this.first ? this.second : this.first;
  }

  count(source: NodeConnection, byteCount: number): void {
    if (source === this.first) this.#forwardBytes += byteCount;
    else this.#backBytes += byteCount;
  }

  /** An end's socket is gone: because both directions ended, or by failure, which the other end is to feel. */
  onSocketClosed(end: NodeConnection, errno: number): void {
    if (this.over) return;
    if (errno !== 0) {
      this.otherThan(end).cut(true);
      this.#finish((end === this.first ? TunnelEnd.FIRST_FAILED : TunnelEnd.SECOND_FAILED) | (errno << ERRNO_SHIFT));
      return;
    }
    this.#endsClosed += 1;
    if (this.#endsClosed === 2) this.#finish(TunnelEnd.CLEAN);
  }

  /** The shard closed one end: no record. */
  abandon(): void {
    this.#outcome = TunnelEnd.ORDERED;
    this.#told = true;
    this.#host.deadlines.forget(this);
  }

  dueAtMs(): number {
    return Math.max(this.first.lastActivityMs, this.second.lastActivityMs) + this.#idleMs;
  }

  onDue(): void {
    this.first.cut(false);
    this.second.cut(false);
    this.#finish(TunnelEnd.IDLE | (constants.errno.ETIMEDOUT << ERRNO_SHIFT));
  }

  tell(round: Round): void {
    if (!this.over || this.#told) return;
    this.#told = true;
    const forward = this.#forwardBytes;
    const back = this.#backBytes;
    round.tell(
      Event.TUNNEL_CLOSED,
      this.first.id,
      this.second.id,
      this.#outcome,
      lowWord(forward),
      highWord(forward),
      lowWord(back),
      highWord(back),
    );
    this.first.retire();
    this.second.retire();
  }

  #finish(outcome: number): void {
    this.#outcome = outcome;
    this.#host.deadlines.forget(this);
    this.#host.wake(this.first);
  }
}
