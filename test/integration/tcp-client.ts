/** Plain TCP peers for tests. Errors are values: a reset is an outcome, not an exception. */
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { within } from './deadline.ts';

const TIMEOUT_MS = 10_000;

/** A connection that collects what it receives. */
export class TcpClient {
  readonly socket: Socket;
  /** Resolves when the socket is closed: '' after a clean end, or the code of the error. */
  readonly closed: Promise<string>;
  received = '';
  #error = '';
  #onData: (() => void)[] = [];

  constructor(where: { port: number; host?: string } | { path: string }) {
    this.socket = createConnection('path' in where ? where : { host: '127.0.0.1', ...where });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text) => {
      this.received += text;
      for (const wake of this.#onData.splice(0)) wake();
    });
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#error = error.code ?? error.message;
    });
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve(this.#error)));
    this.closed.then(() => {
      for (const wake of this.#onData.splice(0)) wake();
    });
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Sends, and waits until the same text has come back. Rejects if the connection ends before. */
  async echo(text: string, ms = TIMEOUT_MS): Promise<void> {
    const wanted = this.received + text;
    this.send(text);
    await within(ms, `the echo of ${JSON.stringify(text)}`, this.#receive(wanted.length));
    if (this.received !== wanted) throw new Error(`expected ${wanted}, got ${this.received}`);
  }

  close(): void {
    this.socket.destroy();
  }

  async #receive(length: number): Promise<void> {
    while (this.received.length < length) {
      if (this.socket.destroyed || this.socket.readableEnded)
        throw new Error(`the connection has ended (${this.#error})`);
      await new Promise<void>((resolve) => this.#onData.push(resolve));
    }
  }
}

/** Sends everything back. Half-closes after the client. */
export async function startEchoServer(): Promise<{
  port: number;
  connections: () => number;
  close: () => Promise<void>;
}> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    for (const socket of sockets) socket.destroy();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { port: (server.address() as { port: number }).port, connections: () => sockets.size, close };
}
