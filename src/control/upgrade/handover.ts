/**
 * What a proxy hands to its successor: its listening sockets, over a pair of unix sockets (SCM_RIGHTS, unix(7)), and what the successor could not know
 * from the configuration. Both sides are the same program, though perhaps not the same version: what a side does not know, it passes over.
 */
import { getSystemErrorName } from 'node:util';
import { ProxyError } from '../../core/errors.ts';
import type { Addon } from '../../engine/binding.ts';

/** As the addon has it (native/handover.h). */
const DESCRIPTORS_PER_MESSAGE = 250;
/** One byte says whether more follow. */
const TEXT_BYTES_PER_MESSAGE = 64 * 1024 - 1;
const MORE = 1;
const LAST = 0;
/** Whoever receives may be busy starting. */
const RETRY_MS = 5;
export const HANDOVER_TIMEOUT_MS = 10_000;
/** 16,384 endpoints with long names are some MiB. */
const TEXT_MAX_BYTES = 64 * 1024 * 1024;

type HandoverAddon = Pick<Addon, 'sendDescriptors' | 'receiveDescriptors' | 'closeDescriptor'>;

/** The sockets of one listener. */
export interface InheritedListener {
  /** See `listenerKey`. */
  readonly key: string;
  /** Of the listener that it is for, whatever its address. Undefined: the key decides. */
  readonly name?: string | undefined;
  /** As bound: port 0 is replaced by the real one. */
  readonly address: string;
  /** One per shard, in their order. */
  readonly descriptors: readonly number[];
  /** All of them are one socket: there may be no other on that address. */
  readonly isShared: boolean;
}

export interface InheritedEndpoint {
  readonly cluster: string;
  /** As in the status. */
  readonly address: string;
  /** Numbers of the board. */
  readonly admin: number;
  readonly health: number;
}

export interface Handover {
  readonly listeners: readonly InheritedListener[];
  /** The listening socket of the admin API. */
  readonly admin?: { readonly address: string; readonly descriptor: number } | undefined;
  /** Of the predecessor: a shard for each socket, or somebody waits in a queue that nobody reads. */
  readonly shardCount: number;
  /** For session tickets, the newest first. */
  readonly ticketKeys?: Uint8Array | undefined;
  /** Those that are not as they would be after a start. */
  readonly endpoints: readonly InheritedEndpoint[];
}

/** What is sent as text: descriptors are places in the list that goes with it. */
interface HandoverText {
  readonly listeners: readonly InheritedListener[];
  readonly admin?: { readonly address: string; readonly descriptor: number };
  readonly shardCount: number;
  readonly ticketKeys?: string;
  readonly endpoints: readonly InheritedEndpoint[];
}

/** Sends everything; the descriptors stay the caller's. Throws ProxyError `upgrade_failed`. */
export async function sendHandover(addon: HandoverAddon, socket: number, handover: Handover): Promise<void> {
  const descriptors: number[] = [];
  const place = (descriptor: number) => descriptors.push(descriptor) - 1;
  const { listeners, admin, shardCount, ticketKeys, endpoints } = handover;
  const text: HandoverText = {
    listeners: listeners.map((listener) => ({ ...listener, descriptors: listener.descriptors.map(place) })),
    ...(admin && { admin: { ...admin, descriptor: place(admin.descriptor) } }),
    shardCount,
    ...(ticketKeys && { ticketKeys: Buffer.from(ticketKeys).toString('base64') }),
    endpoints,
  };
  await sendMessages(addon, socket, Buffer.from(JSON.stringify(text)), Int32Array.from(descriptors));
}

async function sendMessages(
  addon: HandoverAddon,
  socket: number,
  bytes: Buffer,
  descriptors: Int32Array,
): Promise<void> {
  const dueMs = performance.now() + HANDOVER_TIMEOUT_MS;
  const count = Math.max(
    Math.ceil(bytes.length / TEXT_BYTES_PER_MESSAGE),
    Math.ceil(descriptors.length / DESCRIPTORS_PER_MESSAGE),
  );
  for (let index = 0; index < count; index++) {
    const piece = bytes.subarray(index * TEXT_BYTES_PER_MESSAGE, (index + 1) * TEXT_BYTES_PER_MESSAGE);
    const message = Buffer.concat([Uint8Array.of(index + 1 < count ? MORE : LAST), piece]);
    const own = descriptors.subarray(index * DESCRIPTORS_PER_MESSAGE, (index + 1) * DESCRIPTORS_PER_MESSAGE);
    let result = addon.sendDescriptors(socket, message, own);
    while (result < 0 && errorName(result) === 'EAGAIN' && performance.now() < dueMs) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      result = addon.sendDescriptors(socket, message, own);
    }
    if (result < 0) throw new ProxyError('upgrade_failed', `the sockets cannot be handed over: ${errorName(result)}`);
  }
}

/** Waits for what `sendHandover` sends, blocking the thread. The descriptors are the caller's. Throws ProxyError `upgrade_failed`. */
export function receiveHandover(addon: HandoverAddon, socket: number): Handover {
  const pieces: Uint8Array[] = [];
  const descriptors: number[] = [];
  let length = 0;
  try {
    for (let isLast = false; !isLast; ) {
      const message = addon.receiveDescriptors(socket, HANDOVER_TIMEOUT_MS);
      if (typeof message === 'number') throw new Error(errorName(message));
      if (message.bytes.length === 0) throw new Error('the predecessor is gone');
      descriptors.push(...message.descriptors);
      pieces.push(message.bytes.subarray(1));
      length += message.bytes.length;
      if (length > TEXT_MAX_BYTES) throw new Error('it is too long');
      isLast = message.bytes[0] === LAST;
    }
    return readText(JSON.parse(Buffer.concat(pieces).toString()) as HandoverText, descriptors);
  } catch (error) {
    for (const descriptor of descriptors) addon.closeDescriptor(descriptor);
    throw new ProxyError('upgrade_failed', `nothing was handed over: ${(error as Error).message}`, { cause: error });
  }
}

function readText(text: HandoverText, descriptors: readonly number[]): Handover {
  const at = (place: number) => {
    const descriptor = descriptors[place];
    if (descriptor === undefined) throw new Error('a socket is missing');
    return descriptor;
  };
  const { listeners, admin, shardCount, ticketKeys, endpoints } = text;
  return {
    listeners: listeners.map((listener) => ({ ...listener, descriptors: listener.descriptors.map(at) })),
    admin: admin && { ...admin, descriptor: at(admin.descriptor) },
    shardCount,
    ticketKeys: ticketKeys === undefined ? undefined : Buffer.from(ticketKeys, 'base64'),
    endpoints,
  };
}

function errorName(result: number): string {
  return getSystemErrorName(result);
}

/** Who a listener is over processes: its address; but each that asks for any free port has one of its own. */
export function listenerKey({ name, address }: { readonly name: string; readonly address: string }): string {
  return !address.startsWith('unix:') && address.endsWith(':0') ? `${name} ${address}` : address;
}
