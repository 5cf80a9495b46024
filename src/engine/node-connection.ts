import type { Socket } from 'node:net';
import { constants } from 'node:os';
import type { Clock } from '../core/clock.ts';
import { highWord, lowWord } from '../core/two-words.ts';
import { Closing } from './node-closing.ts';
import type { Deadlines, Timed } from './node-deadlines.ts';
import { Incoming } from './node-incoming.ts';
import { Output, PENDING_MAX_BYTES } from './node-output.ts';
import { Retained } from './node-retained.ts';
import type { Round } from './node-round.ts';
import type { NodeSecureContext } from './node-secure.ts';
import { type DialTarget, NodeTransport, type TransportOwner } from './node-transport.ts';
import type { NodeTunnel } from './node-tunnel.ts';
import { DEADLINE_IDLE, Event, HOLD_MAX_BYTES, RECEIVE_MAX_BYTES } from './protocol.ts';

/** What a connection asks of its engine. */
export interface ConnectionHost {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** The connection may have something to tell: look at it in the next round. */
  wake(connection: NodeConnection): void;
  /** The record just written was the connection's last. */
  retire(connection: NodeConnection): void;
  onSocketOpened(connection: NodeConnection, socket: Socket): void;
  onSocketClosed(connection: NodeConnection, socket: Socket): void;
  onReceived(connection: NodeConnection, byteCount: number): void;
  onSent(connection: NodeConnection, byteCount: number): void;
  onCopied(byteCount: number): void;
  /** Has the connection speak TLS with a context. */
  secure(connection: NodeConnection, context: number, bytes: Uint8Array): void;
  onHandshake(isDone: boolean, isResumed: boolean): void;
}

/** Where a connection came from. */
export interface Accepted {
  readonly listener: number;
  readonly socket: Socket;
  /** Arguments of the ACCEPTED record. */
  readonly family: 4 | 6 | 0;
  readonly port: number;
  readonly address: readonly [number, number, number, number];
}

/**
 * `unconnected`: its dial failed, the id waits for another. `closed`: the socket is gone, and the shard does not know or has not closed it
 * yet. `left`: the shard closed it, or was told that it is gone; it may still be sending what is pending.
 *
 *     connecting <--> unconnected
 *         |               |
 *         v               v
 *       open --> closed --> left
 */
type Phase = 'connecting' | 'unconnected' | 'open' | 'closed' | 'left';

interface Relay {
  readonly sink: NodeConnection;
  /** Infinity up to FIN. */
  remaining: number;
}

/** One socket, what it received and has to send, and what the shard ordered for it. */
export class NodeConnection implements Timed {
  readonly id: number;
  readonly listener: number;
  readonly output: Output;
  readonly #host: ConnectionHost;
  readonly #accepted: Accepted | undefined;
  #phase: Phase;
  /** Undefined before the first dial. A connection that waits for its next dial has that of the last one. */
  #transport: NodeTransport | undefined;
  readonly #transportOwner: TransportOwner;
  /** Record kind that comes before all others, 0 once it was told. */
  #announce: number;
  #errno = 0;

  #incoming = new Incoming();
  #receivedBytes = 0;
  /** The peer's FIN was read. */
  #ended = false;
  #endTold = false;
  #paused = false;
  #resumesWhenDrained = false;
  /** Held bytes are due although nothing new came. */
  #heldDue = false;
  /** How many outputs wait with bytes that came from here. */
  #blockers = 0;
  /** Sources that are not read while output is pending. */
  readonly #blocked = new Set<NodeConnection>();

  #relay: Relay | undefined;
  /** Id of the sink of a relay that is over but not told, or 0. */
  #relayedTo = 0;
  tunnel: NodeTunnel | undefined;

  readonly retained = new Retained();

  #deadlineMs = 0;
  #deadlineIdle = false;
  #deadlineFromMs = 0;
  #expired = false;
  lastActivityMs: number;
  /** In the engine's list of those to look at. */
  awake = false;

  #closing: Closing | undefined;

  constructor(host: ConnectionHost, id: number, accepted?: Accepted) {
    this.#host = host;
    this.id = id;
    this.#accepted = accepted;
    this.listener = accepted === undefined ? -1 : accepted.listener;
    this.lastActivityMs = host.clock.nowMs();
    this.output = new Output({ onSent: (byteCount) => this.#onSent(byteCount), onDrained: () => this.#onDrained() });
    this.#phase = accepted === undefined ? 'unconnected' : 'open';
    this.#announce = accepted === undefined ? 0 : Event.ACCEPTED;
    this.#transportOwner = {
      onWireOpened: (wire) => host.onSocketOpened(this, wire),
      onWireClosed: (wire) => host.onSocketClosed(this, wire),
      onHandshake: (isDone, isResumed) => host.onHandshake(isDone, isResumed),
      onConnected: () => {
        this.#phase = 'open';
        this.#begin(Event.CONNECTED);
      },
      onSecured: () => this.#begin(Event.SECURED),
      onData: (chunk) => this.#onData(chunk),
      onEnd: () => this.#onEnd(),
      onClosed: (errno) => this.#onClosed(errno),
    };
    if (accepted === undefined) return;
    this.#transport = NodeTransport.accepted(this.#transportOwner, accepted.socket, accepted.family === 0);
    this.output.attach(accepted.socket);
    host.wake(this);
  }

  /** Whether the shard may still name it. */
  get alive(): boolean {
    return this.#phase !== 'left';
  }

  get connected(): boolean {
    return this.#phase === 'open' || this.#phase === 'closed';
  }

  get connecting(): boolean {
    return this.#phase === 'connecting';
  }

  get unconnected(): boolean {
    return this.#phase === 'unconnected';
  }

  /** Bytes received, or -1 while it is not read. */
  get progress(): number {
    return this.#paused || this.#blockers > 0 ? -1 : this.#receivedBytes;
  }

  get socket(): Socket | undefined {
    return this.#transport?.socket;
  }

  get isUnix(): boolean {
    return this.#transport?.isUnix === true;
  }

  get secureFailure(): string {
    return this.#transport?.secureFailure ?? '';
  }

  get peerCertificate(): Uint8Array | undefined {
    return this.#transport?.peerCertificate;
  }

  // --- the socket -------------------------------------------------------------------------------------------------------------

  /** Begins to connect; gives up an attempt that is under way. */
  dial(target: DialTarget): void {
    this.#transport?.abandon();
    this.#phase = 'connecting';
    this.#announce = 0;
    this.#errno = 0;
    this.#expired = false;
    this.#transport = NodeTransport.dial(this.#transportOwner, target);
  }

  /** An accepted connection speaks TLS from now on; `bytes` are the first of what the client has sent. */
  secure(context: NodeSecureContext, bytes: Uint8Array): void {
    const transport = this.#transport;
    if (transport?.socket === undefined || transport.isSecure) return;
    const received = [bytes];
    for (let piece = this.#incoming.take(Number.POSITIVE_INFINITY); piece !== undefined; ) {
      received.push(piece);
      piece = this.#incoming.take(Number.POSITIVE_INFINITY);
    }
    this.#incoming = new Incoming();
    this.#paused = false;
    this.output.detach();
    transport.secure(context, Buffer.concat(received));
  }

  /** Bytes can be exchanged from now on; `announce` is what the shard is told of it. */
  #begin(announce: number): void {
    this.#announce = announce;
    this.lastActivityMs = this.#host.clock.nowMs();
    this.#host.wake(this);
    this.output.attach(this.socket!);
  }

  #onData(chunk: Buffer): void {
    this.#receivedBytes += chunk.length;
    this.lastActivityMs = this.#host.clock.nowMs();
    this.#host.onReceived(this, chunk.length);
    if (this.#phase === 'left') {
      this.#closing?.onReceived(chunk.length);
      return;
    }
    this.retained.release();
    this.#incoming.add(chunk);
    this.#go();
  }

  #onEnd(): void {
    this.#ended = true;
    this.#go();
  }

  #onClosed(errno: number): void {
    this.#errno = errno;
    if (this.#phase === 'left') {
      this.#closing?.stop();
      this.output.abandon();
      return;
    }
    if (this.#phase === 'connecting') {
      this.#phase = 'unconnected';
      this.#announce = Event.CONNECT_FAILED;
      this.setDeadline(0, 0);
      this.#host.wake(this);
      return;
    }
    this.#phase = 'closed';
    if (errno === 0) this.#ended = true;
    this.output.abandon();
    this.#unblockSources();
    if (this.tunnel !== undefined) this.tunnel.onSocketClosed(this, errno);
    this.#go();
  }

  #onSent(byteCount: number): void {
    this.lastActivityMs = this.#host.clock.nowMs();
    for (const source of this.#blocked) source.lastActivityMs = this.lastActivityMs;
    this.#host.onSent(this, byteCount);
  }

  #onDrained(): void {
    if (this.#closing !== undefined) {
      this.#closing.onFlushed();
      return;
    }
    this.#unblockSources();
    if (this.#resumesWhenDrained) this.resume(false);
  }

  // --- moving what was received -----------------------------------------------------------------------------------------------

  /** Looks at everything that may have become possible. */
  #go(): void {
    if (this.tunnel !== undefined) this.#forwardTunnel(this.tunnel);
    else if (this.#relay !== undefined) this.#forwardRelay(this.#relay);
    const { socket } = this;
    if (socket !== undefined) this.#incoming.throttle(socket);
    this.#host.wake(this);
  }

  get #mayRead(): boolean {
    return !this.#paused && this.#blockers === 0;
  }

  /** A sink that has failed takes nothing, and its source keeps what it has; one that was half-closed drops what it is given. */
  get #takesMore(): boolean {
    return this.output.pendingBytes === 0 && (this.#phase !== 'closed' || this.output.finAsked);
  }

  #forwardTunnel(tunnel: NodeTunnel): void {
    if (tunnel.over) return;
    const sink = tunnel.otherThan(this);
    tunnel.count(this, this.#forward(sink, Number.POSITIVE_INFINITY));
    if (this.#ended && this.#incoming.empty) sink.output.finish();
  }

  #forwardRelay(relay: Relay): void {
    if (!relay.sink.alive) {
      this.#endRelay();
      return;
    }
    relay.remaining -= this.#forward(relay.sink, relay.remaining);
    if (relay.remaining > 0) return;
    this.#relayedTo = relay.sink.id;
    this.#relay = undefined;
    this.#heldDue = this.#incoming.heldBytes > 0;
  }

  /** Moves up to `limit` bytes while the sink takes them; returns how many. */
  #forward(sink: NodeConnection, limit: number): number {
    let moved = 0;
    while (moved < limit && this.#mayRead && sink.#takesMore) {
      const piece = this.#incoming.take(limit - moved);
      if (piece === undefined) break;
      moved += piece.length;
      sink.output.send(piece);
    }
    sink.blocks(this);
    this.#host.onCopied(moved);
    return moved;
  }

  /** The sink is gone: what is left of the body is the shard's to judge, so it is kept until RESUME. */
  #endRelay(): void {
    this.#relay = undefined;
    this.#paused = true;
    this.#heldDue = false;
  }

  /** `source` is not read before the output of this connection has left. */
  blocks(source: NodeConnection): void {
    if (this.output.pendingBytes === 0 || this.#blocked.has(source)) return;
    this.#blocked.add(source);
    source.#blockers += 1;
  }

  #unblockSources(): void {
    if (this.#blocked.size === 0) return;
    const sources = [...this.#blocked];
    this.#blocked.clear();
    for (const source of sources) {
      source.#blockers -= 1;
      if (source.alive) source.#go();
    }
  }

  // --- commands ---------------------------------------------------------------------------------------------------------------

  send(bytes: Uint8Array, retains: boolean): void {
    if (this.#phase === 'closed') return;
    if (retains) this.retained.keep(bytes);
    else this.retained.release();
    this.output.send(bytes);
    if (this.output.pendingBytes > PENDING_MAX_BYTES) this.#fail(constants.errno.ENOBUFS);
  }

  relay(sink: NodeConnection, byteCount: number): void {
    this.#relay = { sink, remaining: byteCount };
    sink.retained.release();
    this.#relayedTo = 0;
    this.resume(false);
  }

  enterTunnel(tunnel: NodeTunnel): void {
    this.tunnel = tunnel;
    this.#relay = undefined;
    this.#relayedTo = 0;
    this.setDeadline(0, 0);
  }

  /** Both ends have entered. */
  beginTunnel(tunnel: NodeTunnel): void {
    if (this.#phase === 'closed') tunnel.onSocketClosed(this, this.#errno);
    this.resume(false);
  }

  /** The tunnel is over: this end goes with it, and says nothing of its own. */
  cut(withReset: boolean): void {
    this.#phase = 'closed';
    this.output.abandon();
    if (withReset) this.#transport?.reset();
    else this.#transport?.abandon();
  }

  hold(bytes: Uint8Array): void {
    if (bytes.length <= HOLD_MAX_BYTES) this.#incoming.hold(bytes);
    else this.#fail(constants.errno.ENOBUFS);
  }

  pause(): void {
    if (this.tunnel !== undefined) return;
    this.#paused = true;
    this.#heldDue = false;
    this.#resumesWhenDrained = false;
  }

  resume(whenDrained: boolean): void {
    if (this.#relay !== undefined && !this.#relay.sink.alive) this.#endRelay();
    this.#resumesWhenDrained = whenDrained && this.output.pendingBytes > 0;
    if (this.#resumesWhenDrained) {
      this.#paused = true;
      return;
    }
    this.#paused = false;
    this.#heldDue = this.#incoming.heldBytes > 0;
    this.#go();
  }

  /** ms 0 clears it. */
  setDeadline(ms: number, mode: number): void {
    this.#expired = false;
    this.#deadlineMs = ms;
    this.#deadlineIdle = mode === DEADLINE_IDLE;
    this.#deadlineFromMs = this.#host.clock.nowMs();
    if (ms > 0) this.#host.deadlines.watch(this);
    else this.#host.deadlines.forget(this);
  }

  halfClose(): void {
    this.output.finish();
  }

  /** After CLOSE: the id is gone already, the socket stays until what is pending has left. */
  close(lingerMs: number): void {
    const open = this.#phase === 'open';
    this.#leave();
    const { socket } = this;
    if (!open || socket === undefined) {
      this.#transport?.abandon();
      return;
    }
    this.#closing = new Closing(this.#host.clock, this.#host.deadlines, socket, this.output, lingerMs);
    this.#closing.begin();
  }

  reset(): void {
    this.#leave();
    this.output.abandon();
    this.#transport?.reset();
  }

  /** The last record about it was written. */
  retire(): void {
    this.#leave();
    this.#transport?.abandon();
    this.output.abandon();
    this.#host.retire(this);
  }

  #leave(): void {
    this.#phase = 'left';
    this.#host.deadlines.forget(this);
    this.#incoming = new Incoming();
    this.#relay = undefined;
    this.tunnel = undefined;
    this.#unblockSources();
  }

  #fail(errno: number): void {
    this.cut(true);
    this.#errno = errno;
    this.#incoming = new Incoming();
    this.#unblockSources();
    this.#go();
  }

  // --- deadlines --------------------------------------------------------------------------------------------------------------

  dueAtMs(): number {
    const fromMs = this.#deadlineIdle ? Math.max(this.lastActivityMs, this.#deadlineFromMs) : this.#deadlineFromMs;
    return fromMs + this.#deadlineMs;
  }

  onDue(): void {
    this.#expired = true;
    this.#host.wake(this);
  }

  // --- records ----------------------------------------------------------------------------------------------------------------

  /** Writes at most one record: what the shard orders because of it is done before there is another. False: no room in this round. */
  tell(round: Round): boolean {
    if (this.#phase === 'left') return true;
    if (this.tunnel !== undefined) {
      this.tunnel.tell(round);
      return true;
    }
    const before = round.count;
    const roomy = this.#tellNext(round);
    if (round.count > before && this.alive) this.#host.wake(this);
    return roomy;
  }

  #tellNext(round: Round): boolean {
    if (this.#announce !== 0) this.#tellAnnounce(round);
    else if (this.#relayedTo !== 0) this.#tellRelayDone(round);
    else if (this.#deliverable) return this.#tellData(round);
    else if (this.#ended && !this.#endTold && this.#allPassedOn) this.#tellEnd(round);
    else if (this.#phase === 'closed' && this.#errno !== 0) this.#tellClosed(round);
    else if (this.#expired) this.#tellDeadline(round);
    return true;
  }

  get #deliverable(): boolean {
    if (this.#relay !== undefined || !this.#mayRead) return false;
    return this.#incoming.newBytes > 0 || (this.#heldDue && this.#incoming.heldBytes > 0);
  }

  /** Held bytes were delivered once; only a relay still has to move them. */
  get #allPassedOn(): boolean {
    return this.#relay === undefined ? this.#incoming.newBytes === 0 : this.#incoming.empty;
  }

  #tellAnnounce(round: Round): void {
    const kind = this.#announce;
    this.#announce = 0;
    const accepted = this.#accepted;
    if (kind === Event.SECURED) {
      const securedAs = this.#transport?.securedAs;
      if (securedAs !== undefined) round.tell(kind, this.id, securedAs.version, securedAs.flags);
    } else if (accepted !== undefined) {
      round.tell(kind, this.id, accepted.listener | (accepted.family << 16), accepted.port, ...accepted.address);
    } else {
      round.tell(kind, this.id, kind === Event.CONNECT_FAILED ? this.#errno : 0);
    }
  }

  #tellData(round: Round): boolean {
    const incoming = this.#incoming;
    const length = incoming.heldBytes + Math.min(incoming.newBytes, RECEIVE_MAX_BYTES);
    if (!round.hasRoom(length)) return false;
    let offset = -1;
    let left = length;
    while (left > 0) {
      const piece = incoming.take(left)!;
      const at = round.receive(piece);
      if (offset < 0) offset = at;
      left -= piece.length;
    }
    this.#heldDue = false;
    const { socket } = this;
    if (socket !== undefined) incoming.throttle(socket);
    round.tell(Event.DATA, this.id, offset, length, this.#ended && incoming.empty ? 1 : 0);
    return true;
  }

  #tellRelayDone(round: Round): void {
    round.tell(Event.RELAY_DONE, this.id, this.#relayedTo);
    this.#relayedTo = 0;
  }

  #tellEnd(round: Round): void {
    this.#endTold = true;
    this.#relay = undefined;
    round.tell(Event.END, this.id);
  }

  #tellClosed(round: Round): void {
    const received = this.#receivedBytes;
    const sent = this.output.sentBytes;
    const id = this.id;
    round.tell(Event.CLOSED, id, this.#errno, lowWord(received), highWord(received), lowWord(sent), highWord(sent));
    this.retire();
  }

  #tellDeadline(round: Round): void {
    this.#expired = false;
    round.tell(Event.DEADLINE, this.id);
  }
}
