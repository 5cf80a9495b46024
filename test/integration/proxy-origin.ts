/** An endpoint that wants a PROXY header on every connection, and answers with what it saw. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { ClientAddress } from '../../src/downstream/client-address.ts';
import { ProxyHeader, readProxyHeader } from '../../src/downstream/proxy-protocol.ts';

/** What an answer says: each end as `host port`, or null if the header told none. */
export interface Seen {
  readonly source: string | null;
  readonly destination: string | null;
  /** Number of the connection, from 1. */
  readonly connection: number;
  /** Of a request: its head. */
  readonly head: string;
}

export class ProxyOrigin {
  /** Headers of all connections, in hexadecimal digits. */
  readonly headers: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #connections = 0;

  private constructor(protocol: 'http' | 'tcp') {
    this.#server = createServer({ noDelay: true }, (socket) => this.#serve(socket, protocol));
  }

  /** `http`: one answer per request head. `tcp`: one line of JSON, then everything back. */
  static async start(protocol: 'http' | 'tcp'): Promise<ProxyOrigin> {
    const origin = new ProxyOrigin(protocol);
    origin.#server.listen(0, '127.0.0.1');
    await once(origin.#server, 'listening');
    return origin;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(socket: Socket, protocol: 'http' | 'tcp'): void {
    const connection = ++this.#connections;
    const header = new ProxyHeader();
    let ends: { source: string | null; destination: string | null } | undefined;
    let bytes = Buffer.alloc(0);
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (ends === undefined) {
        const length = readProxyHeader(bytes, 0, bytes.length, header);
        if (length === 0) return;
        if (length < 0) {
          socket.destroy();
          return;
        }
        this.headers.push(bytes.subarray(0, length).toString('hex'));
        bytes = bytes.subarray(length);
        const { source, destination, hasAddresses } = header;
        ends = hasAddresses
          ? { source: text(source), destination: text(destination) }
          : { source: null, destination: null };
        if (protocol === 'tcp') socket.write(`${JSON.stringify({ ...ends, connection, head: '' })}\n`);
      }
      if (protocol === 'tcp') {
        socket.write(bytes);
        bytes = Buffer.alloc(0);
        return;
      }
      for (let end = bytes.indexOf('\r\n\r\n'); end >= 0; end = bytes.indexOf('\r\n\r\n')) {
        const head = bytes.toString('latin1', 0, end);
        bytes = bytes.subarray(end + 4);
        const body = JSON.stringify({ ...ends, connection, head });
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      }
    });
  }
}

function text(address: ClientAddress): string {
  const bytes = Buffer.alloc(64);
  return `${bytes.toString('latin1', 0, address.write(bytes, 0))} ${address.port}`;
}
