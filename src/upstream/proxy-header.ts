/**
 * The PROXY header that tells an endpoint who the client of a connection is (haproxy.org, proxy-protocol.txt, sections 2.1 and 2.2). Written on
 * the slab, once per connection, before anything else is sent on it.
 */
import type { SocketAddress } from '../core/address.ts';
import { asciiBytes } from '../core/bytes.ts';
import { type IpWords, readIpAddress } from '../core/ip-address.ts';
import type { Dispatcher } from '../engine/dispatcher.ts';

/** One end of a connection, as bytes and as text. `write` gives the length of what it wrote. */
export interface AnnouncedAddress extends IpWords {
  readonly port: number;
  write(bytes: Uint8Array, offset: number): number;
}

/** The two ends of the client's connection. */
export interface Announcement {
  readonly source: AnnouncedAddress;
  /** Undefined: where the connection `downstream` came in. */
  readonly destination: AnnouncedAddress | undefined;
  readonly downstream: number;
}

export type ProxyVersion = 'v1' | 'v2';

/** The longest line of version 1; version 2 takes 52 bytes. */
export const PROXY_HEADER_MAX_BYTES = 107;

const SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
/** Version 2, and the commands LOCAL and PROXY. */
const LOCAL = 0x20;
const PROXY = 0x21;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;
const IPV4_BLOCK_BYTES = 12;
const IPV6_BLOCK_BYTES = 36;
const MAPPED_WORD = 0xffff;

const UNKNOWN_LINE = asciiBytes('PROXY UNKNOWN\r\n');
const LINE_OF_IPV4 = asciiBytes('PROXY TCP4 ');
const LINE_OF_IPV6 = asciiBytes('PROXY TCP6 ');
const MAPPED_PREFIX = asciiBytes('::ffff:');
const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;

/** Sends the header as the first bytes of the connection `id`. No SEND may be open; the scratch must have room for PROXY_HEADER_MAX_BYTES. */
export function sendProxyHeader(dispatcher: Dispatcher, id: number, version: ProxyVersion, ends: Announcement): void {
  const { commands, engine, scratch } = dispatcher;
  const destination = ends.destination ?? addressOf(engine.localAddress(ends.downstream));
  const offset = scratch.take(PROXY_HEADER_MAX_BYTES);
  commands.send(id, 0, 0, offset, writeProxyHeader(scratch.bytes, offset, version, ends.source, destination));
}

/**
 * Writes the header at `bytes[offset]` and returns its length, at most PROXY_HEADER_MAX_BYTES. Where one end has no IP address (a unix socket)
 * it says that nothing is known. Ends of two families are both told as IPv6.
 */
export function writeProxyHeader(
  bytes: Uint8Array,
  offset: number,
  version: ProxyVersion,
  source: AnnouncedAddress,
  destination: AnnouncedAddress,
): number {
  const isKnown = source.family !== 0 && destination.family !== 0;
  const isIpv4 = source.family === 4 && destination.family === 4;
  const end =
    version === 'v1'
      ? writeLine(bytes, offset, source, destination, isKnown, isIpv4)
      : writeBinary(bytes, offset, source, destination, isKnown, isIpv4);
  return end - offset;
}

function writeLine(
  bytes: Uint8Array,
  offset: number,
  source: AnnouncedAddress,
  destination: AnnouncedAddress,
  isKnown: boolean,
  isIpv4: boolean,
): number {
  if (!isKnown) return put(bytes, offset, UNKNOWN_LINE);
  let at = put(bytes, offset, isIpv4 ? LINE_OF_IPV4 : LINE_OF_IPV6);
  at = putAddress(bytes, at, source, isIpv4);
  bytes[at++] = SPACE;
  at = putAddress(bytes, at, destination, isIpv4);
  at = put(bytes, at, asciiBytes(` ${source.port} ${destination.port}`));
  bytes[at++] = CR;
  bytes[at++] = LF;
  return at;
}

function put(bytes: Uint8Array, at: number, text: Uint8Array): number {
  bytes.set(text, at);
  return at + text.length;
}

function putAddress(bytes: Uint8Array, at: number, address: AnnouncedAddress, isIpv4: boolean): number {
  const start = !isIpv4 && address.family === 4 ? put(bytes, at, MAPPED_PREFIX) : at;
  return start + address.write(bytes, start);
}

function writeBinary(
  bytes: Uint8Array,
  offset: number,
  source: AnnouncedAddress,
  destination: AnnouncedAddress,
  isKnown: boolean,
  isIpv4: boolean,
): number {
  let at = put(bytes, offset, SIGNATURE);
  // LOCAL is what every receiver must accept; it then takes the addresses of the connection itself.
  bytes[at++] = isKnown ? PROXY : LOCAL;
  bytes[at++] = isKnown ? (isIpv4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6) : 0;
  at = putWord16(bytes, at, isKnown ? (isIpv4 ? IPV4_BLOCK_BYTES : IPV6_BLOCK_BYTES) : 0);
  if (!isKnown) return at;
  at = putWords(bytes, at, source, isIpv4);
  at = putWords(bytes, at, destination, isIpv4);
  at = putWord16(bytes, at, source.port);
  return putWord16(bytes, at, destination.port);
}

function putWords(bytes: Uint8Array, offset: number, address: AnnouncedAddress, isIpv4: boolean): number {
  if (isIpv4) return putWord32(bytes, offset, address.word0);
  const isMapped = address.family === 4;
  let at = putWord32(bytes, offset, isMapped ? 0 : address.word0);
  at = putWord32(bytes, at, isMapped ? 0 : address.word1);
  at = putWord32(bytes, at, isMapped ? MAPPED_WORD : address.word2);
  return putWord32(bytes, at, isMapped ? address.word0 : address.word3);
}

function putWord32(bytes: Uint8Array, at: number, word: number): number {
  return putWord16(bytes, putWord16(bytes, at, word >>> 16), word);
}

function putWord16(bytes: Uint8Array, at: number, word: number): number {
  bytes[at] = (word >>> 8) & 0xff;
  bytes[at + 1] = word & 0xff;
  return at + 2;
}

/** An address of our own. Makes strings: once per connection. */
function addressOf(local: SocketAddress | undefined): AnnouncedAddress {
  const words: IpWords = { family: 0, word0: 0, word1: 0, word2: 0, word3: 0 };
  if (local === undefined || local.family === 'unix') return { ...words, port: 0, write: () => 0 };
  const text = asciiBytes(local.host);
  readIpAddress(text, 0, text.length, words);
  // A mapped address has become IPv4, whose text is behind the last colon.
  const shown = words.family === 4 ? asciiBytes(local.host.slice(local.host.lastIndexOf(':') + 1)) : text;
  return {
    ...words,
    port: local.port,
    write: (bytes, offset) => {
      bytes.set(shown, offset);
      return shown.length;
    },
  };
}
