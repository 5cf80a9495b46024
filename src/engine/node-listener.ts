import { closeSync } from 'node:fs';
import { createServer, type Server, Socket } from 'node:net';
import { constants } from 'node:os';
import type { SocketAddress } from '../core/address.ts';

/** `listen` with an adopted descriptor calls listen(2) again, which sets the length of the queue; the kernel caps it (somaxconn). */
const BACKLOG = 65_535;
/** Sockets that a paused listener of our own keeps for later. Those beyond it are closed. */
const WAITING_MAX = 512;
/** How long accepting rests when the process or the system is out of descriptors. */
const REST_MS = 100;

export interface ListenerHost {
  /** Whether a connection may be accepted now, beside `waiting` ones that the engine does not know yet. */
  hasRoom(waiting: number): boolean;
  onAccepted(listener: number, socket: Socket, unix: boolean): void;
  /** Accepting had to stop for want of room. */
  onStarved(): void;
  /** The listener has closed; `descriptors` are given back. */
  onListenerClosed(listener: number): void;
}

/** Makes a net.Server that begins to listen; a server that is not `listening` afterwards could not. */
type OpenServer = (server: Server) => void;

/**
 * One listening socket. Node cannot stop accepting but by closing the socket, so an adopted one is kept open by a holder (a Socket that
 * is never read) while a server made from a second duplicate comes and goes: the queue of the kernel lives on. A holder is closed by
 * Node when its thread ends, which a bare descriptor would not be.
 *
 * Without a way to duplicate descriptors (`listen` of NodeEngine) the server stays: what it accepts while paused waits here, and what it
 * accepts while there is no room is closed at once.
 */
export class NodeListener {
  readonly #slot: number;
  readonly #host: ListenerHost;
  #holder: Socket | undefined;
  #openServer: OpenServer;
  #server: Server | undefined;
  #waiting: Socket[] = [];
  #wanted: 'accepting' | 'paused' | 'closing' | 'closed' = 'accepting';
  #restTimer: NodeJS.Timeout | undefined;
  #drainTimer: NodeJS.Timeout | undefined;
  /** Connections accepted since the listener was last looked at while closing. */
  #acceptedLately = 0;
  #unix = false;

  constructor(slot: number, host: ListenerHost) {
    this.#slot = slot;
    this.#host = host;
    this.#openServer = () => {};
  }

  /** Returns 0 or -errno. `fd` is not touched again. */
  adopt(fd: number, duplicate: (fd: number) => number): number {
    const held = duplicate(fd);
    if (held < 0) return held;
    try {
      this.#holder = new Socket({ fd: held, readable: false, writable: false });
    } catch {
      closeSync(held);
      return -constants.errno.ENOTSOCK;
    }
    this.#holder.on('error', () => {});
    this.#openServer = (server) => {
      const again = duplicate(held);
      if (again >= 0) server.listen({ fd: again, backlog: BACKLOG });
    };
    // Without room it opens later.
    return !this.#host.hasRoom(0) || this.#open() ? 0 : -constants.errno.EINVAL;
  }

  /** Binds a socket of its own. Resolves to 0 or -errno. */
  listen(address: SocketAddress, reusePort: boolean): Promise<number> {
    const server = this.#createServer();
    this.#unix = address.family === 'unix';
    return new Promise((resolve) => {
      server.once('error', (error: NodeJS.ErrnoException) => resolve(error.errno ?? -constants.errno.EINVAL));
      server.once('listening', () => {
        this.#server = server;
        resolve(0);
      });
      const options = { backlog: BACKLOG, reusePort };
      if (address.family === 'unix') server.listen({ path: address.path, ...options });
      else server.listen({ host: address.host, port: address.port, ipv6Only: address.host !== '::', ...options });
    });
  }

  address(): SocketAddress | undefined {
    const bound = this.#server?.address();
    if (bound === null || bound === undefined) return undefined;
    if (typeof bound === 'string') return { family: 'unix', path: bound };
    return { family: bound.family === 'IPv6' ? 6 : 4, host: bound.address, port: bound.port };
  }

  pause(): void {
    if (this.#wanted === 'accepting') this.#wanted = 'paused';
    this.update();
  }

  resume(): void {
    if (this.#wanted === 'paused') this.#wanted = 'accepting';
    this.update();
  }

  /** Takes what is in the queue, then closes. */
  close(): void {
    if (this.#wanted === 'closed') return;
    this.#wanted = 'closing';
    this.update();
    this.#acceptedLately = 1;
    setImmediate(() => this.#drainStep());
  }

  /** Closes now, with all that waits. */
  destroy(): void {
    this.#wanted = 'closed';
    clearTimeout(this.#restTimer);
    clearTimeout(this.#drainTimer);
    this.#server?.close();
    this.#server = undefined;
    this.#holder?.destroy();
    this.#holder = undefined;
    for (const socket of this.#waiting) socket.destroy();
    this.#waiting = [];
  }

  /** Opens or closes the server as the shard and the room want it. */
  update(): void {
    if (this.#wanted === 'closed') return;
    if (this.#wanted !== 'paused') this.#reportWaiting();
    const accepts = this.#wanted !== 'paused' && this.#host.hasRoom(0);
    if (this.#holder === undefined) return;
    if (accepts && this.#server === undefined && this.#restTimer === undefined) this.#open();
    else if (!accepts) this.#closeServer();
  }

  /** A loop's turn without a new connection: the queue is empty (libuv takes one connection per turn from a listening socket). */
  #drainStep(): void {
    if (this.#wanted !== 'closing') return;
    const able = this.#holder === undefined || this.#server !== undefined;
    if (able && this.#acceptedLately === 0 && this.#waiting.length === 0) {
      this.destroy();
      this.#host.onListenerClosed(this.#slot);
      return;
    }
    this.#acceptedLately = able ? 0 : 1;
    // Without room the queue cannot be taken: looking again every turn would spin.
    if (able) setImmediate(() => this.#drainStep());
    else this.#drainTimer = setTimeout(() => this.#drainStep(), REST_MS);
  }

  #createServer(): Server {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#onConnection(socket));
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EMFILE' || error.code === 'ENFILE') this.#rest();
    });
    return server;
  }

  #open(): boolean {
    const server = this.#createServer();
    this.#openServer(server);
    if (!server.listening) {
      this.#rest();
      return false;
    }
    this.#server = server;
    const bound = server.address();
    this.#unix = bound === null || typeof bound === 'string';
    return true;
  }

  #closeServer(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  #rest(): void {
    if (this.#wanted === 'closed' || this.#restTimer !== undefined) return;
    if (this.#holder !== undefined) this.#closeServer();
    this.#host.onStarved();
    this.#restTimer = setTimeout(() => {
      this.#restTimer = undefined;
      this.update();
    }, REST_MS);
  }

  #onConnection(socket: Socket): void {
    this.#acceptedLately += 1;
    if (this.#holder === undefined && (this.#wanted === 'paused' || !this.#host.hasRoom(this.#waiting.length))) {
      this.#keepOrDrop(socket);
      return;
    }
    this.#report(socket);
    if (this.#host.hasRoom(this.#waiting.length)) return;
    this.#host.onStarved();
    this.update();
  }

  #report(socket: Socket): void {
    this.#host.onAccepted(this.#slot, socket, this.#unix);
  }

  #keepOrDrop(socket: Socket): void {
    socket.on('error', () => {});
    if (!this.#host.hasRoom(this.#waiting.length) || this.#waiting.length >= WAITING_MAX) {
      this.#host.onStarved();
      socket.destroy();
      return;
    }
    this.#waiting.push(socket);
  }

  #reportWaiting(): void {
    while (this.#waiting.length > 0 && this.#host.hasRoom(0)) {
      const socket = this.#waiting.shift()!;
      if (!socket.destroyed) this.#report(socket);
    }
  }
}
