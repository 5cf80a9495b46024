import { connect, type Socket } from 'node:net';
import { constants } from 'node:os';
import { TLSSocket } from 'node:tls';
import { type NodeSecureContext, type SecureDial, wireVersion } from './node-secure.ts';
import { SECURED_RESUMED, SECURED_WITH_CERTIFICATE } from './protocol.ts';
import { EKEYREJECTED } from './secure-context.ts';

export interface DialTarget {
  readonly to: { readonly path: string } | { readonly host: string; readonly port: number };
  /** Where TLS is spoken. */
  readonly secure?: SecureDial | undefined;
}

/** What a transport tells the connection that has it. */
export interface TransportOwner {
  /** A descriptor is in use from now on, and no more. Told of a transport that was let go, too. */
  onWireOpened(wire: Socket): void;
  onWireClosed(wire: Socket): void;
  onHandshake(isDone: boolean, isResumed: boolean): void;
  /** The dial is done. */
  onConnected(): void;
  /** An accepted connection speaks TLS. */
  onSecured(): void;
  onData(chunk: Buffer): void;
  onEnd(): void;
  /** `errno`: positive, or 0 if it ended in order. */
  onClosed(errno: number): void;
}

/** A socket, and TLS over it where that is spoken: one that was accepted, or one dial. */
export class NodeTransport {
  readonly isUnix: boolean;
  readonly #owner: TransportOwner;
  /** What has the descriptor. */
  readonly #wire: Socket;
  /** What bytes go through: the wire, or TLS over it. Undefined: closed or let go, nothing is told any more. */
  #socket: Socket | undefined;
  #isHandshaking = false;
  #secureFailure = '';
  #errno = 0;

  private constructor(owner: TransportOwner, wire: Socket, isUnix: boolean) {
    this.#owner = owner;
    this.#wire = wire;
    this.isUnix = isUnix;
    owner.onWireOpened(wire);
    wire.on('error', (error: NodeJS.ErrnoException) => {
      if (this.#errno === 0) this.#errno = errnoOf(error);
    });
    wire.once('close', () => owner.onWireClosed(wire));
  }

  static accepted(owner: TransportOwner, wire: Socket, isUnix: boolean): NodeTransport {
    const transport = new NodeTransport(owner, wire, isUnix);
    transport.#adopt(wire);
    return transport;
  }

  /** Begins to connect. */
  static dial(owner: TransportOwner, { to, secure }: DialTarget): NodeTransport {
    // Numeric addresses only: nothing is looked up.
    const wire = connect({ ...to, allowHalfOpen: true, noDelay: true });
    const socket = secure === undefined ? wire : secure.context.connect(wire, secure);
    const transport = new NodeTransport(owner, wire, 'path' in to);
    transport.#isHandshaking = secure !== undefined;
    transport.#adopt(socket);
    socket.once(secure === undefined ? 'connect' : 'secureConnect', () => {
      if (socket !== transport.#socket) return;
      if (secure !== undefined) transport.#handshakeDone(socket as TLSSocket);
      owner.onConnected();
    });
    return transport;
  }

  get socket(): Socket | undefined {
    return this.#socket;
  }

  get isSecure(): boolean {
    return this.#socket !== undefined && this.#socket !== this.#wire;
  }

  /** Why the handshake failed, in words; empty if it did not. */
  get secureFailure(): string {
    return this.#secureFailure;
  }

  get peerCertificate(): Uint8Array | undefined {
    return this.#socket instanceof TLSSocket ? this.#socket.getPeerX509Certificate()?.raw : undefined;
  }

  /** Arguments of the SECURED record; undefined if it has closed since. */
  get securedAs(): { readonly version: number; readonly flags: number } | undefined {
    if (!(this.#socket instanceof TLSSocket)) return undefined;
    const resumed = this.#socket.isSessionReused() ? SECURED_RESUMED : 0;
    const shown = this.peerCertificate === undefined ? 0 : SECURED_WITH_CERTIFICATE;
    return { version: wireVersion(this.#socket), flags: resumed | shown };
  }

  /** An accepted connection speaks TLS from now on; `received` is what the client has sent so far. */
  secure(context: NodeSecureContext, received: Uint8Array): void {
    const wire = this.#wire;
    this.#isHandshaking = true;
    wire.removeAllListeners('data');
    wire.removeAllListeners('end');
    wire.pause();
    wire.unshift(received);
    const socket = context.accept(wire);
    this.#adopt(socket);
    socket.on('_tlsError', (error: Error) => {
      this.#secureFailure ||= error.message;
    });
    socket.once('secure', () => {
      if (socket === this.#socket) this.#onSecured(context, socket);
    });
  }

  /** Closes without a word to the peer. Nothing is told of it any more. */
  abandon(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    socket.destroy();
    this.#wire.destroy();
  }

  /** The same, with RST where the socket can. */
  reset(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    resetSocket(this.#wire, this.isUnix);
    if (socket !== this.#wire) socket.destroy();
  }

  #adopt(socket: Socket): void {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      if (socket === this.#socket) this.#owner.onData(chunk);
    });
    socket.on('end', () => {
      if (socket === this.#socket) this.#owner.onEnd();
    });
    if (socket !== this.#wire) socket.on('error', (error: NodeJS.ErrnoException) => this.#onSecureError(error));
    socket.once('close', () => {
      if (socket === this.#socket) this.#onClosed();
    });
  }

  #onSecureError(error: NodeJS.ErrnoException): void {
    if (this.#errno === 0) this.#errno = this.#isHandshaking ? secureErrnoOf(error) : errnoOf(error);
    if (this.#isHandshaking) this.#secureFailure ||= error.message;
  }

  #handshakeDone(socket: TLSSocket): void {
    this.#isHandshaking = false;
    this.#owner.onHandshake(true, socket.isSessionReused());
  }

  #onSecured(context: NodeSecureContext, socket: TLSSocket): void {
    const distrust = context.distrust(socket);
    if (distrust === '') {
      this.#handshakeDone(socket);
      this.#owner.onSecured();
      return;
    }
    this.#secureFailure = distrust;
    this.#errno = EKEYREJECTED;
    socket.destroy();
  }

  #onClosed(): void {
    this.#socket = undefined;
    if (this.#isHandshaking) {
      this.#owner.onHandshake(false, false);
      if (this.#errno === 0) this.#errno = constants.errno.EPROTO;
    }
    this.#owner.onClosed(this.#errno);
  }
}

/** Closes with RST where the socket can. */
export function resetSocket(socket: Socket, isUnix: boolean): void {
  if (isUnix || socket.connecting || socket.destroyed) socket.destroy();
  // libuv refuses to reset while a shutdown is under way, and would leak the handle; it is over in the next turn of the loop.
  else if (socket.writableEnded && !socket.writableFinished) socket.once('finish', () => socket.resetAndDestroy());
  else socket.resetAndDestroy();
}

/** Positive errno of a socket error. One without a number came from Node and not from the kernel: the socket is unusable. */
function errnoOf(error: NodeJS.ErrnoException): number {
  return error.errno === undefined ? constants.errno.ECONNRESET : Math.abs(error.errno);
}

/** In a handshake: what the kernel says, or what TLS does. */
function secureErrnoOf(error: NodeJS.ErrnoException): number {
  if (error.errno !== undefined) return Math.abs(error.errno);
  const isTls = /^(ERR_SSL|EPROTO|ECONNRESET)/.test(error.code ?? '');
  return isTls ? constants.errno.EPROTO : EKEYREJECTED;
}
