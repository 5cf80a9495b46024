import type { SocketAddress } from '../core/address.ts';
import type { SecureContext, SecureTarget } from './secure-context.ts';

/**
 * The door to the machine: one engine per shard owns every socket of that shard. There are two implementations, `NativeEngine`
 * (C++, Linux) and `NodeEngine` (`node:net`, anywhere); one contract suite (test/contract) runs against both.
 *
 * An engine belongs to the thread that made it. Nothing here throws for a network reason: failures are events or -errno.
 */

/**
 * Called once per round with the number of records in `events`. It reads them, writes commands, and returns the number of command
 * words written. Slab ranges named by DATA, and the scratch part, are valid until the commands have run. Must not throw.
 */
export type RoundHandler = (eventCount: number) => number;

export interface EngineOptions {
  /** Most file descriptors this engine may hold: sockets and pipes. Accepting pauses while there is no room for a connection and its
   *  upstream twin; a dial beyond it fails with -EMFILE. */
  readonly descriptorsMax: number;
}

export interface Engine {
  readonly kind: 'native' | 'node';
  /** SLAB_BYTES long; see protocol.ts for its three parts. */
  readonly slab: Uint8Array;
  /** EVENTS_MAX x EVENT_WORDS. */
  readonly events: Int32Array;
  /** COMMANDS_MAX_WORDS long. */
  readonly commands: Int32Array;
  /** COUNTERS_LENGTH long; see protocol.ts. Read only. */
  readonly counters: Float64Array;

  /** Installs the handler and begins to turn. Once. */
  start(onRound: RoundHandler): void;
  /** Runs the first `words` words of `commands` now: outside a round, or within one when the buffer is full. */
  submit(words: number): void;

  /** Accepts from a listening socket made elsewhere. Takes a duplicate: the caller's descriptor stays open and its own. `listener`
   *  (below LISTENERS_MAX) comes back in ACCEPTED. Returns 0 or -errno. */
  adoptListener(listener: number, fd: number): number;
  /** Stops accepting; the socket stays open, its queue keeps filling. */
  pauseListener(listener: number): void;
  resumeListener(listener: number): void;
  /** Accepts what is in the queue now (in the coming rounds), then closes this engine's duplicate. */
  closeListener(listener: number): void;

  /** Makes what connections need to speak TLS. Returns a small handle, reused after forgetContext, or the reason why it cannot be made. */
  rememberContext(context: SecureContext): number | string;
  /** Connections that use it keep it. */
  forgetContext(handle: number): void;
  /** TICKET_KEY_BYTES each, at most TICKET_KEYS_MAX: the first seals session tickets, all open them. */
  setTicketKeys(keys: Uint8Array): void;
  /** Why TLS failed: valid in the round that told of it. Empty if it is unknown. Allocates. */
  secureFailure(id: number): string;
  /** The certificate (DER) that the peer of a connection with TLS has shown, if any. Allocates. */
  peerCertificate(id: number): Uint8Array | undefined;

  /** Makes an address dialable. The handle is small, and reused after forgetAddress. Where it is `secure`, connections speak TLS: a dial is
   *  CONNECTED once that is established, and CONNECT_FAILED (EPROTO, EKEYREJECTED) if it cannot be. Sessions are kept per handle. */
  rememberAddress(address: SocketAddress, secure?: SecureTarget): number;
  forgetAddress(handle: number): void;
  /** Begins to connect (TCP_NODELAY, non-blocking). Returns the id of the connection, or -errno (-EMFILE, -EADDRNOTAVAIL, ...) if
   *  it could not begin. Ends with CONNECTED or CONNECT_FAILED; the caller sets the deadline. SENDs may be queued at once. */
  dial(addressHandle: number): number;
  /** As dial, for an id whose dial failed or whose deadline passed while connecting: keeps the id and what was sent to it.
   *  Returns 0 or -errno (-EBADF for any other id). */
  redial(id: number, addressHandle: number): number;

  /** An id as it is after a dial that failed, without an event: SEND, REPLAY and DEADLINE may be ordered for it, then it is redialed or closed.
   *  Returns it, or -errno. */
  reserve(): number;

  /** Bytes received from the peer so far; -1 while the connection is not read, because its sink is full or it is paused, or if it is gone. */
  progress(id: number): number;

  /** Local address of a connection, or undefined if it is gone. For logs and PROXY headers: allocates. */
  localAddress(id: number): SocketAddress | undefined;

  /** Whether the id is in use: from ACCEPTED or dial on, also after CONNECT_FAILED, until the connection is gone or ordered to close. For
   *  tests and invariants. */
  isOpen(id: number): boolean;

  /** Resets every connection, closes everything. Resolves once no handle is left. The engine is dead afterwards. */
  close(): Promise<void>;
}
