/**
 * The listening sockets: one per listener and shard, made and kept open by the supervisor. A shard works on a duplicate, so that when it dies
 * the queue of connections waiting to be accepted stays, and its successor takes them.
 */
import { lstatSync, unlinkSync } from 'node:fs';
import type { ListenerSocket } from '../contract/messages.ts';
import type { ListenerPlan } from '../contract/plan.ts';
import { formatAddress, parseAddress, type SocketAddress } from '../core/address.ts';
import { ProxyError } from '../core/errors.ts';
import { invariant } from '../core/invariant.ts';
import type { Addon } from '../engine/binding.ts';
import { bindError, errnoName } from './bind-error.ts';
import { freeUnixPath, probePort } from './port-probe.ts';

/** The kernel lowers it to net.core.somaxconn (listen(2)); 4096 is that one's default. */
const BACKLOG = 4_096;
const NO_DESCRIPTOR = -1;

type ListenerToBind = Pick<ListenerPlan, 'slot' | 'name' | 'address'>;

/** The part of the addon that makes sockets. */
export type SocketMaker = Pick<Addon, 'listenSocket' | 'socketPort' | 'duplicateDescriptor' | 'closeDescriptor'>;

export class ListeningSockets {
  readonly #addon: SocketMaker | undefined;
  readonly #shards: ListenerSocket[][];
  readonly #addresses = new Map<number, string>();
  /** Paths that we made, with the inode that proves it. */
  readonly #unixPaths = new Map<string, bigint>();

  private constructor(shardCount: number, addon: SocketMaker | undefined) {
    this.#addon = addon;
    this.#shards = Array.from({ length: shardCount }, () => []);
  }

  /**
   * Binds every listener for every shard. Throws ProxyError `bind_failed` that names each listener and address that cannot be had; then
   * nothing stays open. Without the addon only the addresses are tried: the engine of the shard binds.
   */
  static async open(
    listeners: readonly ListenerToBind[],
    shardCount: number,
    addon: SocketMaker | undefined,
  ): Promise<ListeningSockets> {
    const sockets = new ListeningSockets(shardCount, addon);
    const failures: string[] = [];
    // All are tried before any is bound: `0.0.0.0:80` and `[::]:80` may stand side by side only with SO_REUSEPORT.
    const addresses = new Map<ListenerToBind, SocketAddress>();
    for (const listener of listeners) {
      const tried = await tryAddress(listener, addon !== undefined);
      if (tried instanceof ProxyError) failures.push(tried.message);
      else addresses.set(listener, tried);
    }
    if (failures.length > 0) throw new ProxyError('bind_failed', failures.join('\n'));
    try {
      for (const [listener, address] of addresses) sockets.#bind(listener, address);
    } catch (error) {
      sockets.close();
      throw error;
    }
    return sockets;
  }

  /** The bound address of a listener, port 0 replaced by the real one. */
  addressOf(slot: number): string {
    const address = this.#addresses.get(slot);
    invariant(address !== undefined, `listener ${slot} is bound`);
    return address;
  }

  /** What a shard adopts. The descriptors stay the supervisor's. Empty after `closeShard`. */
  forShard(index: number): readonly ListenerSocket[] {
    return this.#shards[index]!;
  }

  /** Lets go of a shard's sockets. What the shard itself still holds decides when they stop to listen. */
  closeShard(index: number): void {
    for (const { fd } of this.#shards[index]!) if (fd !== NO_DESCRIPTOR) this.#addon!.closeDescriptor(fd);
    this.#shards[index] = [];
  }

  /** Lets go of everything, and removes the paths of unix sockets. */
  close(): void {
    for (const index of this.#shards.keys()) this.closeShard(index);
    this.removeUnixPaths();
  }

  /** So that new clients are refused at once, and the next process finds the path free. Only if the path is still the socket we made. */
  removeUnixPaths(): void {
    for (const [path, inode] of this.#unixPaths) if (inodeOf(path) === inode) unlinkSync(path);
    this.#unixPaths.clear();
  }

  #bind(listener: ListenerToBind, address: SocketAddress): void {
    if (this.#addon === undefined) {
      this.#put(listener.slot, formatAddress(address), () => NO_DESCRIPTOR);
    } else if (address.family === 'unix') {
      this.#bindUnix(listener, address.path, this.#addon);
    } else {
      this.#bindPort(listener, address, this.#addon);
    }
  }

  #bindPort(listener: ListenerToBind, address: Exclude<SocketAddress, { family: 'unix' }>, addon: SocketMaker): void {
    const open = (port: number) => succeed(addon.listenSocket(address.host, port, BACKLOG), listener);
    const first = open(address.port);
    // With port 0 the first one's port is everyone's.
    const port = addon.socketPort(first);
    const openFor = (shard: number) => (shard === 0 ? first : open(port));
    this.#put(listener.slot, formatAddress({ ...address, port }), openFor);
  }

  /** There is no SO_REUSEPORT for paths: every shard accepts from the same socket. */
  #bindUnix(listener: ListenerToBind, path: string, addon: SocketMaker): void {
    const fd = succeed(addon.listenSocket(path, -1, BACKLOG), listener);
    const inode = inodeOf(path);
    if (inode !== undefined) this.#unixPaths.set(path, inode);
    try {
      this.#put(listener.slot, listener.address, () => succeed(addon.duplicateDescriptor(fd), listener));
    } finally {
      addon.closeDescriptor(fd);
    }
  }

  #put(slot: number, address: string, openFor: (shard: number) => number): void {
    this.#addresses.set(slot, address);
    for (const [shard, sockets] of this.#shards.entries()) sockets.push({ slot, fd: openFor(shard), address });
  }
}

/** Where a listener will be bound, or why it cannot be. The kernel's choice for port 0 is made here where no addon can make it later. */
async function tryAddress(listener: ListenerToBind, hasAddon: boolean): Promise<SocketAddress | ProxyError> {
  const address = parseAddress(listener.address);
  invariant(typeof address !== 'string' && address.family !== 'name', 'the address of a listener was checked');
  const fail = (code: string) => bindError(`listener ${listener.name}`, listener.address, code);
  if (address.family === 'unix') {
    // The addon itself replaces a dead socket, and refuses to replace a living one.
    const code = hasAddon ? undefined : await freeUnixPath(address.path);
    return code === undefined ? address : fail(code);
  }
  if (hasAddon && address.port === 0) return address;
  const tried = await probePort(address);
  if ('code' in tried) return fail(tried.code);
  return { ...address, port: tried.port };
}

function succeed(result: number, listener: ListenerToBind): number {
  if (result < 0) throw bindError(`listener ${listener.name}`, listener.address, errnoName(-result));
  return result;
}

function inodeOf(path: string): bigint | undefined {
  return lstatSync(path, { throwIfNoEntry: false, bigint: true })?.ino;
}
