/**
 * Hands each event of a round to the handler that owns the connection. One per shard. Hot path: no allocation, no closures.
 */

import { ownMs, systemClock } from '../core/clock.ts';
import { invariant } from '../core/invariant.ts';
import { fromWords } from '../core/two-words.ts';
import { CommandWriter } from './command-writer.ts';
import type { AcceptHandler, ConnectionHandler } from './connection-handler.ts';
import { Constants } from './constants.ts';
import type { Engine } from './engine.ts';
import { Counter, EVENT_WORDS, Event, INDEX_MASK } from './protocol.ts';
import { Scratch } from './scratch.ts';

const LISTENER_MASK = 0xffff;
const FAMILY_SHIFT = 16;
const ERRNO_SHIFT = 8;
const REASON_MASK = 0xff;
/** `Date.now` is a call that V8 does not compile. */
const WALL_AGE_MAX_MS = 100;

/** What a connection holds while it lives, where somebody counts it. */
export interface Lease {
  /** The connection has ended, and its peer has been told. Called between turns. */
  release(): void;
}

export class Dispatcher {
  readonly engine: Engine;
  readonly commands: CommandWriter;
  readonly scratch: Scratch;
  readonly constants: Constants;
  /** Handler by connection index. Index and generation are checked by the engine; a slot here is cleared before it is used again. */
  readonly #handlers: (ConnectionHandler | undefined)[] = [];
  readonly #acceptors: (AcceptHandler | undefined)[] = [];
  /** By connection id; of most connections there is none. */
  readonly #leases = new Map<number, Lease>();
  #endedLeases: Lease[] = [];
  /** Counts rounds, so that an owner can tell events of this round from what it asked for in it. */
  round = 0;
  /** By how much the clock of the wall is ahead of `nowMs`, and when that is to be looked at again. */
  #wallAheadMs = 0.5;
  #wallDueMs = Number.NEGATIVE_INFINITY;

  constructor(engine: Engine) {
    this.engine = engine;
    this.commands = new CommandWriter(engine);
    this.scratch = new Scratch(engine.slab);
    this.constants = new Constants(engine.slab);
  }

  start(): void {
    this.engine.start((eventCount) => this.#round(eventCount));
  }

  /** Monotonic milliseconds with their fractions, as the engine read them for this round: looking at a clock from here is a call. */
  get nowMs(): number {
    return ownMs(this.sharedNowMs);
  }

  /** As `nowMs`, on the clock that all threads share. */
  get sharedNowMs(): number {
    return this.engine.counters[Counter.NOW_MS]!;
  }

  /** Milliseconds since the epoch, as `nowMs`; when somebody sets the clock, that is seen within WALL_AGE_MAX_MS. */
  get wallMs(): number {
    const { nowMs } = this;
    if (nowMs >= this.#wallDueMs) {
      this.#wallDueMs = nowMs + WALL_AGE_MAX_MS;
      this.#wallAheadMs = systemClock.wallMs() - nowMs;
    }
    return nowMs + this.#wallAheadMs;
  }

  /** Gives the connection an owner; replaces the one before. */
  bind(id: number, handler: ConnectionHandler): void {
    const index = id & INDEX_MASK;
    const handlers = this.#handlers;
    while (handlers.length <= index) handlers.push(undefined);
    handlers[index] = handler;
  }

  /** Call when closing or resetting a connection: its later events of this round are dropped. */
  unbind(id: number): void {
    this.#handlers[id & INDEX_MASK] = undefined;
    if (this.#leases.size > 0) this.#endLease(id);
  }

  /** Counts the connection from now on until it has ended. */
  lease(id: number, lease: Lease): void {
    this.#leases.set(id, lease);
  }

  /** Hands over the lease of a connection that is about to end, to another one or to the caller. */
  takeLease(id: number): Lease | undefined {
    const lease = this.#leases.get(id);
    this.#leases.delete(id);
    return lease;
  }

  /** Only once the order to close has been carried out is the connection gone for its peer as well. */
  #endLease(id: number): void {
    const lease = this.takeLease(id);
    if (lease === undefined) return;
    this.#endedLeases.push(lease);
    if (this.#endedLeases.length === 1) setImmediate(() => this.#releaseEnded());
  }

  #releaseEnded(): void {
    const ended = this.#endedLeases;
    this.#endedLeases = [];
    this.commands.flush();
    for (const lease of ended) lease.release();
    this.commands.flush();
  }

  handlerOf(id: number): ConnectionHandler | undefined {
    return this.#handlers[id & INDEX_MASK];
  }

  /** Makes sure that the round's scratch has room for `length` bytes more. Not while a SEND is open: what was written so far may go now. */
  reserveScratch(length: number): void {
    if (this.scratch.room >= length) return;
    this.commands.spill();
    this.scratch.reset();
  }

  bindListener(slot: number, acceptor: AcceptHandler | undefined): void {
    while (this.#acceptors.length <= slot) this.#acceptors.push(undefined);
    this.#acceptors[slot] = acceptor;
  }

  #round(eventCount: number): number {
    this.scratch.reset();
    this.round = (this.round + 1) | 0;
    const events = this.engine.events;
    const end = eventCount * EVENT_WORDS;
    for (let at = 0; at < end; at += EVENT_WORDS) {
      if (events[at] === Event.ACCEPTED) this.#accepted(events, at);
      else this.#dispatch(events, at);
    }
    return this.commands.take();
  }

  #accepted(events: Int32Array, at: number): void {
    const id = events[at + 1]!;
    const word = events[at + 2]!;
    const acceptor = this.#acceptors[word & LISTENER_MASK];
    if (acceptor === undefined) this.commands.reset(id);
    else acceptor.onAccepted(id, word >>> FAMILY_SHIFT, events[at + 3]!, at + 4);
  }

  #dispatch(events: Int32Array, at: number): void {
    const id = events[at + 1]!;
    const handler = this.#handlers[id & INDEX_MASK];
    // An owner that closed its connection earlier in this round has unbound it.
    if (handler === undefined) return;
    const a = events[at + 2]!;
    switch (events[at]) {
      case Event.DATA:
        handler.onData(id, a, events[at + 3]!, events[at + 4] === 1);
        return;
      case Event.CONNECTED:
        handler.onConnected(id);
        return;
      case Event.CONNECT_FAILED:
        handler.onConnectFailed(id, a);
        return;
      case Event.RELAY_DONE:
        handler.onRelayDone(id, a);
        return;
      case Event.END:
        handler.onEnd(id);
        return;
      case Event.CLOSED:
        this.#handlers[id & INDEX_MASK] = undefined;
        handler.onClosed(id, a, wide(events, at + 3), wide(events, at + 5));
        // Last: the owner may hand its lease to a connection in place of this one.
        if (this.#leases.size > 0) this.#endLease(id);
        return;
      case Event.DEADLINE:
        handler.onDeadline(id);
        return;
      case Event.TUNNEL_CLOSED:
        this.#tunnelClosed(handler, events, at);
        return;
      case Event.SECURED:
        handler.onSecured?.(id, a, events[at + 3]!);
        return;
      default:
        invariant(false, `unknown event ${events[at]}`);
    }
  }

  #tunnelClosed(handler: ConnectionHandler, events: Int32Array, at: number): void {
    const first = events[at + 1]!;
    const second = events[at + 2]!;
    const word = events[at + 3]!;
    this.unbind(first);
    this.unbind(second);
    const reason = word & REASON_MASK;
    handler.onTunnelClosed(first, second, reason, word >> ERRNO_SHIFT, wide(events, at + 4), wide(events, at + 6));
  }
}

/** A 64-bit count in two words, low first. Exact up to 2^53. */
function wide(events: Int32Array, at: number): number {
  return fromWords(events[at]!, events[at + 1]!);
}
