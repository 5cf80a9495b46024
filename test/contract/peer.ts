import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Waiting } from './deadline.ts';

const BLOCK_BYTES = 64 * 1024;

/** What is on the other end of an engine's connection: a plain socket that remembers what came. */
export class Peer {
  readonly socket: Socket;
  readonly #waiting = new Waiting();
  #chunks: Buffer[] = [];
  #keptBytes = 0;
  #hash: Hash | undefined;
  #ended = false;
  #closed = false;
  #errorCode: string | undefined;
  bytesReceived = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.bytesReceived += chunk.length;
      if (this.#hash === undefined) this.#keep(chunk);
      else this.#hash.update(chunk);
      this.#waiting.changed();
    });
    socket.on('end', () => {
      this.#ended = true;
      this.#waiting.changed();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#errorCode = error.code;
    });
    socket.on('close', () => {
      this.#closed = true;
      this.#waiting.changed();
    });
  }

  /** To a port of 127.0.0.1 or of `host`, or to the path of a unix socket. Resolves once connected. */
  static async connect(target: number | string, host = '127.0.0.1'): Promise<Peer> {
    const peer = Peer.begin(target, host);
    await once(peer.socket, 'connect');
    return peer;
  }

  /** As connect, without waiting. */
  static begin(target: number | string, host = '127.0.0.1'): Peer {
    const where = typeof target === 'number' ? { port: target, host } : { path: target };
    return new Peer(connect({ ...where, allowHalfOpen: true, noDelay: true }));
  }

  get localPort(): number {
    return this.socket.localPort!;
  }

  get ended(): boolean {
    return this.#ended;
  }

  send(data: string | Uint8Array): void {
    this.socket.write(data);
  }

  end(): void {
    this.socket.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Writes blocks that differ, as fast as they are taken; resolves with their sha256. */
  async sendBlocks(byteCount: number): Promise<string> {
    const hash = createHash('sha256');
    for (let at = 0; at < byteCount; at += BLOCK_BYTES) {
      const block = Buffer.alloc(Math.min(BLOCK_BYTES, byteCount - at), at / BLOCK_BYTES + 7);
      block.writeUInt32LE(at, 0);
      hash.update(block);
      if (!this.socket.write(block)) await once(this.socket, 'drain');
    }
    return hash.digest('hex');
  }

  /** From now on what comes is hashed, not kept. Resolves with the sha256 of the next `byteCount` bytes. */
  async hashBytes(byteCount: number, withinMs = 15_000): Promise<string> {
    const hash = createHash('sha256');
    const before = this.bytesReceived - this.#keptBytes;
    hash.update(this.#take(this.#keptBytes));
    this.#hash = hash;
    await this.#waiting.until(
      () => this.bytesReceived - before >= byteCount || this.#closed || undefined,
      () => `${byteCount} bytes; got ${this.bytesReceived - before}`,
      withinMs,
    );
    this.#hash = undefined;
    return this.bytesReceived - before === byteCount ? hash.digest('hex') : `${this.bytesReceived - before} bytes`;
  }

  /** The next `byteCount` bytes. */
  async read(byteCount: number, withinMs?: number): Promise<Buffer> {
    await this.#waiting.until(
      () => this.#keptBytes >= byteCount || undefined,
      () => `${byteCount} bytes; got ${this.#describe()}`,
      withinMs,
    );
    return this.#take(byteCount);
  }

  async readText(length: number): Promise<string> {
    return (await this.read(length)).toString('latin1');
  }

  /** Everything up to FIN. */
  async readToEnd(withinMs?: number): Promise<Buffer> {
    await this.#waiting.until(
      () => this.#ended || undefined,
      () => `FIN; got ${this.#describe()}`,
      withinMs,
    );
    return this.#take(this.#keptBytes);
  }

  /** Resolves with the code of the error the connection ended with, or 'none'. */
  closed(): Promise<string> {
    return this.#waiting.until(
      () => (this.#closed ? (this.#errorCode ?? 'none') : undefined),
      () => `the end of the connection; got ${this.#describe()}`,
    );
  }

  /**
   * As closed, for a reset that may hide: after a FIN, or together with data, libuv notices it only when something is sent (it reads a
   * short read with EPOLLHUP as the end of the stream).
   */
  async closedWhenSending(): Promise<string> {
    const dripping = setInterval(() => this.send('.'), 5);
    try {
      return await this.closed();
    } finally {
      clearInterval(dripping);
    }
  }

  #keep(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#keptBytes += chunk.length;
  }

  #take(byteCount: number): Buffer {
    const kept = Buffer.concat(this.#chunks);
    this.#chunks = [kept.subarray(byteCount)];
    this.#keptBytes -= byteCount;
    return kept.subarray(0, byteCount);
  }

  #describe(): string {
    const state = `${this.#ended ? ', FIN' : ''}${this.#closed ? `, closed (${this.#errorCode ?? 'no error'})` : ''}`;
    return `${this.#keptBytes} bytes${state}`;
  }
}

/** A server whose connections a test takes one by one. */
export class PeerServer {
  readonly #server: Server;
  readonly #waiting = new Waiting();
  readonly #arrived: Peer[] = [];
  readonly #all: Peer[] = [];

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      const peer = new Peer(socket);
      this.#arrived.push(peer);
      this.#all.push(peer);
      this.#waiting.changed();
    });
  }

  /** On a free port of 127.0.0.1, or on a unix socket. */
  static async open(path?: string): Promise<PeerServer> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    if (path === undefined) server.listen(0, '127.0.0.1');
    else server.listen(path);
    await once(server, 'listening');
    return new PeerServer(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  next(): Promise<Peer> {
    return this.#waiting.until(
      () => this.#arrived.shift(),
      () => 'a connection',
    );
  }

  close(): void {
    this.#server.close();
    for (const peer of this.#all) peer.destroy();
  }
}

/** A port of 127.0.0.1 that nobody listens on. */
export async function closedPort(): Promise<number> {
  const server = await PeerServer.open();
  const { port } = server;
  server.close();
  return port;
}
