import type { SocketAddress } from '../../../src/core/address.ts';
import { sharedNowMs } from '../../../src/core/clock.ts';
import type { Engine, RoundHandler } from '../../../src/engine/engine.ts';
import {
  COMMANDS_MAX_WORDS,
  COUNTERS_LENGTH,
  COUNTERS_LISTENER_OFFSET,
  COUNTERS_PER_LISTENER,
  Command,
  Counter,
  EVENT_WORDS,
  EVENTS_MAX,
  Event,
  ListenerCounter,
  SLAB_BYTES,
} from '../../../src/engine/protocol.ts';
import type { SecureContext } from '../../../src/engine/secure-context.ts';

const COMMAND_NAMES = new Map<number, string>(
  Object.entries(Command).map(([name, op]) => [op, name.toLowerCase().replace('_', '-')]),
);
const PLAIN_WORDS = 5;
const SEND_HEAD_WORDS = 5;

/**
 * An engine without sockets: the test says what happens, in rounds, and reads back what was ordered. Commands are kept as text, unused words
 * left out: `reset 7`, `tunnel 1 2 1000`, `send 7 "the text of all ranges"`.
 */
export class FakeEngine implements Engine {
  readonly kind: 'native' | 'node' = 'native';
  readonly slab = new Uint8Array(SLAB_BYTES);
  readonly events = new Int32Array(EVENTS_MAX * EVENT_WORDS);
  readonly commands = new Int32Array(COMMANDS_MAX_WORDS);
  readonly counters = new Float64Array(COUNTERS_LENGTH);
  /** Addresses by handle; undefined: forgotten. */
  readonly addresses: (SocketAddress | undefined)[] = [];
  /** Address handles dialed, in order. */
  readonly dialed: number[] = [];
  readonly redialed: { id: number; handle: number }[] = [];
  readonly adopted: { listener: number; fd: number }[] = [];
  readonly closedListeners: number[] = [];
  readonly pausedListeners = new Set<number>();
  /** What the next dials and redials return instead of beginning; empty: they begin. */
  dialErrors: number[] = [];
  adoptError = 0;
  isClosed = false;
  #onRound: RoundHandler | undefined;
  #orders: string[] = [];
  #nextId = 100;

  start(onRound: RoundHandler): void {
    this.#onRound = onRound;
    this.counters[Counter.NOW_MS] = sharedNowMs();
  }

  submit(words: number): void {
    this.#read(words);
  }

  /** Runs one round with these records, `[kind, id, ...]`. Returns what it ordered. */
  round(...records: readonly (readonly number[])[]): string[] {
    for (const [index, record] of records.entries()) {
      this.events.fill(0, index * EVENT_WORDS, (index + 1) * EVENT_WORDS);
      this.events.set(record, index * EVENT_WORDS);
    }
    this.counters[Counter.NOW_MS] = sharedNowMs();
    this.#read(this.#onRound!(records.length));
    return this.takeOrders();
  }

  /** What was ordered since the last look. */
  takeOrders(): string[] {
    return this.#orders.splice(0);
  }

  adoptListener(listener: number, fd: number): number {
    if (this.adoptError < 0) return this.adoptError;
    this.adopted.push({ listener, fd });
    return 0;
  }

  pauseListener(listener: number): void {
    this.pausedListeners.add(listener);
  }

  resumeListener(listener: number): void {
    this.pausedListeners.delete(listener);
  }

  closeListener(listener: number): void {
    this.closedListeners.push(listener);
  }

  rememberAddress(address: SocketAddress): number {
    return this.addresses.push(address) - 1;
  }

  forgetAddress(handle: number): void {
    if (this.addresses[handle] === undefined) throw new Error(`address ${handle} was forgotten twice`);
    this.addresses[handle] = undefined;
  }

  /** Contexts by handle; undefined: forgotten. */
  readonly contexts: (SecureContext | undefined)[] = [];
  ticketKeys: Uint8Array = new Uint8Array();

  rememberContext(context: SecureContext): number {
    return this.contexts.push(context) - 1;
  }

  forgetContext(handle: number): void {
    if (this.contexts[handle] === undefined) throw new Error(`context ${handle} was forgotten twice`);
    this.contexts[handle] = undefined;
  }

  setTicketKeys(keys: Uint8Array): void {
    this.ticketKeys = keys;
  }

  secureFailure(): string {
    return 'the handshake failed';
  }

  peerCertificate(): undefined {
    return undefined;
  }

  dial(addressHandle: number): number {
    const error = this.#beginDial(addressHandle);
    return error < 0 ? error : this.#nextId++;
  }

  redial(id: number, addressHandle: number): number {
    const error = this.#beginDial(addressHandle);
    if (error === 0) this.redialed.push({ id, handle: addressHandle });
    return error;
  }

  /** What `progress` answers, by id. */
  readonly received = new Map<number, number>();

  progress(id: number): number {
    return this.received.get(id) ?? 0;
  }

  reserve(): number {
    return this.#nextId++;
  }

  localAddress(): undefined {
    return undefined;
  }

  isOpen(): boolean {
    return true;
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  setListenerConnections(listener: number, count: number): void {
    this.counters[COUNTERS_LISTENER_OFFSET + listener * COUNTERS_PER_LISTENER + ListenerCounter.CONNECTIONS] = count;
  }

  #beginDial(handle: number): number {
    if (this.addresses[handle] === undefined) throw new Error(`address ${handle} is not known`);
    const error = this.dialErrors.shift() ?? 0;
    if (error === 0) this.dialed.push(handle);
    return error;
  }

  #read(words: number): void {
    for (let at = 0; at < words; ) {
      const name = COMMAND_NAMES.get(this.commands[at]!);
      if (name === undefined) throw new Error(`unexpected command ${this.commands[at]}`);
      if (name === 'send') {
        const rangesEnd = at + SEND_HEAD_WORDS + 2 * this.commands[at + 4]!;
        this.#orders.push(
          `send ${this.commands[at + 1]} ${JSON.stringify(this.#text(at + SEND_HEAD_WORDS, rangesEnd))}`,
        );
        at = rangesEnd;
        continue;
      }
      const values = [...this.commands.subarray(at + 1, at + PLAIN_WORDS)];
      while (values.at(-1) === 0) values.pop();
      this.#orders.push([name, ...values].join(' '));
      at += PLAIN_WORDS;
    }
  }

  /** What the ranges of a SEND hold. */
  #text(from: number, end: number): string {
    let text = '';
    for (let at = from; at < end; at += 2) {
      const [offset = 0, length = 0] = this.commands.subarray(at, at + 2);
      text += String.fromCharCode(...this.slab.subarray(offset, offset + length));
    }
    return text;
  }
}

/** Records of a round, for readability. */
export const happen = {
  accepted: (id: number, listener = 0, address = 0x7f000001): number[] => [
    Event.ACCEPTED,
    id,
    listener | (4 << 16),
    50_000,
    address,
  ],
  data: (id: number, offset: number, length: number): number[] => [Event.DATA, id, offset, length],
  connected: (id: number): number[] => [Event.CONNECTED, id],
  connectFailed: (id: number, errno: number): number[] => [Event.CONNECT_FAILED, id, errno],
  end: (id: number): number[] => [Event.END, id],
  closed: (id: number, errno = 0): number[] => [Event.CLOSED, id, errno],
  deadline: (id: number): number[] => [Event.DEADLINE, id],
  tunnelClosed: (first: number, second: number, reason: number, errno = 0): number[] => [
    Event.TUNNEL_CLOSED,
    first,
    second,
    reason | (errno << 8),
  ],
};
