/** A small HTTP endpoint that shows what reaches it. For the demo only. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

const SLOW_MS = 2_000;
const STREAM_LINES = 10;
const STREAM_LINE_MS = 200;
/** RFC 6455 section 1.3. */
const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const WEBSOCKET_PAYLOAD_MAX_BYTES = 125;

export interface DemoEndpoint {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens on a port of the kernel's choice, loopback only. */
export async function startDemoEndpoint(name: string): Promise<DemoEndpoint> {
  const server = createServer((request, response) => answer(name, request, response));
  server.on('upgrade', echoMessages);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const bound = server.address();
  return { port: bound !== null && typeof bound === 'object' ? bound.port : 0, close: () => close(server) };
}

function answer(name: string, request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? '/').split('?', 1)[0];
  request.resume();
  if (path?.endsWith('/slow')) setTimeout(() => show(name, request, response), SLOW_MS);
  else if (path?.endsWith('/stream')) stream(name, response);
  else show(name, request, response);
}

function show(name: string, { method, url, headers }: IncomingMessage, response: ServerResponse): void {
  response.setHeader('content-type', 'application/json');
  response.end(`${JSON.stringify({ endpoint: name, method, url, headers }, null, 2)}\n`);
}

/** Chunked, a line now and then: shows that bodies are passed on as they come. */
function stream(name: string, response: ServerResponse): void {
  response.setHeader('content-type', 'text/plain');
  let line = 0;
  const timer = setInterval(() => {
    line += 1;
    response.write(`line ${line} of ${STREAM_LINES} from ${name}\n`);
    if (line === STREAM_LINES) response.end();
  }, STREAM_LINE_MS);
  response.once('close', () => clearInterval(timer));
}

/** WebSocket: sends short messages back. Anything else ends the connection. */
function echoMessages(request: IncomingMessage, socket: Duplex, early: Buffer): void {
  const key = request.headers['sec-websocket-key'];
  if (key === undefined) {
    socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    return;
  }
  const accept = createHash('sha1').update(`${key}${WEBSOCKET_GUID}`).digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
  );
  let pending: Buffer = Buffer.alloc(0);
  const take = (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    for (let frame = echoFrame(pending); frame !== undefined; frame = echoFrame(pending)) {
      if (frame === 'unsupported') {
        socket.end();
        return;
      }
      pending = pending.subarray(frame.taken);
      socket.write(frame.reply);
    }
  };
  socket.on('error', () => socket.destroy());
  socket.on('data', take);
  take(early);
}

/** The unmasked reply to the first frame (RFC 6455 section 5.2), or undefined while it is not complete. */
function echoFrame(bytes: Buffer): { taken: number; reply: Buffer } | 'unsupported' | undefined {
  if (bytes.length < 2) return undefined;
  const length = bytes[1]! & 0x7f;
  if ((bytes[1]! & 0x80) === 0 || length > WEBSOCKET_PAYLOAD_MAX_BYTES) return 'unsupported';
  if (bytes.length < 6 + length) return undefined;
  const mask = bytes.subarray(2, 6);
  const payload = bytes.subarray(6, 6 + length).map((byte, index) => byte ^ mask[index % 4]!);
  const opcode = bytes[0]! & 0x0f;
  // A ping (9) is answered by a pong (10); text, binary and close go back as they are.
  const first = opcode === 9 ? 0x8a : bytes[0]!;
  return { taken: 6 + length, reply: Buffer.concat([Buffer.from([first, length]), payload]) };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
