import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import type { SocketAddress } from '../core/address.ts';
import { sharedNowMs, systemClock } from '../core/clock.ts';
import { invariant } from '../core/invariant.ts';
import type { Engine, EngineOptions, RoundHandler } from './engine.ts';
import { dialTarget, peerAddress } from './node-address.ts';
import { CommandRunner } from './node-commands.ts';
import { type Accepted, type ConnectionHost, NodeConnection } from './node-connection.ts';
import { ConnectionTable } from './node-connection-table.ts';
import { Deadlines } from './node-deadlines.ts';
import { type ListenerHost, NodeListener } from './node-listener.ts';
import { Round } from './node-round.ts';
import { NodeSecureContext } from './node-secure.ts';
import { type DialTarget, resetSocket } from './node-transport.ts';
import {
  COMMANDS_MAX_WORDS,
  COUNTERS_LENGTH,
  COUNTERS_LISTENER_OFFSET,
  COUNTERS_PER_LISTENER,
  Counter,
  EVENT_WORDS,
  EVENTS_MAX,
  LISTENERS_MAX,
  ListenerCounter,
  SLAB_BYTES,
} from './protocol.ts';
import { type SecureContext, type SecureTarget, TICKET_KEY_BYTES } from './secure-context.ts';

/** Rounds of one turn, before the loop of Node gets its turn again. */
const ROUNDS_MAX = 16;
/** A listener costs its holder and its server (NodeListener). */
const DESCRIPTORS_PER_LISTENER = 2;
const { EBADF, EBUSY, EINVAL, EMFILE, ENOSYS, ECANCELED } = constants.errno;

export interface NodeEngineOptions extends EngineOptions {
  /** Duplicates a descriptor: returns the new one or -errno. Node cannot; without it `adoptListener` fails with -ENOSYS, and listeners come
   *  from `listen`. The addon has one. */
  readonly duplicate?: (fd: number) => number;
}

/**
 * The engine over `node:net`: any platform, no compiler, and what the native one is measured against. Same promises, with these
 * limits, which come from Node:
 * - FIN and resets are noticed by reading only. A source that is paused or blocked is read ahead up to 64 KiB to notice them; behind
 *   more unread bytes they show when it is read on. A reset destroys what was received but not yet delivered; one that comes together
 *   with the last bytes looks like FIN until something is sent (libuv reads a short read with EPOLLHUP as the end of the stream).
 * - `dial` fails at once only for want of descriptors; everything else is CONNECT_FAILED.
 */
export class NodeEngine implements Engine {
  readonly kind = 'node';
  readonly slab = new Uint8Array(SLAB_BYTES);
  readonly events = new Int32Array(EVENTS_MAX * EVENT_WORDS);
  readonly commands = new Int32Array(COMMANDS_MAX_WORDS);
  readonly counters = new Float64Array(COUNTERS_LENGTH);

  readonly #descriptorsMax: number;
  readonly #duplicate: ((fd: number) => number) | undefined;
  readonly #table = new ConnectionTable<NodeConnection>();
  readonly #sockets = new Map<Socket, NodeConnection>();
  readonly #listeners = new Map<number, NodeListener>();
  readonly #targets: (DialTarget | undefined)[] = [];
  readonly #contexts: (NodeSecureContext | undefined)[] = [];
  #ticketKeys: Uint8Array = randomBytes(TICKET_KEY_BYTES);
  readonly #deadlines = new Deadlines(systemClock);
  readonly #round = new Round(this.events, this.slab);
  readonly #host = this.#connectionHost();
  readonly #runner = new CommandRunner(this.slab, this.commands, this.#table, this.#host);

  #onRound: RoundHandler | undefined;
  #ready: NodeConnection[] = [];
  /** Told that they are gone, in this round: REPLAY may still name them. */
  #leaving: NodeConnection[] = [];
  #immediate: NodeJS.Immediate | undefined;
  #inTurn = false;
  #acceptedOpen = 0;
  #closed: Promise<void> | undefined;
  #onAllClosed: (() => void) | undefined;

  constructor(options: NodeEngineOptions) {
    this.#descriptorsMax = options.descriptorsMax;
    this.#duplicate = options.duplicate;
  }

  start(onRound: RoundHandler): void {
    invariant(this.#onRound === undefined, 'an engine starts once');
    this.#onRound = onRound;
    this.#readClock();
    this.#scheduleTurn();
  }

  submit(words: number): void {
    if (this.#closed !== undefined) return;
    this.#readClock();
    this.#runner.run(words);
    if (!this.#inTurn) this.#table.endRound();
  }

  // --- listeners --------------------------------------------------------------------------------------------------------------

  adoptListener(listener: number, fd: number): number {
    const refused = this.#refuseListener(listener);
    if (refused < 0) return refused;
    if (this.#duplicate === undefined) return -ENOSYS;
    const adopted = new NodeListener(listener, this.#listenerHost);
    this.#addListener(listener, adopted);
    const result = adopted.adopt(fd, this.#duplicate);
    if (result < 0) this.#dropListener(listener);
    return result;
  }

  /** Where descriptors cannot be handed over: binds a socket of this engine's own. Resolves to 0 or -errno. `reusePort` lets several
   *  engines bind the same address; before Node 22.12 it has no effect. */
  async listen(listener: number, address: SocketAddress, reusePort = false): Promise<number> {
    const refused = this.#refuseListener(listener);
    if (refused < 0) return refused;
    const made = new NodeListener(listener, this.#listenerHost);
    this.#addListener(listener, made);
    const result = await made.listen(address, reusePort);
    if (result < 0) this.#dropListener(listener);
    else if (this.#closed !== undefined) made.destroy();
    return result;
  }

  /** Where a listener of `listen` is bound: its port, when 0 was asked for. */
  listenerAddress(listener: number): SocketAddress | undefined {
    return this.#listeners.get(listener)?.address();
  }

  pauseListener(listener: number): void {
    this.#listeners.get(listener)?.pause();
  }

  resumeListener(listener: number): void {
    this.#listeners.get(listener)?.resume();
  }

  closeListener(listener: number): void {
    this.#listeners.get(listener)?.close();
  }

  #refuseListener(listener: number): number {
    if (this.#closed !== undefined) return -ECANCELED;
    if (listener < 0 || listener >= LISTENERS_MAX) return -EINVAL;
    return this.#listeners.has(listener) ? -EBUSY : 0;
  }

  #addListener(slot: number, listener: NodeListener): void {
    this.#listeners.set(slot, listener);
    this.#countDescriptors();
  }

  #dropListener(slot: number): void {
    this.#listeners.get(slot)?.destroy();
    this.#listeners.delete(slot);
    this.#countDescriptors();
  }

  readonly #listenerHost: ListenerHost = {
    hasRoom: (waiting) => this.#mayAccept(waiting),
    onAccepted: (listener, socket, unix) => this.#accept(listener, socket, unix),
    onStarved: () => this.#count(Counter.ACCEPT_PAUSES, 1),
    onListenerClosed: (listener) => this.#dropListener(listener),
  };

  /** Room for the connection itself, for its upstream twin, and for the twins of those that have none yet. */
  #mayAccept(waiting: number): boolean {
    if (this.#closed !== undefined) return false;
    const dialed = this.#sockets.size - this.#acceptedOpen;
    const withoutTwin = Math.max(0, this.#acceptedOpen - dialed) + waiting;
    return this.#descriptorsOpen + waiting + withoutTwin + 2 <= this.#descriptorsMax;
  }

  #accept(listener: number, socket: Socket, unix: boolean): void {
    const host = socket.remoteAddress;
    if (host === undefined && !unix) {
      // The peer has gone already, and took its address with it.
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    const peer = peerAddress(unix ? '' : host!);
    const accepted: Accepted = { listener, socket, port: socket.remotePort ?? 0, ...peer };
    this.#count(Counter.CONNECTIONS_ACCEPTED, 1);
    this.#countListener(listener, ListenerCounter.ACCEPTED, 1);
    this.#table.add((id) => new NodeConnection(this.#host, id, accepted));
  }

  // --- dialing ----------------------------------------------------------------------------------------------------------------

  rememberContext(spec: SecureContext): number | string {
    const free = this.#contexts.indexOf(undefined);
    const handle = free < 0 ? this.#contexts.length : free;
    try {
      this.#contexts[handle] = new NodeSecureContext(spec, this.#ticketKeys);
      return handle;
    } catch (error) {
      return (error as Error).message;
    }
  }

  forgetContext(handle: number): void {
    if (handle in this.#contexts) this.#contexts[handle] = undefined;
  }

  setTicketKeys(keys: Uint8Array): void {
    this.#ticketKeys = keys.slice();
    for (const context of this.#contexts) context?.setTicketKeys(keys);
  }

  secureFailure(id: number): string {
    return this.#table.get(id)?.secureFailure ?? '';
  }

  peerCertificate(id: number): Uint8Array | undefined {
    return this.#table.get(id)?.peerCertificate;
  }

  rememberAddress(address: SocketAddress, secure?: SecureTarget): number {
    const context = secure && this.#contexts[secure.context];
    if (secure !== undefined && context === undefined) return -EINVAL;
    const free = this.#targets.indexOf(undefined);
    const handle = free < 0 ? this.#targets.length : free;
    this.#targets[handle] = {
      to: dialTarget(address),
      secure: context && { context, serverName: secure!.serverName, resumption: {} },
    };
    return handle;
  }

  forgetAddress(handle: number): void {
    if (handle in this.#targets) this.#targets[handle] = undefined;
  }

  dial(addressHandle: number): number {
    const target = this.#targets[addressHandle];
    const refused = this.#refuseDial(target, 0);
    if (refused < 0 || target === undefined) return refused;
    const connection = this.#table.add((id) => new NodeConnection(this.#host, id));
    connection.dial(target);
    this.#count(Counter.CONNECTIONS_DIALED, 1);
    return connection.id;
  }

  redial(id: number, addressHandle: number): number {
    const connection = this.#table.get(id);
    if (connection === undefined || !(connection.connecting || connection.unconnected)) return -EBADF;
    const target = this.#targets[addressHandle];
    const refused = this.#refuseDial(target, connection.connecting ? 1 : 0);
    if (refused < 0 || target === undefined) return refused;
    connection.dial(target);
    return 0;
  }

  reserve(): number {
    if (this.#closed !== undefined) return -ECANCELED;
    return this.#table.add((id) => new NodeConnection(this.#host, id)).id;
  }

  progress(id: number): number {
    return this.#table.get(id)?.progress ?? -1;
  }

  /** `givenUp`: descriptors that the dial gives back. */
  #refuseDial(target: DialTarget | undefined, givenUp: number): number {
    if (this.#closed !== undefined) return -ECANCELED;
    if (target === undefined) return -EINVAL;
    return this.#descriptorsOpen - givenUp + 1 > this.#descriptorsMax ? -EMFILE : 0;
  }

  localAddress(id: number): SocketAddress | undefined {
    const connection = this.#table.get(id);
    const socket = connection?.socket;
    if (connection === undefined || socket === undefined) return undefined;
    if (connection.isUnix) return { family: 'unix', path: '' };
    const { localAddress, localPort, localFamily } = socket;
    if (localAddress === undefined || localPort === undefined) return undefined;
    return { family: localFamily === 'IPv6' ? 6 : 4, host: localAddress, port: localPort };
  }

  isOpen(id: number): boolean {
    return this.#table.get(id)?.alive === true;
  }

  // --- turns ------------------------------------------------------------------------------------------------------------------

  #scheduleTurn(): void {
    if (this.#immediate !== undefined || this.#inTurn || this.#onRound === undefined || this.#closed !== undefined)
      return;
    this.#immediate = setImmediate(() => {
      this.#immediate = undefined;
      this.#turn(this.#onRound!);
    });
  }

  #turn(onRound: RoundHandler): void {
    this.#count(Counter.TURNS, 1);
    this.#inTurn = true;
    for (let i = 0; i < ROUNDS_MAX && this.#ready.length > 0 && this.#closed === undefined; i++)
      this.#runRound(onRound);
    this.#inTurn = false;
    if (this.#ready.length > 0) this.#scheduleTurn();
  }

  #runRound(onRound: RoundHandler): void {
    const round = this.#round;
    this.#readClock();
    round.begin();
    const ready = this.#ready;
    this.#ready = [];
    for (const connection of ready) {
      connection.awake = false;
      if (round.full || !connection.tell(round)) this.#host.wake(connection);
    }
    this.#count(Counter.ROUNDS, 1);
    if (round.count > 0) {
      this.#count(Counter.EVENTS, round.count);
      const words = onRound(round.count);
      // The handler may have closed the engine.
      if (this.#closed === undefined) this.#runner.run(words);
    }
    for (const connection of this.#leaving) this.#table.remove(connection.id);
    this.#leaving.length = 0;
    this.#table.endRound();
  }

  #connectionHost(): ConnectionHost {
    return {
      clock: systemClock,
      deadlines: this.#deadlines,
      wake: (connection) => {
        if (connection.awake) return;
        connection.awake = true;
        this.#ready.push(connection);
        this.#scheduleTurn();
      },
      retire: (connection) => {
        this.#leaving.push(connection);
      },
      onSocketOpened: (connection, socket) => this.#onSocketOpened(connection, socket),
      onSocketClosed: (connection, socket) => this.#onSocketClosed(connection, socket),
      onReceived: (connection, byteCount) =>
        this.#countListener(connection.listener, ListenerCounter.BYTES_RECEIVED, byteCount),
      onSent: (connection, byteCount) =>
        this.#countListener(connection.listener, ListenerCounter.BYTES_SENT, byteCount),
      onCopied: (byteCount) => this.#count(Counter.BYTES_COPIED, byteCount),
      secure: (connection, handle, bytes) => {
        const context = this.#contexts[handle];
        invariant(context?.isServer === true, 'a client is secured with a context that is there');
        connection.secure(context, bytes);
      },
      onHandshake: (isDone, isResumed) => {
        this.#count(isDone ? Counter.HANDSHAKES : Counter.HANDSHAKES_FAILED, 1);
        if (isResumed) this.#count(Counter.HANDSHAKES_RESUMED, 1);
      },
    };
  }

  #onSocketOpened(connection: NodeConnection, socket: Socket): void {
    this.#sockets.set(socket, connection);
    if (connection.listener >= 0) this.#acceptedOpen += 1;
    this.#countListener(connection.listener, ListenerCounter.CONNECTIONS, 1);
    this.#countDescriptors();
  }

  #onSocketClosed(connection: NodeConnection, socket: Socket): void {
    this.#sockets.delete(socket);
    if (connection.listener >= 0) this.#acceptedOpen -= 1;
    this.#countListener(connection.listener, ListenerCounter.CONNECTIONS, -1);
    this.#countDescriptors();
    for (const listener of this.#listeners.values()) listener.update();
    if (this.#sockets.size === 0) this.#onAllClosed?.();
  }

  // --- counting ---------------------------------------------------------------------------------------------------------------

  get #descriptorsOpen(): number {
    return this.#sockets.size + this.#listeners.size * DESCRIPTORS_PER_LISTENER;
  }

  #countDescriptors(): void {
    this.counters[Counter.CONNECTIONS_OPEN] = this.#sockets.size;
    this.counters[Counter.DESCRIPTORS_OPEN] = this.#descriptorsOpen;
  }

  #readClock(): void {
    this.counters[Counter.NOW_MS] = sharedNowMs();
  }

  #count(counter: number, by: number): void {
    this.counters[counter] = this.counters[counter]! + by;
  }

  #countListener(listener: number, counter: number, by: number): void {
    if (listener >= 0) this.#count(COUNTERS_LISTENER_OFFSET + listener * COUNTERS_PER_LISTENER + counter, by);
  }

  // --- the end ----------------------------------------------------------------------------------------------------------------

  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  async #closeAll(): Promise<void> {
    clearImmediate(this.#immediate);
    this.#deadlines.stop();
    for (const slot of [...this.#listeners.keys()]) this.#dropListener(slot);
    this.#ready = [];
    const sockets = [...this.#sockets];
    if (sockets.length > 0) {
      const allClosed = new Promise<void>((resolve) => {
        this.#onAllClosed = resolve;
      });
      for (const [socket, connection] of sockets) resetSocket(socket, connection.isUnix);
      await allClosed;
    }
    // Handles of listeners close in the closing phase of this turn of the loop.
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#deadlines.stop();
  }
}
