/** An HTTP endpoint made of raw TCP: it keeps the exact bytes of each connection, and answers with whatever bytes a test says. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { within } from './deadline.ts';
import { type OriginRequest, readBody, readHead } from './origin-request.ts';

const TIMEOUT_MS = 5_000;

export type OnRequest = (request: OriginRequest, connection: OriginConnection) => void;

export class OriginConnection {
  readonly socket: Socket;
  /** Whole requests, in order. */
  readonly requests: OriginRequest[] = [];
  /** Resolves when the proxy has ended or reset the connection; '' or the code of the error. */
  readonly gone: Promise<string>;
  isGone = false;
  byteCount = 0;
  readonly #origin: Origin;
  #chunks: Buffer[] = [];
  #headShown = false;

  constructor(origin: Origin, socket: Socket) {
    this.#origin = origin;
    this.socket = socket;
    let error = '';
    socket.on('error', (problem: NodeJS.ErrnoException) => {
      error = problem.code ?? problem.message;
    });
    this.gone = new Promise((resolve) => {
      const end = () => {
        this.isGone = true;
        resolve(error);
      };
      socket.once('end', end);
      socket.once('close', end);
    });
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
  }

  send(text: string | Buffer): void {
    if (typeof text === 'string') this.socket.write(text, 'latin1');
    else this.socket.write(text);
  }

  /** What has come since the last whole request. */
  get rest(): string {
    return this.#bytes().toString('latin1');
  }

  #bytes(): Buffer {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]!;
  }

  #take(bytes: Buffer): void {
    this.byteCount += bytes.length;
    this.#chunks.push(bytes);
    while (this.#takeRequest());
    this.#origin.changed();
  }

  /** Hands on the head once it is there, and the request once it is whole. Returns whether it was. */
  #takeRequest(): boolean {
    const head = readHead(this.#bytes());
    if (head === undefined) return false;
    if (!this.#headShown) this.#origin.onHead(head.request, this);
    this.#headShown = true;
    const body = readBody(head.request, this.#bytes(), head.bodyStart);
    if (body === undefined) return false;
    this.#chunks = [this.#bytes().subarray(body.end)];
    this.#headShown = false;
    const request = { ...head.request, ...body };
    this.requests.push(request);
    this.#origin.onRequest(request, this);
    return true;
  }
}

export class Origin {
  /** Since the last `reset`. */
  connections: OriginConnection[] = [];
  onConnection: (connection: OriginConnection) => void = () => {};
  /** The head of a request is there; its body may not be. */
  onHead: OnRequest = () => {};
  onRequest: OnRequest = answerPlainly;
  readonly #server: Server;
  #waiting: (() => void)[] = [];

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const connection = new OriginConnection(this, socket);
      this.connections.push(connection);
      connection.gone.then(() => this.changed());
      this.onConnection(connection);
      this.changed();
    });
  }

  static async start(): Promise<Origin> {
    const origin = new Origin();
    origin.#server.listen(0, '127.0.0.1');
    await once(origin.#server, 'listening');
    return origin;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get byteCount(): number {
    return this.connections.reduce((sum, connection) => sum + connection.byteCount, 0);
  }

  /** Whole requests of all connections. */
  get requests(): OriginRequest[] {
    return this.connections.flatMap(({ requests }) => requests);
  }

  changed(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Waits until `probe` gives something that is neither undefined nor false. */
  async until<T>(what: string, probe: () => T | undefined | false, ms = TIMEOUT_MS): Promise<T> {
    const found = async (): Promise<T> => {
      for (;;) {
        const value = probe();
        if (value !== undefined && value !== false) return value;
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
    };
    return within(ms, `${what} (${this.connections.length} connections, ${this.byteCount} bytes)`, found());
  }

  connection(index = 0): Promise<OriginConnection> {
    return this.until(`connection ${index} at the origin`, () => this.connections[index]);
  }

  /** The request that came as number `index` over all connections. */
  request(index = 0): Promise<OriginRequest> {
    return this.until(`request ${index} at the origin`, () => this.requests[index]);
  }

  /** Ends all connections, waits until the proxy has let go of them, and behaves as new. */
  async reset(): Promise<void> {
    const connections = this.connections;
    for (const { socket } of connections) {
      socket.resume();
      socket.end();
    }
    await within(TIMEOUT_MS, 'the proxy lets go of its connections', Promise.all(connections.map(({ gone }) => gone)));
    for (const { socket } of connections) socket.destroy();
    this.connections = [];
    this.onConnection = () => {};
    this.onHead = () => {};
    this.onRequest = answerPlainly;
  }

  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** 200 with the method and the target for a body, so that each answer tells what it answers. */
export const answerPlainly: OnRequest = (request, connection) => {
  connection.send(plainAnswer(`${request.method} ${request.target}`, request.method));
};

export function plainAnswer(body: string, method = 'GET'): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${method === 'HEAD' ? '' : body}`;
}
