/**
 * An HTTP endpoint that does what the path says: `/KIND/SIZE/ID`. The id also comes as the field x-id, and goes back as such: whoever gets
 * an answer that is not his own knows it. Paths with `must-not-arrive` are a failure.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BodyCheck, bodyOf } from '../body.ts';
import type { Failures } from '../failures.ts';
import { FAULTS } from './faults.ts';

/** So that upstream connections end now and then because the endpoint says so. */
const REQUESTS_PER_CONNECTION_MAX = 500;
/** Far longer than the proxy keeps them: who closes an idle connection is then never in doubt. */
const KEEP_ALIVE_MS = 30_000;
const RESTLESS_MAX_MS = 30;
const CHUNK_MAX_BYTES = 40 * 1024;

export interface HttpOrigin {
  readonly port: number;
  readonly server: Server;
  readonly counts: { requestCount: number; wholeUploadCount: number };
}

export interface Request {
  readonly kind: string;
  readonly size: number;
  readonly id: string;
}

/** `endsIdleConnections`: ends or resets connections at a random moment after each answer, as endpoints do that restart. */
export async function startHttpOrigin(
  failures: Failures,
  { endsIdleConnections = false, host = '127.0.0.1' } = {},
): Promise<HttpOrigin> {
  const counts = { requestCount: 0, wholeUploadCount: 0 };
  const server = createServer({ noDelay: true, keepAliveTimeout: KEEP_ALIVE_MS }, (message, response) => {
    counts.requestCount++;
    const request = readRequest(message, failures);
    response.on('error', () => {});
    message.on('error', () => {});
    if (endsIdleConnections) response.once('finish', () => endSoon(message.socket));
    answer(request, message, response).then(
      (isWholeUpload) => {
        if (isWholeUpload === true) counts.wholeUploadCount++;
      },
      () => {}, // The proxy has left; whether it had a reason is for the load to say.
    );
  });
  server.maxRequestsPerSocket = endsIdleConnections ? 0 : REQUESTS_PER_CONNECTION_MAX;
  server.on('clientError', (error, socket) => {
    // Clients that leave end their requests in the middle; the rest is for nobody to send.
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['ECONNRESET', 'EPIPE', 'EINVAL', 'HPE_INVALID_EOF_STATE'].includes(code))
      failures.add(`sent to the origin: ${error}`);
    socket.destroy();
  });
  server.on('upgrade', (message: IncomingMessage, socket: Socket) => {
    const { id } = readRequest(message, failures);
    socket.on('error', () => {});
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nx-id: ${id}\r\n\r\n`);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return { port: (server.address() as AddressInfo).port, server, counts };
}

function readRequest(message: IncomingMessage, failures: Failures): Request {
  const [, kind = '', size = '', id = ''] = (message.url ?? '').split('/');
  if (message.url?.includes('must-not-arrive')) failures.add(`arrived: ${message.method} ${message.url}`);
  else if (message.headers['x-id'] !== id) failures.add(`${message.url} came with x-id ${message.headers['x-id']}`);
  return { kind, size: Number(size), id };
}

/** The socket's next request, if it comes first, crosses the end. */
function endSoon(socket: Socket): void {
  setTimeout(() => {
    if (Math.random() < 0.5) socket.end();
    else socket.resetAndDestroy();
  }, Math.random() * RESTLESS_MAX_MS);
}

/** Resolves once it is sent, with whether it was an upload that came whole and right. */
async function answer(request: Request, message: IncomingMessage, response: ServerResponse): Promise<boolean> {
  const { kind, size, id } = request;
  const fault = FAULTS[kind];
  if (fault !== undefined) {
    message.resume();
    fault(request, message.socket);
    return false;
  }
  response.setHeader('x-id', id);
  if (kind === 'upload') return answerUpload(request, message, response);
  message.resume();
  if (kind === 'empty' || kind === 'unchanged') {
    response.writeHead(kind === 'empty' ? 204 : 304).end();
    return false;
  }
  if (kind === 'slow') {
    await new Promise((resolve) => setTimeout(resolve, size));
    response.end();
    return false;
  }
  if (kind === 'interim') response.writeEarlyHints({ link: '</style.css>; rel=preload' });
  if (kind === 'until-close') {
    response.shouldKeepAlive = false;
    response.useChunkedEncodingByDefault = false;
  } else if (kind !== 'chunked') response.setHeader('content-length', size);
  response.writeHead(200);
  const pieceBytes = kind === 'chunked' ? 1 + Math.floor(Math.random() * CHUNK_MAX_BYTES) : undefined;
  if (message.method === 'HEAD') response.end();
  else await pipeline(Readable.from(bodyOf(id, size, pieceBytes)), response);
  return false;
}

async function answerUpload(request: Request, message: IncomingMessage, response: ServerResponse): Promise<boolean> {
  const check = new BodyCheck(request.id);
  for await (const bytes of message) check.take(bytes as Buffer);
  const problem = check.problem(request.size);
  response.writeHead(problem === '' ? 200 : 500, { 'content-length': problem.length }).end(problem);
  return problem === '';
}
