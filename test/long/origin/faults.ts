/** Answers as endpoints should not give them. Each is written on the bare socket. */
import type { Socket } from 'node:net';
import { pieceOfBody } from '../body.ts';
import type { Request } from './http-origin.ts';

const HALF = 0.5;
const LATE_MS = 5;

const head = ({ id, size }: Request) => `HTTP/1.1 200 OK\r\nx-id: ${id}\r\nContent-Length: ${size}\r\n\r\n`;
const whole = (request: Request) =>
  Buffer.concat([Buffer.from(head(request)), pieceOfBody(request.id, 0, request.size)]);
const half = (request: Request) => whole(request).subarray(0, head(request).length + request.size * HALF);
/** An answer that nobody asked for: whoever gets it is told another's. */
const STRAY = 'HTTP/1.1 200 OK\r\nx-id: stray\r\nContent-Length: 5\r\n\r\nstray';

/** By kind. Sizes are those of one piece of a body at most. */
export const FAULTS: Readonly<Record<string, (request: Request, socket: Socket) => void>> = {
  hang: () => {},
  'reset-before': (_, socket) => socket.resetAndDestroy(),
  'end-before': (_, socket) => socket.end(),
  'reset-within': (request, socket) => {
    socket.write(half(request), () => socket.resetAndDestroy());
  },
  'end-within': (request, socket) => {
    socket.end(half(request));
  },
  garbage: (_, socket) => {
    socket.write('HTTP/1.1 2oo OK\r\nContent-Length: none\r\n\r\n');
  },
  'two-lengths': (_, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 30\r\n\r\nabc');
  },
  'bad-chunk': (request, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nx-id: ${request.id}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n`);
  },
  surplus: (request, socket) => {
    socket.write(Buffer.concat([whole(request), Buffer.from(STRAY)]));
  },
  late: (request, socket) => {
    socket.write(whole(request));
    setTimeout(() => socket.write(STRAY), LATE_MS);
  },
};
