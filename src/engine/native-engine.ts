import type { SocketAddress } from '../core/address.ts';
import { invariant } from '../core/invariant.ts';
import { type AddonEngine, loadAddon } from './binding.ts';
import type { Engine, EngineOptions, RoundHandler } from './engine.ts';
import { COMMANDS_MAX_WORDS, COUNTERS_LENGTH, EVENT_WORDS, EVENTS_MAX, SLAB_BYTES } from './protocol.ts';
import type { SecureContext, SecureTarget } from './secure-context.ts';

/** The engine in C++ (native/engine.h): an epoll set that also waits for libuv. Linux only; check `loadAddon()` first. */
export class NativeEngine implements Engine {
  readonly kind = 'native';
  readonly slab = new Uint8Array(SLAB_BYTES);
  readonly events = new Int32Array(EVENTS_MAX * EVENT_WORDS);
  readonly commands = new Int32Array(COMMANDS_MAX_WORDS);
  readonly counters = new Float64Array(COUNTERS_LENGTH);
  readonly #native: AddonEngine;
  #closed: Promise<void> | undefined;

  constructor(options: EngineOptions) {
    const { addon, reason } = loadAddon();
    invariant(addon !== undefined, `the native engine was asked for, but ${reason}`);
    this.#native = new addon.NativeEngine(this.slab, this.events, this.commands, this.counters, options.descriptorsMax);
  }

  start(onRound: RoundHandler): void {
    this.#native.start(onRound);
  }

  submit(words: number): void {
    this.#native.submit(words);
  }

  adoptListener(listener: number, fd: number): number {
    return this.#native.adoptListener(listener, fd);
  }

  pauseListener(listener: number): void {
    this.#native.pauseListener(listener);
  }

  resumeListener(listener: number): void {
    this.#native.resumeListener(listener);
  }

  closeListener(listener: number): void {
    this.#native.closeListener(listener);
  }

  rememberContext(context: SecureContext): number | string {
    return this.#native.rememberContext(context);
  }

  forgetContext(handle: number): void {
    this.#native.forgetContext(handle);
  }

  setTicketKeys(keys: Uint8Array): void {
    invariant(this.#native.setTicketKeys(keys), 'ticket keys have their length and are not too many');
  }

  secureFailure(id: number): string {
    return this.#native.secureFailure(id);
  }

  peerCertificate(id: number): Uint8Array | undefined {
    return this.#native.peerCertificate(id);
  }

  rememberAddress(address: SocketAddress, secure?: SecureTarget): number {
    const { context = -1, serverName = '' } = secure ?? {};
    return address.family === 'unix'
      ? this.#native.rememberAddress(0, address.path, 0, context, serverName)
      : this.#native.rememberAddress(address.family, address.host, address.port, context, serverName);
  }

  forgetAddress(handle: number): void {
    this.#native.forgetAddress(handle);
  }

  dial(addressHandle: number): number {
    return this.#native.dial(addressHandle);
  }

  redial(id: number, addressHandle: number): number {
    return this.#native.redial(id, addressHandle);
  }

  reserve(): number {
    return this.#native.reserve();
  }

  progress(id: number): number {
    return this.#native.progress(id);
  }

  localAddress(id: number): SocketAddress | undefined {
    const text = this.#native.localAddress(id);
    if (text === undefined) return undefined;
    const [family, port, ...rest] = text.split(' ');
    const host = rest.join(' ');
    if (family === '0') return { family: 'unix', path: host };
    return { family: family === '4' ? 4 : 6, host, port: Number(port) };
  }

  isOpen(id: number): boolean {
    return this.#native.isOpen(id);
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => this.#native.close(resolve));
    return this.#closed;
  }
}
