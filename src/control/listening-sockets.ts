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
import { type InheritedListener, listenerKey } from './upgrade/handover.ts';

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
  /** Paths that we made, by slot, with the inode that proves it. */
  readonly #unixPaths = new Map<number, { readonly path: string; readonly inode: bigint }>();
  /** What was handed to us and no listener has taken yet, by its key. */
  readonly #inherited: Map<string, InheritedListener>;
  /** Slots whose shards accept from one socket. */
  readonly #shared = new Set<number>();

  private constructor(
    shardCount: number,
    addon: SocketMaker | undefined,
    inherited: readonly InheritedListener[] | undefined,
  ) {
    this.#addon = addon;
    this.#shards = Array.from({ length: shardCount }, () => []);
    this.#inherited = new Map(inherited?.map((listener) => [listener.key, listener]));
  }

  /**
   * As `add`, from nothing, or from sockets that are handed over by the process before or by a service manager: those belong to this object, which
   * closes the ones that no listener wants.
   */
  static async open(
    listeners: readonly ListenerToBind[],
    shardCount: number,
    addon: SocketMaker | undefined,
    inherited?: readonly InheritedListener[],
  ): Promise<ListeningSockets> {
    const sockets = new ListeningSockets(shardCount, addon, inherited);
    try {
      await sockets.add(listeners);
    } finally {
      sockets.#closeInherited();
    }
    return sockets;
  }

  #inheritedFor(listener: ListenerToBind): InheritedListener | undefined {
    const named = [...this.#inherited.values()].find(({ name }) => name === listener.name);
    return named ?? this.#inherited.get(listenerKey(listener));
  }

  #closeInherited(): void {
    for (const { descriptors } of this.#inherited.values()) {
      for (const fd of descriptors) this.#addon!.closeDescriptor(fd);
    }
    this.#inherited.clear();
  }

  /** What a successor is given; the descriptors stay ours. Empty without the addon. */
  forSuccessor(listeners: readonly ListenerToBind[]): readonly InheritedListener[] {
    if (this.#addon === undefined) return [];
    return listeners.map((listener) => ({
      key: listenerKey(listener),
      address: this.addressOf(listener.slot),
      descriptors: this.#shards.flatMap((sockets) =>
        sockets.filter(({ slot }) => slot === listener.slot).map(({ fd }) => fd),
      ),
      isShared: this.#shared.has(listener.slot),
    }));
  }

  /** A successor listens on them: they are no longer ours to remove. */
  leaveUnixPaths(): void {
    this.#unixPaths.clear();
  }

  /**
   * Binds the listeners for every shard. Throws ProxyError `bind_failed` that names each listener and address that cannot be had; then
   * none of them is bound. Without the addon only the addresses are tried: the engine of the shard binds.
   */
  async add(listeners: readonly ListenerToBind[]): Promise<void> {
    const failures: string[] = [];
    // All are tried before any is bound: `0.0.0.0:80` and `[::]:80` may stand side by side only with SO_REUSEPORT.
    const addresses = new Map<ListenerToBind, SocketAddress>();
    for (const listener of listeners) {
      const tried = await this.#tryAddress(listener);
      if (tried instanceof ProxyError) failures.push(tried.message);
      else addresses.set(listener, tried);
    }
    if (failures.length > 0) throw new ProxyError('bind_failed', failures.join('\n'));
    try {
      for (const [listener, address] of addresses) this.#bind(listener, address);
    } catch (error) {
      this.remove(listeners.map(({ slot }) => slot));
      throw error;
    }
  }

  /** Lets go of listeners, in every shard; where a shard still holds one, it decides when that stops to listen. Removes paths of unix sockets. */
  remove(slots: readonly number[]): void {
    for (const [shard, sockets] of this.#shards.entries()) {
      this.#closeAll(sockets.filter(({ slot }) => slots.includes(slot)));
      this.#shards[shard] = sockets.filter(({ slot }) => !slots.includes(slot));
    }
    for (const slot of slots) {
      this.#addresses.delete(slot);
      this.#shared.delete(slot);
      this.#removeUnixPath(slot);
    }
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
    this.#closeAll(this.#shards[index]!);
    this.#shards[index] = [];
  }

  /** Lets go of everything, and removes the paths of unix sockets. */
  close(): void {
    for (const index of this.#shards.keys()) this.closeShard(index);
    this.removeUnixPaths();
  }

  /** So that new clients are refused at once, and the next process finds the path free. Only if the path is still the socket we made. */
  removeUnixPaths(): void {
    for (const slot of [...this.#unixPaths.keys()]) this.#removeUnixPath(slot);
  }

  #removeUnixPath(slot: number): void {
    const made = this.#unixPaths.get(slot);
    if (made !== undefined && inodeOf(made.path) === made.inode) unlinkSync(made.path);
    this.#unixPaths.delete(slot);
  }

  #closeAll(sockets: readonly ListenerSocket[]): void {
    for (const { fd } of sockets) if (fd !== NO_DESCRIPTOR) this.#addon!.closeDescriptor(fd);
  }

  /** Where a listener will be bound, or why it cannot be. The kernel's choice for port 0 is made here where no addon can make it later. */
  async #tryAddress(listener: ListenerToBind): Promise<SocketAddress | ProxyError> {
    const hasAddon = this.#addon !== undefined;
    const address = parseAddress(listener.address);
    invariant(typeof address !== 'string' && address.family !== 'name', 'the address of a listener was checked');
    if (this.#inheritedFor(listener) !== undefined) return address;
    const fail = (code: string) => bindError(`listener ${listener.name}`, listener.address, code);
    if (address.family === 'unix') {
      // The addon itself replaces a dead socket, and refuses to replace a living one.
      const code = hasAddon ? undefined : await freeUnixPath(address.path);
      return code === undefined ? address : fail(code);
    }
    if (hasAddon && (address.port === 0 || this.#holdsPort(address.port))) return address;
    const tried = await probePort(address);
    if ('code' in tried) return fail(tried.code);
    return { ...address, port: tried.port };
  }

  /** A reload may move a listener from `0.0.0.0:80` to `10.0.0.1:80`: the old one is still there, and with SO_REUSEPORT both can be. */
  #holdsPort(port: number): boolean {
    const inherited = [...this.#inherited.values()].map(({ address }) => address);
    return [...this.#addresses.values(), ...inherited].some((text) => text.endsWith(`:${port}`));
  }

  #bind(listener: ListenerToBind, address: SocketAddress): void {
    const inherited = this.#inheritedFor(listener);
    if (inherited !== undefined && this.#addon !== undefined) {
      this.#adopt(listener, address, inherited, this.#addon);
    } else if (this.#addon === undefined) {
      this.#put(listener.slot, formatAddress(address), () => NO_DESCRIPTOR);
    } else if (address.family === 'unix') {
      this.#bindUnix(listener, address.path, this.#addon);
    } else {
      this.#bindPort(listener, address, this.#addon);
    }
  }

  /** One inherited socket for each shard; for shards that there were not before, one more of the same address. */
  #adopt(listener: ListenerToBind, address: SocketAddress, inherited: InheritedListener, addon: SocketMaker): void {
    const { descriptors, isShared, address: bound } = inherited;
    this.#inherited.delete(inherited.key);
    if (isShared) this.#shared.add(listener.slot);
    const first = descriptors[0]!;
    const another = () => {
      if (isShared || address.family === 'unix') return addon.duplicateDescriptor(first);
      return addon.listenSocket(address.host, addon.socketPort(first), BACKLOG);
    };
    if (address.family === 'unix') this.#ownPath(listener.slot, address.path);
    this.#put(listener.slot, bound, (shard) => descriptors[shard] ?? succeed(another(), listener));
    for (const fd of descriptors.slice(this.#shards.length)) addon.closeDescriptor(fd);
  }

  #ownPath(slot: number, path: string): void {
    const inode = inodeOf(path);
    if (inode !== undefined) this.#unixPaths.set(slot, { path, inode });
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
    this.#ownPath(listener.slot, path);
    this.#shared.add(listener.slot);
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

function succeed(result: number, listener: ListenerToBind): number {
  if (result < 0) throw bindError(`listener ${listener.name}`, listener.address, errnoName(-result));
  return result;
}

function inodeOf(path: string): bigint | undefined {
  return lstatSync(path, { throwIfNoEntry: false, bigint: true })?.ino;
}
