/**
 * Loads the addon: the only place that does. Load it on the main thread before any worker does, or Node unmaps it when a worker ends
 * while its handles still close (nodejs/node#43534).
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../core/package-root.ts';
import type { SecureContext } from './secure-context.ts';

/** What `native/binding.cc` exports. Failures are -errno values. */
export interface Addon {
  readonly NativeEngine: new (
    slab: Uint8Array,
    events: Int32Array,
    commands: Int32Array,
    counters: Float64Array,
    descriptorsMax: number,
  ) => AddonEngine;
  /** A listening socket with SO_REUSEADDR, SO_REUSEPORT (IP), CLOEXEC, NONBLOCK. `host` numeric or the path of a unix socket (port -1; a
   *  stale socket file that nobody listens on is replaced). IPv6 sockets are V6ONLY unless host is `::`. Returns the fd or -errno. */
  listenSocket(host: string, port: number, backlog: number): number;
  /** Port the kernel gave a listening socket. */
  socketPort(fd: number): number;
  duplicateDescriptor(fd: number): number;
  closeDescriptor(fd: number): number;
  /** Soft limit of open files of this process (getrlimit RLIMIT_NOFILE), raised to the hard one first. */
  descriptorLimit(): number;
  /** Two connected sockets that keep the boundaries of messages: `[ours, theirs]`, or -errno. Ours does not block. */
  socketPair(): readonly [ours: number, theirs: number] | number;
  /** One message of at most 64 KiB (at least a byte) and 250 descriptors, which stay the caller's (SCM_RIGHTS). 0 or -errno. */
  sendDescriptors(socket: number, bytes: Uint8Array, descriptors: Int32Array): number;
  /** Waits for one message, blocking. The descriptors are the caller's; no bytes: the other side is gone. -ETIMEDOUT among the errors. */
  receiveDescriptors(
    socket: number,
    timeoutMs: number,
  ): { readonly bytes: Uint8Array; readonly descriptors: Int32Array } | number;
  /** Where a descriptor listens: `family port host` separated by spaces. Undefined if it is no listening socket. */
  listeningAddress(fd: number): string | undefined;
  /** One datagram to a unix socket; `@` at the beginning of the path: the abstract namespace. 0 or -errno. */
  sendDatagram(path: string, text: string): number;
  /** Permutation of endpoints over 65,537 slots; see native/maglev.h. keys: sorted, weights alike; table: Uint16Array(65537) to fill. */
  maglevBuild(keyHashes: Uint32Array, weights: Uint32Array, table: Uint16Array): number;
  /** table[hash % 65537] for each hash. */
  maglevLookup(table: Uint16Array, hash: number): number;
  maglevLookupBatch(table: Uint16Array, hashes: Uint32Array, endpoints: Uint16Array): void;
  /** Lines of an access log, from their parts; see native/compose_lines.h. Returns where they end in `bytes`, or -errno. */
  composeLines(
    parts: Int32Array,
    partWords: number,
    texts: Uint8Array,
    pieces: Uint8Array,
    bytes: Uint8Array,
    at: number,
  ): number;
}

/** The native half of an engine. Numbers only cross here; bytes are on the slab. */
export interface AddonEngine {
  start(onRound: (eventCount: number) => number): void;
  submit(words: number): void;
  adoptListener(listener: number, fd: number): number;
  pauseListener(listener: number): void;
  resumeListener(listener: number): void;
  closeListener(listener: number): void;
  /** family 4 or 6 with numeric host, or 0 with a path and port 0. Returns a handle or -errno. */
  rememberAddress(family: number, host: string, port: number, context: number, serverName: string): number;
  rememberContext(context: SecureContext): number | string;
  forgetContext(handle: number): void;
  setTicketKeys(keys: Uint8Array): boolean;
  secureFailure(id: number): string;
  peerCertificate(id: number): Uint8Array | undefined;
  forgetAddress(handle: number): void;
  dial(addressHandle: number): number;
  redial(id: number, addressHandle: number): number;
  reserve(): number;
  progress(id: number): number;
  /** `family port host` separated by spaces; undefined if the id is stale. */
  localAddress(id: number): string | undefined;
  isOpen(id: number): boolean;
  /** Calls back once no uv handle is left. */
  close(onClosed: () => void): void;
}

interface LoadResult {
  readonly addon: Addon | undefined;
  /** Why there is none: a phrase for people. */
  readonly reason: string;
}

let loaded: LoadResult | undefined;

/** Loads once per thread. Never throws. */
export function loadAddon(): LoadResult {
  loaded ??= load();
  return loaded;
}

function load(): LoadResult {
  if (process.platform !== 'linux') return { addon: undefined, reason: `it needs Linux, this is ${process.platform}` };
  const path = process.env.FOURSEVEN_ADDON ?? find(ownBuild, prebuild);
  if (path === undefined) return { addon: undefined, reason: 'it has not been built' };
  if (!existsSync(path)) return { addon: undefined, reason: 'it has not been built' };
  try {
    return { addon: createRequire(import.meta.url)(path) as Addon, reason: '' };
  } catch (error) {
    return { addon: undefined, reason: `it does not load (${error instanceof Error ? error.message : String(error)})` };
  }
}

/** The first that is there; the report behind the second takes some milliseconds. */
function find(...places: (() => string)[]): string | undefined {
  for (const place of places) if (existsSync(place())) return place();
  return undefined;
}

/** Where the addon is that was built on this machine. */
function ownBuild(): string {
  return fileURLToPath(new URL('build/Release/fourseven.node', PACKAGE_ROOT));
}

/** Where the one is that came with the package. */
function prebuild(): string {
  // Node's report names the C library only where that is the one of GNU.
  const { header } = process.report.getReport() as { readonly header: { readonly glibcVersionRuntime?: string } };
  const libc = header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
  return fileURLToPath(new URL(`prebuilds/linux-${process.arch}-${libc}/fourseven.node`, PACKAGE_ROOT));
}
