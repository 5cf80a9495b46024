/**
 * IP addresses as four 32-bit words, the way the engine tells them: the first octet is the highest byte of the first word, IPv4 is in the
 * first word alone. Hot path: no allocation, no strings, no throw.
 */

/** Something that holds an address. */
export interface IpWords {
  /** 4, 6, or 0 for a unix socket, which has no address. */
  family: number;
  word0: number;
  word1: number;
  word2: number;
  word3: number;
}

const DOT = 0x2e;
const COLON = 0x3a;
const ZERO = 0x30;
const NINE = 0x39;
const LOWER_A = 0x61;
const UPPER_A = 0x41;

const OCTETS = 4;
const OCTET_MAX = 255;
const OCTET_MAX_DIGITS = 3;
const GROUPS = 8;
const GROUP_MAX_DIGITS = 4;
/** The second half of the 96 bits before an IPv4 address in IPv6 (RFC 4291 section 2.5.5.2). */
const MAPPED_WORD = 0xffff;

/** Where a group or octet that was just read ends; the value is returned. One thread, no re-entry. */
let stoppedAt = 0;
const groups = new Uint16Array(GROUPS);

/**
 * Reads the text `bytes[start, end)` into `into`: dotted IPv4 without leading zeros, or IPv6 (RFC 4291 section 2.2; no brackets, no zone).
 * IPv4-mapped IPv6 becomes IPv4, so that one client has one address. Returns false, with `into` untouched, for anything else.
 */
export function readIpAddress(bytes: Uint8Array, start: number, end: number, into: IpWords): boolean {
  for (let at = start; at < end && at < start + GROUP_MAX_DIGITS + 1; at++) {
    if (bytes[at] === COLON) return readIpv6(bytes, start, end, into);
  }
  return readIpv4(bytes, start, end, into);
}

/** As `readIpAddress`, of IPv4 only. */
export function readIpv4(bytes: Uint8Array, start: number, end: number, into: IpWords): boolean {
  let at = start;
  let word = 0;
  for (let octet = 0; octet < OCTETS; octet++) {
    if (octet > 0 && (at >= end || bytes[at++] !== DOT)) return false;
    const value = readOctet(bytes, at, end);
    if (value < 0) return false;
    at = stoppedAt;
    word = (word << 8) | value;
  }
  if (at !== end) return false;
  setIpv4(into, word);
  return true;
}

function setIpv4(into: IpWords, word: number): void {
  into.family = 4;
  into.word0 = word;
  into.word1 = 0;
  into.word2 = 0;
  into.word3 = 0;
}

function readOctet(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  let value = 0;
  while (at < end && at < start + OCTET_MAX_DIGITS && bytes[at]! >= ZERO && bytes[at]! <= NINE) {
    value = value * 10 + bytes[at]! - ZERO;
    at++;
  }
  const hasLeadingZero = bytes[start] === ZERO && at > start + 1;
  if (at === start || value > OCTET_MAX || hasLeadingZero) return -1;
  stoppedAt = at;
  return value;
}

/** As `readIpAddress`, of IPv6 only. */
export function readIpv6(bytes: Uint8Array, start: number, end: number, into: IpWords): boolean {
  let count = 0;
  /** Groups before the `::`, or -1. */
  let gapAt = -1;
  let at = start;
  if (end - start >= 2 && bytes[start] === COLON && bytes[start + 1] === COLON) {
    gapAt = 0;
    at = start + 2;
  }
  while (at < end) {
    if (count === GROUPS) return false;
    const value = readGroup(bytes, at, end);
    if (value < 0) return false;
    if (stoppedAt < end && bytes[stoppedAt] === DOT) {
      if (count > GROUPS - 2 || !readIpv4(bytes, at, end, tail)) return false;
      groups[count++] = tail.word0 >>> 16;
      groups[count++] = tail.word0 & 0xffff;
      break;
    }
    groups[count++] = value;
    at = stoppedAt;
    if (at === end) break;
    if (bytes[at++] !== COLON || at === end) return false;
    if (bytes[at] !== COLON) continue;
    if (gapAt >= 0) return false;
    gapAt = count;
    at++;
  }
  if (gapAt < 0 ? count !== GROUPS : count >= GROUPS) return false;
  spreadGroups(gapAt, count);
  setGroups(into);
  return true;
}

const tail: IpWords = { family: 0, word0: 0, word1: 0, word2: 0, word3: 0 };

function readGroup(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  let value = 0;
  while (at < end && at < start + GROUP_MAX_DIGITS) {
    const digit = hexDigit(bytes[at]!);
    if (digit < 0) break;
    value = value * 16 + digit;
    at++;
  }
  stoppedAt = at;
  return at === start ? -1 : value;
}

function hexDigit(byte: number): number {
  if (byte >= ZERO && byte <= NINE) return byte - ZERO;
  if (byte >= LOWER_A && byte < LOWER_A + 6) return byte - LOWER_A + 10;
  return byte >= UPPER_A && byte < UPPER_A + 6 ? byte - UPPER_A + 10 : -1;
}

/** Moves the groups behind the `::` to the end, and fills it with zeros. */
function spreadGroups(gapAt: number, count: number): void {
  if (gapAt < 0) return;
  const gap = GROUPS - count;
  groups.copyWithin(gapAt + gap, gapAt, count);
  groups.fill(0, gapAt, gapAt + gap);
}

function setGroups(into: IpWords): void {
  setIpv6(
    into,
    (groups[0]! << 16) | groups[1]!,
    (groups[2]! << 16) | groups[3]!,
    (groups[4]! << 16) | groups[5]!,
    (groups[6]! << 16) | groups[7]!,
  );
}

/** Sets an IPv6 address; an IPv4-mapped one becomes IPv4. */
export function setIpv6(into: IpWords, word0: number, word1: number, word2: number, word3: number): void {
  if (word0 === 0 && word1 === 0 && word2 === MAPPED_WORD) {
    setIpv4(into, word3);
    return;
  }
  into.family = 6;
  into.word0 = word0;
  into.word1 = word1;
  into.word2 = word2;
  into.word3 = word3;
}
