/**
 * The PROXY protocol, versions 1 and 2, as a receiver reads it: who the client of the one who connects is (haproxy.org, proxy-protocol.txt,
 * sections 2.1 and 2.2). No allocation, no strings, no throw; nothing outside of the range given is read.
 */
import { readIpv4, readIpv6, setIpv6 } from '../core/ip-address.ts';
import { ClientAddress } from './client-address.ts';
import { crc32cWithHole } from './crc32c.ts';

/** Results of `readProxyHeader` besides the length of a header, which is above 0. */
export const PROXY_NEEDS_MORE = 0;
/** The bytes are not the beginning of a header: something else is spoken here. */
export const PROXY_ABSENT = -1;
/** They began as a header, and are none. */
export const PROXY_MALFORMED = -2;

/** What a header said. Reused. */
export class ProxyHeader {
  readonly source = new ClientAddress();
  readonly destination = new ClientAddress();
  /** False: the header is right, and the addresses of the connection itself hold. */
  hasAddresses = false;
}

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const ZERO = 0x30;
const NINE = 0x39;
const PORT_MAX = 65_535;
const PORT_MAX_DIGITS = 5;

const V1_SIGNATURE = Uint8Array.from('PROXY ', (character) => character.charCodeAt(0));
const V1_UNKNOWN = Uint8Array.from('UNKNOWN', (character) => character.charCodeAt(0));
const V1_TCP = Uint8Array.from('TCP', (character) => character.charCodeAt(0));
const FOUR = 0x34;
const SIX = 0x36;
/** The longest line there can be, its CR LF included. */
const V1_MAX_BYTES = 107;

const V2_SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
const V2_HEAD_BYTES = 16;
/** Addresses take 216 bytes at most; what certificates and names add stays far below this. */
export const V2_MAX_BYTES = 4_096;
/** Version 2 in the upper four bits, the command in the lower ones. */
const COMMAND_AT = 12;
const LOCAL = 0x20;
const PROXY = 0x21;
const FAMILY_AT = 13;
const LENGTH_AT = 14;
const INET = 1;
const INET6 = 2;
const FAMILY_MAX = 3;
const STREAM = 1;
const TRANSPORT_MAX = 2;
/** Bytes of both addresses and ports, by family: unspecified, IPv4, IPv6, unix. */
const ADDRESS_BYTES = Uint8Array.of(0, 12, 36, 216);
const TLV_HEAD_BYTES = 3;
const TLV_CRC32C = 3;
const CRC_BYTES = 4;

/**
 * Reads the header that `bytes[start, end)` begins with. Returns its length, with `header` set; or PROXY_NEEDS_MORE, PROXY_ABSENT or
 * PROXY_MALFORMED. The same bytes give the same verdict however they arrive.
 */
export function readProxyHeader(bytes: Uint8Array, start: number, end: number, header: ProxyHeader): number {
  header.hasAddresses = false;
  if (begins(bytes, start, end, V1_SIGNATURE)) return readV1(bytes, start, end, header);
  return begins(bytes, start, end, V2_SIGNATURE) ? readV2(bytes, start, end, header) : PROXY_ABSENT;
}

/** Whether what is there agrees with the pattern, as far as it is there. */
function begins(bytes: Uint8Array, start: number, end: number, pattern: Uint8Array): boolean {
  const length = Math.min(end - start, pattern.length);
  for (let index = 0; index < length; index++) if (bytes[start + index] !== pattern[index]) return false;
  return true;
}

// --- Version 1: a line of text ----------------------------------------------------------------------------------------------------------

/** Where a field that was read ends. One thread, no re-entry. */
let stoppedAt = 0;

function readV1(bytes: Uint8Array, start: number, end: number, header: ProxyHeader): number {
  const limit = start + V1_MAX_BYTES;
  let at = start;
  while (at < end && at < limit - 1 && bytes[at] !== CR && bytes[at] !== LF) at++;
  if (at === limit - 1 || (at < end && bytes[at] === LF)) return PROXY_MALFORMED;
  if (at + 1 >= end) return PROXY_NEEDS_MORE;
  if (bytes[at + 1] !== LF) return PROXY_MALFORMED;
  return readLine(bytes, start + V1_SIGNATURE.length, at, header) ? at + 2 - start : PROXY_MALFORMED;
}

/** What stands between `PROXY ` and the end of the line. */
function readLine(bytes: Uint8Array, start: number, end: number, header: ProxyHeader): boolean {
  if (end - start >= V1_UNKNOWN.length && begins(bytes, start, end, V1_UNKNOWN)) {
    // Whatever follows is to be ignored.
    const at = start + V1_UNKNOWN.length;
    return at === end || bytes[at] === SPACE;
  }
  if (end - start <= V1_TCP.length || !begins(bytes, start, end, V1_TCP)) return false;
  const version = bytes[start + V1_TCP.length];
  if (version !== FOUR && version !== SIX) return false;
  const { source, destination } = header;
  stoppedAt = start + V1_TCP.length + 1;
  const isRead =
    readAddress(bytes, end, version, source) &&
    readAddress(bytes, end, version, destination) &&
    readPort(bytes, end, source) &&
    readPort(bytes, end, destination) &&
    stoppedAt === end;
  header.hasAddresses = isRead;
  return isRead;
}

/** Exactly one space, then an address. */
function readAddress(bytes: Uint8Array, end: number, version: number, into: ClientAddress): boolean {
  if (stoppedAt >= end || bytes[stoppedAt] !== SPACE) return false;
  const start = stoppedAt + 1;
  let at = start;
  while (at < end && bytes[at] !== SPACE) at++;
  stoppedAt = at;
  return version === FOUR ? readIpv4(bytes, start, at, into) : readIpv6(bytes, start, at, into);
}

/** Exactly one space, then a number without leading zeros. */
function readPort(bytes: Uint8Array, end: number, into: ClientAddress): boolean {
  if (stoppedAt >= end || bytes[stoppedAt] !== SPACE) return false;
  const start = stoppedAt + 1;
  let at = start;
  let port = 0;
  while (at < end && at < start + PORT_MAX_DIGITS && bytes[at]! >= ZERO && bytes[at]! <= NINE) {
    port = port * 10 + bytes[at]! - ZERO;
    at++;
  }
  if (at === start || port > PORT_MAX || (bytes[start] === ZERO && at > start + 1)) return false;
  stoppedAt = at;
  into.port = port;
  return true;
}

// --- Version 2: binary ------------------------------------------------------------------------------------------------------------------

function readV2(bytes: Uint8Array, start: number, end: number, header: ProxyHeader): number {
  const here = end - start;
  // What is wrong is said as soon as it is there.
  if (here <= COMMAND_AT) return PROXY_NEEDS_MORE;
  const command = bytes[start + COMMAND_AT]!;
  if (command !== LOCAL && command !== PROXY) return PROXY_MALFORMED;
  if (here <= FAMILY_AT) return PROXY_NEEDS_MORE;
  const isLocal = command === LOCAL;
  const family = bytes[start + FAMILY_AT]! >>> 4;
  const transport = bytes[start + FAMILY_AT]! & 0xf;
  if (!isLocal && (family > FAMILY_MAX || transport > TRANSPORT_MAX)) return PROXY_MALFORMED;
  if (here < V2_HEAD_BYTES) return PROXY_NEEDS_MORE;
  const length = V2_HEAD_BYTES + word16(bytes, start + LENGTH_AT);
  if (length > V2_MAX_BYTES) return PROXY_MALFORMED;
  if (!isLocal && length < V2_HEAD_BYTES + ADDRESS_BYTES[family]!) return PROXY_MALFORMED;
  if (here < length) return PROXY_NEEDS_MORE;
  // Of a connection of its own a sender may say what it likes, and of an unknown family nobody knows where the addresses end.
  if (isLocal || family === 0) return length;
  if (!checkExtensions(bytes, start, ADDRESS_BYTES[family]!, length)) return PROXY_MALFORMED;
  if (transport === STREAM && family === INET) takeIpv4(bytes, start + V2_HEAD_BYTES, header);
  else if (transport === STREAM && family === INET6) takeIpv6(bytes, start + V2_HEAD_BYTES, header);
  return length;
}

/** Types, lengths and values must fill the header to its last byte. The checksum counts if there is one; the rest is passed over. */
function checkExtensions(bytes: Uint8Array, start: number, addressBytes: number, length: number): boolean {
  const end = start + length;
  let at = start + V2_HEAD_BYTES + addressBytes;
  while (at < end) {
    if (end - at < TLV_HEAD_BYTES) return false;
    const valueAt = at + TLV_HEAD_BYTES;
    const valueBytes = word16(bytes, at + 1);
    if (valueBytes > end - valueAt) return false;
    if (bytes[at] === TLV_CRC32C) {
      if (valueBytes !== CRC_BYTES) return false;
      if (crc32cWithHole(bytes, start, end, valueAt, CRC_BYTES) !== word32(bytes, valueAt) >>> 0) return false;
    }
    at = valueAt + valueBytes;
  }
  return true;
}

function takeIpv4(bytes: Uint8Array, at: number, header: ProxyHeader): void {
  const { source, destination } = header;
  setIpv4(source, word32(bytes, at), word16(bytes, at + 8));
  setIpv4(destination, word32(bytes, at + 4), word16(bytes, at + 10));
  header.hasAddresses = true;
}

function setIpv4(address: ClientAddress, word: number, port: number): void {
  address.family = 4;
  address.word0 = word;
  address.word1 = 0;
  address.word2 = 0;
  address.word3 = 0;
  address.port = port;
}

function takeIpv6(bytes: Uint8Array, at: number, header: ProxyHeader): void {
  const { source, destination } = header;
  setIpv6(source, word32(bytes, at), word32(bytes, at + 4), word32(bytes, at + 8), word32(bytes, at + 12));
  setIpv6(destination, word32(bytes, at + 16), word32(bytes, at + 20), word32(bytes, at + 24), word32(bytes, at + 28));
  source.port = word16(bytes, at + 32);
  destination.port = word16(bytes, at + 34);
  header.hasAddresses = true;
}

function word16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function word32(bytes: Uint8Array, at: number): number {
  return (word16(bytes, at) << 16) | word16(bytes, at + 2);
}
