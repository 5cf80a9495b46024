import { lstatSync, unlinkSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import type { SocketAddress } from '../core/address.ts';

export type ProbeResult = { readonly port: number } | { readonly code: string };

/**
 * Whether an IP address can be bound by us alone, tried without SO_REUSEPORT: with it, the kernel lets a second proxy of the same user
 * share the port in silence (socket(7)), and each would get some of the other's connections. Gives the port (the kernel's choice
 * for port 0) or the name of an errno. The port is free again afterwards.
 */
export function probePort(address: Extract<SocketAddress, { family: 4 | 6 }>): Promise<ProbeResult> {
  const server = createServer();
  // Accepted in the moment between probe and real socket: nobody serves it, and a reset makes the client try again.
  server.on('connection', (socket) => socket.resetAndDestroy());
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve({ code: error.code ?? error.message }));
    // As the addon binds: an IPv6 address is for IPv6 alone, but for `::`.
    const ipv6Only = address.family === 6 && address.host !== '::';
    server.listen({ host: address.host, port: address.port, ipv6Only, exclusive: true }, () => {
      const bound = server.address();
      const port = bound !== null && typeof bound === 'object' ? bound.port : address.port;
      server.close(() => resolve({ port }));
    });
  });
}

/** Makes the path of a unix socket free if only a dead socket is in the way. Gives the name of an errno, or undefined if it is free. */
export async function freeUnixPath(path: string): Promise<string | undefined> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if (!stat.isSocket() || (await isAnswered(path))) return 'EADDRINUSE';
  unlinkSync(path);
  return undefined;
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // Only a refusal proves that nobody listens; a full queue (EAGAIN) or lacking permission does not.
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
}
