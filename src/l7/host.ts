/**
 * Host names as they stand in `Host` and in the authority of a target (RFC 3986 section 3.2, RFC 9110 section 7.2). Hot path: no
 * allocation, no strings, no throw.
 */
import { rangesEqualIgnoringCase } from '../core/bytes.ts';
import { CHARACTERS, COLON, HEX, REG_NAME } from './h1/characters.ts';

const DOT = 0x2e;
const PERCENT = 0x25;
const ZERO = 0x30;
const NINE = 0x39;
const BRACKET_OPEN = 0x5b;
const BRACKET_CLOSE = 0x5d;

const PORT_MAX = 65_535;
const LABEL_BYTE_MAX = 255;
const IPV6_GROUPS = 8;
const IPV6_GROUP_MAX_DIGITS = 4;

/** Port of an authority that names none. */
export const PORT_NONE = -1;
export const HOST_REFUSED = -1;

/**
 * Checks `host [":" port]` and returns where the host ends (a trailing dot and the port are after it), or HOST_REFUSED. Empty is fine and
 * means no host. Accepts a registered name, IPv4 and bracketed IPv6; refuses user-info, empty labels, commas, zone ids,
 * IPvFuture, ports above 65535.
 */
export function checkHost(bytes: Uint8Array, start: number, end: number): number {
  if (start === end) return start;
  const nameEnd = bytes[start] === BRACKET_OPEN ? ipv6End(bytes, start, end) : registeredNameEnd(bytes, start, end);
  if (nameEnd <= start) return HOST_REFUSED;
  if (nameEnd < end && readPort(bytes, nameEnd, end) === HOST_REFUSED_PORT) return HOST_REFUSED;
  return nameEnd - start > 1 && bytes[nameEnd - 1] === DOT ? nameEnd - 1 : nameEnd;
}

const HOST_REFUSED_PORT = -2;

/** The port of an authority whose host ends at `hostEnd` (see `checkHost`), or PORT_NONE if there is none, or it is empty. */
export function portAfter(bytes: Uint8Array, hostEnd: number, end: number): number {
  const at = hostEnd < end && bytes[hostEnd] === DOT ? hostEnd + 1 : hostEnd;
  return at === end ? PORT_NONE : readPort(bytes, at, end);
}

/**
 * Whether two authorities that `checkHost` accepted mean the same: case, a trailing dot and the default port do not count.
 * `hostEnd`s are its results.
 */
export function sameAuthority(
  bytes: Uint8Array,
  start: number,
  hostEnd: number,
  end: number,
  otherStart: number,
  otherHostEnd: number,
  otherEnd: number,
  defaultPort: number,
): boolean {
  if (!rangesEqualIgnoringCase(bytes, start, hostEnd, otherStart, otherHostEnd)) return false;
  const port = portAfter(bytes, hostEnd, end);
  const otherPort = portAfter(bytes, otherHostEnd, otherEnd);
  return (port === PORT_NONE ? defaultPort : port) === (otherPort === PORT_NONE ? defaultPort : otherPort);
}

/** Reads `":" *DIGIT`. */
function readPort(bytes: Uint8Array, colonAt: number, end: number): number {
  if (bytes[colonAt] !== COLON) return HOST_REFUSED_PORT;
  if (colonAt + 1 === end) return PORT_NONE;
  let port = 0;
  for (let at = colonAt + 1; at < end; at++) {
    const byte = bytes[at]!;
    if (byte < ZERO || byte > NINE) return HOST_REFUSED_PORT;
    port = port * 10 + (byte - ZERO);
    if (port > PORT_MAX) return HOST_REFUSED_PORT;
  }
  return port;
}

/** The offset after a registered name or IPv4 address, or HOST_REFUSED. A `:` or `end` ends it. */
function registeredNameEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  let previous = DOT;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte === COLON) return at;
    if (byte === DOT && previous === DOT) return HOST_REFUSED;
    if (byte === PERCENT) {
      if (!isEscape(bytes, at, end)) return HOST_REFUSED;
      at += 2;
    } else if ((CHARACTERS[byte]! & REG_NAME) === 0) return HOST_REFUSED;
    previous = byte;
    at++;
  }
  return at;
}

function isEscape(bytes: Uint8Array, at: number, end: number): boolean {
  return at + 2 < end && (CHARACTERS[bytes[at + 1]!]! & HEX) !== 0 && (CHARACTERS[bytes[at + 2]!]! & HEX) !== 0;
}

/** The offset after `[` IPv6address `]`, or HOST_REFUSED. */
function ipv6End(bytes: Uint8Array, start: number, end: number): number {
  let at = start + 1;
  let groups = 0;
  let compressed = false;
  if (bytes[at] === COLON && bytes[at + 1] === COLON) {
    compressed = true;
    at += 2;
  }
  while (at < end && bytes[at] !== BRACKET_CLOSE) {
    if (groups === IPV6_GROUPS) return HOST_REFUSED;
    const groupEnd = hexEnd(bytes, at, end);
    if (groupEnd < end && bytes[groupEnd] === DOT) {
      // An IPv4 address stands for the last two groups.
      at = ipv4End(bytes, at, end);
      groups += 2;
      if (at === HOST_REFUSED || at >= end || bytes[at] !== BRACKET_CLOSE) return HOST_REFUSED;
      break;
    }
    const digits = groupEnd - at;
    if (digits < 1 || digits > IPV6_GROUP_MAX_DIGITS) return HOST_REFUSED;
    groups++;
    at = groupEnd;
    if (at >= end || bytes[at] === BRACKET_CLOSE) break;
    if (bytes[at] !== COLON) return HOST_REFUSED;
    at++;
    if (at < end && bytes[at] === COLON) {
      if (compressed) return HOST_REFUSED;
      compressed = true;
      at++;
    } else if (at >= end || bytes[at] === BRACKET_CLOSE) return HOST_REFUSED;
  }
  if (at >= end || (compressed ? groups >= IPV6_GROUPS : groups !== IPV6_GROUPS)) return HOST_REFUSED;
  return at + 1;
}

function hexEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (CHARACTERS[bytes[at]!]! & HEX) !== 0) at++;
  return at;
}

/** The offset after four decimal numbers up to 255 without leading zeros, or HOST_REFUSED. */
function ipv4End(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (let part = 0; part < 4; part++) {
    if (part > 0) {
      if (at >= end || bytes[at] !== DOT) return HOST_REFUSED;
      at++;
    }
    const partStart = at;
    let value = 0;
    while (at < end && bytes[at]! >= ZERO && bytes[at]! <= NINE && value <= LABEL_BYTE_MAX) {
      value = value * 10 + (bytes[at]! - ZERO);
      at++;
    }
    if (at === partStart || value > LABEL_BYTE_MAX) return HOST_REFUSED;
    if (bytes[partStart] === ZERO && at - partStart > 1) return HOST_REFUSED;
  }
  return at;
}
