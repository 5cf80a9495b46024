/**
 * One HTTP endpoint that can be told to fail, a process of its own. What arrives is written down in a file, so that it outlives the process:
 * a line `TIME METHOD ID` for each request, with the time of `Date.now()`. Its health is asked for at a port of its own, and is as it is.
 */
import { appendFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { childArgument, serveParent } from '../child.ts';
import { Failures } from '../failures.ts';
import { startHttpOrigin } from './http-origin.ts';

export type Mode = 'serve' | 'reset' | 'error' | 'hang';

export interface MortalOrder {
  readonly host: string;
  /** 0: any. */
  readonly healthPort: number;
  readonly arrivals: string;
}

export interface MortalPorts {
  readonly port: number;
  readonly healthPort: number;
}

const { host, healthPort, arrivals } = childArgument<MortalOrder>();
let mode: Mode = 'serve';
const sockets = new Set<Socket>();

function failing(message: IncomingMessage, response: ServerResponse): void {
  if (mode === 'reset') message.socket.resetAndDestroy();
  else if (mode === 'error') {
    message.resume();
    response.writeHead(500, { 'content-length': 0 }).end();
  }
}

const failures = new Failures();
const { server, port } = await startHttpOrigin(failures, { host });
const [serve] = server.listeners('request') as ((message: IncomingMessage, response: ServerResponse) => void)[];
server.removeAllListeners('request');
server.on('request', (message: IncomingMessage, response: ServerResponse) => {
  appendFileSync(arrivals, `${Date.now()} ${message.method} ${message.headers['x-id']}\n`);
  if (mode === 'serve') serve!(message, response);
  else failing(message, response);
});
server.on('connection', (socket: Socket) => {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
});

const health = createServer((message, response) => {
  if (mode === 'serve') response.end('well');
  else failing(message, response);
});
await new Promise<void>((resolve) => health.listen(healthPort, host, resolve));

serveParent(
  { port, healthPort: (health.address() as AddressInfo).port } satisfies MortalPorts,
  () => failures,
  (order) => {
    mode = order as Mode;
    if (mode === 'reset') for (const socket of sockets) socket.resetAndDestroy();
  },
);
