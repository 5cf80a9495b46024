import type { SocketAddress } from '../../src/core/address.ts';
import { loadAddon } from '../../src/engine/binding.ts';
import { CommandWriter } from '../../src/engine/command-writer.ts';
import type { Engine, EngineOptions } from '../../src/engine/engine.ts';
import { NodeEngine } from '../../src/engine/node-engine.ts';
import {
  COUNTERS_LISTENER_OFFSET,
  Counter,
  EVENT_WORDS,
  Event,
  ListenerCounter,
  SCRATCH_BYTES,
  SCRATCH_OFFSET,
} from '../../src/engine/protocol.ts';
import { Waiting } from './deadline.ts';
import { Peer, PeerServer } from './peer.ts';

export type MakeEngine = (options: EngineOptions) => Engine;

/** The records of a round as objects. */
export type EngineEvent =
  | { kind: 'accepted'; id: number; listener: number; family: number; port: number; address: readonly number[] }
  | { kind: 'data'; id: number; offset: number; length: number; bytes: Buffer; endFollows: boolean }
  | { kind: 'connected'; id: number }
  | { kind: 'connectFailed'; id: number; errno: number }
  | { kind: 'relayDone'; id: number; sink: number }
  | { kind: 'end'; id: number }
  | { kind: 'closed'; id: number; errno: number; bytesReceived: number; bytesSent: number }
  | { kind: 'deadline'; id: number }
  | { kind: 'secured'; id: number; version: number; flags: number }
  | {
      kind: 'tunnelClosed';
      id: number;
      second: number;
      reason: number;
      errno: number;
      bytesForward: number;
      bytesBack: number;
    };
export type EventKind = EngineEvent['kind'];
type EventOf<K extends EventKind> = Extract<EngineEvent, { kind: K }>;

/** An accepted connection: its id, and the client at the other end. */
export interface AcceptedPair {
  readonly id: number;
  readonly peer: Peer;
}

const TWO_POW_32 = 4_294_967_296;
const LISTENER = 0;
const BACKLOG = 511;
const DESCRIPTORS_MAX = 1_000;
const FILL_PIECE_BYTES = 64 * 1024;
/** More than the kernel keeps for both sockets of a connection on loopback. */
const FILL_PIECES_MAX = 384;
/** What `settle` itself makes the engine send. */
const SETTLE_BYTES_MAX = 100;

/** Plays the shard: collects what an engine tells, and acts. Everything a test opens through it is closed by `close`. */
export class EngineDriver {
  readonly engine: Engine;
  readonly writer: CommandWriter;
  /** Told and not yet asked for by `next`. */
  readonly events: EngineEvent[] = [];
  /** Called for each event within its round, where slab ranges are valid. True: the event is done with, `next` will not see it. */
  inRound: ((event: EngineEvent) => boolean) | undefined;
  /** Of the listener on 127.0.0.1. */
  port = 0;
  readonly #waiting = new Waiting();
  readonly #cleanups: (() => void)[] = [];
  #closed = false;

  constructor(engine: Engine) {
    this.engine = engine;
    this.writer = new CommandWriter(engine);
    engine.start((count) => this.#round(count));
  }

  /** A started engine with a listener on 127.0.0.1. */
  static async open(makeEngine: MakeEngine, options: Partial<EngineOptions> = {}): Promise<EngineDriver> {
    const driver = new EngineDriver(makeEngine({ descriptorsMax: DESCRIPTORS_MAX, ...options }));
    driver.port = await driver.listen(LISTENER, { family: 4, host: '127.0.0.1', port: 0 });
    return driver;
  }

  /** Adds a listener; returns its port (0 for unix). */
  async listen(listener: number, address: SocketAddress): Promise<number> {
    const { addon } = loadAddon();
    if (addon === undefined) {
      if (!(this.engine instanceof NodeEngine)) throw new Error('only the node engine listens by itself');
      const result = await this.engine.listen(listener, address);
      if (result < 0) throw new Error(`listen: errno ${-result}`);
      const bound = this.engine.listenerAddress(listener);
      return bound === undefined || bound.family === 'unix' ? 0 : bound.port;
    }
    const [host, port] = address.family === 'unix' ? [address.path, -1] : [address.host, address.port];
    const fd = addon.listenSocket(host, port, BACKLOG);
    if (fd < 0) throw new Error(`listenSocket: errno ${-fd}`);
    this.atEnd(() => addon.closeDescriptor(fd));
    const result = this.engine.adoptListener(listener, fd);
    if (result < 0) throw new Error(`adoptListener: errno ${-result}`);
    return address.family === 'unix' ? 0 : addon.socketPort(fd);
  }

  /** Runs when the driver closes. */
  atEnd(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.engine.close();
    for (const cleanup of this.#cleanups) cleanup();
  }

  /** The next event of a kind, of a connection if one is named, whatever else comes before it. */
  next<K extends EventKind>(kind: K, id?: number, withinMs?: number): Promise<EventOf<K>> {
    return this.#waiting.until(
      () => this.take(kind, id),
      () => `${kind} of ${id ?? 'any'}; there was ${this.describe()}`,
      withinMs,
    );
  }

  /** As next, if it is there already. */
  take<K extends EventKind>(kind: K, id?: number): EventOf<K> | undefined {
    const at = this.events.findIndex((event) => event.kind === kind && (id === undefined || event.id === id));
    return at < 0 ? undefined : (this.events.splice(at, 1)[0] as EventOf<K>);
  }

  /** Kinds of all that was told of a connection and not asked for. */
  kindsOf(id: number): EventKind[] {
    return this.events.filter((event) => event.id === id).map((event) => event.kind);
  }

  describe(): string {
    return this.events.map((event) => `${event.kind} of ${event.id}`).join(', ') || 'nothing';
  }

  /** DATA of a connection until there are `byteCount` bytes, joined. */
  async data(id: number, byteCount: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let length = 0;
    while (length < byteCount) {
      const { bytes } = await this.next('data', id);
      chunks.push(bytes);
      length += bytes.length;
    }
    return Buffer.concat(chunks);
  }

  async text(id: number, length: number): Promise<string> {
    return (await this.data(id, length)).toString('latin1');
  }

  /** A client of the engine's listener. */
  async accept(): Promise<AcceptedPair> {
    const peer = Peer.begin(this.port);
    this.atEnd(() => peer.destroy());
    const { id } = await this.next('accepted');
    return { id, peer };
  }

  async server(): Promise<PeerServer> {
    const server = await PeerServer.open();
    this.atEnd(() => server.close());
    return server;
  }

  remember(port: number): number {
    return this.engine.rememberAddress({ family: 4, host: '127.0.0.1', port });
  }

  /** A dialed connection and the server's end of it. */
  async dial(): Promise<AcceptedPair> {
    const server = await this.server();
    const id = this.engine.dial(this.remember(server.port));
    await this.next('connected', id);
    return { id, peer: await server.next() };
  }

  /** Both halves of a session: a client, and the endpoint that was dialed for it. */
  async pair(): Promise<{ client: AcceptedPair; upstream: AcceptedPair }> {
    return { client: await this.accept(), upstream: await this.dial() };
  }

  /** Writes commands and runs them, outside of a round. */
  order(write: (writer: CommandWriter) => void): void {
    write(this.writer);
    this.writer.flush();
  }

  /** Sends from the slab's scratch part, in as many SENDs as it takes. */
  send(id: number, data: string | Uint8Array, source = 0, flags = 0): void {
    const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : data;
    for (let at = 0; at < bytes.length; at += SCRATCH_BYTES) {
      const piece = bytes.subarray(at, at + SCRATCH_BYTES);
      this.engine.slab.set(piece, SCRATCH_OFFSET);
      this.order((writer) => writer.send(id, source, flags, SCRATCH_OFFSET, piece.length));
    }
  }

  /** Makes the peer read nothing, and sends until some of it waits in the engine. Returns all that was sent. */
  async fill({ id, peer }: AcceptedPair): Promise<Buffer> {
    peer.socket.pause();
    const pieces: Buffer[] = [];
    for (let i = 0; i < FILL_PIECES_MAX; i++) {
      const piece = Buffer.alloc(FILL_PIECE_BYTES, i + 1);
      pieces.push(piece);
      const before = this.#bytesSentToClients();
      this.send(id, piece);
      if (this.#bytesSentToClients() > before) continue;
      // Once more after a while: the kernel may have made room.
      await this.settle();
      const later = this.#bytesSentToClients();
      await this.settle();
      if (this.#bytesSentToClients() - later <= SETTLE_BYTES_MAX) return Buffer.concat(pieces);
    }
    throw new Error('the kernel takes everything');
  }

  #bytesSentToClients(): number {
    return this.engine.counters[COUNTERS_LISTENER_OFFSET + ListenerCounter.BYTES_SENT]!;
  }

  /**
   * Resolves after the engine has served another connection `turns` times: whatever could have happened by then has. This is how a test
   * says that something does not happen.
   */
  async settle(turns = 5): Promise<void> {
    const { id, peer } = await this.accept();
    for (let i = 0; i < turns; i++) {
      peer.send('?');
      await this.data(id, 1);
      this.send(id, '!');
      await peer.read(1);
    }
    this.order((writer) => writer.close(id));
    peer.destroy();
  }

  counter(counter: keyof typeof Counter): number {
    return this.engine.counters[Counter[counter]]!;
  }

  #round(count: number): number {
    for (let i = 0; i < count; i++) {
      const event = this.#read(i * EVENT_WORDS);
      if (this.inRound?.(event) !== true) this.events.push(event);
    }
    const words = this.writer.take();
    // Not within the round: tests act outside of rounds unless they say otherwise.
    setImmediate(() => this.#waiting.changed());
    return words;
  }

  #read(at: number): EngineEvent {
    const [kind, id, a, b, c, d, e, f] = this.engine.events.subarray(at, at + EVENT_WORDS) as unknown as number[];
    return decode(this.engine.slab, kind!, id!, [a!, b!, c!, d!, e!, f!]);
  }
}

function decode(slab: Uint8Array, kind: number, id: number, words: readonly number[]): EngineEvent {
  const [a, b, c, d, e, f] = words as [number, number, number, number, number, number];
  switch (kind) {
    case Event.ACCEPTED:
      return { kind: 'accepted', id, listener: a & 0xffff, family: a >> 16, port: b, address: [c, d, e, f] };
    case Event.DATA:
      return { kind: 'data', id, offset: a, length: b, bytes: Buffer.from(slab.slice(a, a + b)), endFollows: c === 1 };
    case Event.CONNECTED:
      return { kind: 'connected', id };
    case Event.CONNECT_FAILED:
      return { kind: 'connectFailed', id, errno: a };
    case Event.RELAY_DONE:
      return { kind: 'relayDone', id, sink: a };
    case Event.END:
      return { kind: 'end', id };
    case Event.CLOSED:
      return { kind: 'closed', id, errno: a, bytesReceived: wide(b, c), bytesSent: wide(d, e) };
    case Event.DEADLINE:
      return { kind: 'deadline', id };
    case Event.SECURED:
      return { kind: 'secured', id, version: a, flags: b };
    case Event.TUNNEL_CLOSED:
      return {
        kind: 'tunnelClosed',
        id,
        second: a,
        reason: b & 0xff,
        errno: b >> 8,
        bytesForward: wide(c, d),
        bytesBack: wide(e, f),
      };
    default:
      throw new Error(`an event of unknown kind ${kind}`);
  }
}

function wide(low: number, high: number): number {
  return (low >>> 0) + high * TWO_POW_32;
}
