/**
 * Who is at the other end of an accepted connection, as the engine tells it: four 32-bit words, the address's first byte on top of the first
 * word, IPv4 in the first word alone. Hot path: no strings, no allocation.
 */
import type { X509Certificate } from 'node:crypto';
import { hashWord, mixHash } from '../core/hash.ts';
import type { IpWords } from '../core/ip-address.ts';

/** Most bytes that `ClientAddress.write` writes: eight groups of four digits and their colons. */
export const ADDRESS_TEXT_MAX_BYTES = 39;

const GROUPS = 8;

const DOT = 0x2e;
const COLON = 0x3a;
const DIGIT_ZERO = 0x30;
const DECIMAL_LENGTH_SHIFT = 24;
const LETTER_A_LESS_TEN = 0x61 - 10;
const UNIX_TEXT = Uint8Array.from('unix:', (character) => character.charCodeAt(0));

/** What TLS has told of a client. */
export interface SecureClient {
  /** What was asked of it: the number that the plan gives to that (ListenerTlsPlan.policies). */
  readonly policy: number;
  /** What it has shown, and was believed. */
  readonly certificate: X509Certificate | undefined;
}

export class ClientAddress implements IpWords {
  /** 4, 6, or 0 for a unix socket. */
  family = 0;
  word0 = 0;
  word1 = 0;
  word2 = 0;
  word3 = 0;
  port = 0;
  /** Undefined: it does not speak TLS with us. */
  secure: SecureClient | undefined = undefined;

  /** Takes over what ACCEPTED says: `at` is the index of the first address word in `events`. */
  read(family: number, port: number, events: Int32Array, at: number): void {
    this.family = family;
    this.port = port;
    this.word0 = events[at]!;
    this.word1 = events[at + 1]!;
    this.word2 = events[at + 2]!;
    this.word3 = events[at + 3]!;
  }

  copy(other: ClientAddress): void {
    this.family = other.family;
    this.port = other.port;
    this.secure = other.secure;
    this.word0 = other.word0;
    this.word1 = other.word1;
    this.word2 = other.word2;
    this.word3 = other.word3;
  }

  clone(): ClientAddress {
    const clone = new ClientAddress();
    clone.copy(this);
    return clone;
  }

  /** Unsigned 32 bits of the address without its port: a client keeps its endpoint over all its connections. */
  hash(): number {
    let hash = hashWord(this.family, this.word0);
    if (this.family === 6) hash = hashWord(hashWord(hashWord(hash, this.word1), this.word2), this.word3);
    return mixHash(hash);
  }

  /**
   * Writes the address without its port as text at `bytes[offset]`, where there is room for ADDRESS_TEXT_MAX_BYTES, and returns its length:
   * dotted IPv4, IPv6 as in RFC 5952, `unix:` for a unix socket (whose clients have no address).
   */
  write(bytes: Uint8Array, offset: number): number {
    if (this.family === 4) return writeIpv4(bytes, offset, this.word0) - offset;
    if (this.family === 6) return this.#writeIpv6(bytes, offset) - offset;
    bytes.set(UNIX_TEXT, offset);
    return UNIX_TEXT.length;
  }

  /** 16 bits: what stands between two colons. */
  #group(index: number): number {
    const word = index < 4 ? (index < 2 ? this.word0 : this.word1) : index < 6 ? this.word2 : this.word3;
    return (index & 1) === 0 ? word >>> 16 : word & 0xffff;
  }

  /** RFC 5952 section 4: lower case, no leading zeros, the longest run of two or more zero groups (the first of equals) is `::`. */
  #writeIpv6(bytes: Uint8Array, offset: number): number {
    let runStart = -1;
    let runLength = 1;
    for (let start = 0; start < GROUPS; start++) {
      const length = this.#zeroGroupsFrom(start);
      if (length <= runLength) continue;
      runStart = start;
      runLength = length;
    }
    let at = offset;
    for (let index = 0; index < GROUPS; index++) {
      if (index === runStart) {
        bytes[at++] = COLON;
        bytes[at++] = COLON;
        index += runLength - 1;
        continue;
      }
      if (index > 0 && index !== runStart + runLength) bytes[at++] = COLON;
      at = writeHex(bytes, at, this.#group(index));
    }
    return at;
  }

  #zeroGroupsFrom(start: number): number {
    let end = start;
    while (end < GROUPS && this.#group(end) === 0) end++;
    return end - start;
  }
}

/** By value of a byte of an address: its digits, the first lowest, and on top how many there are. */
const DECIMALS = Int32Array.from({ length: 256 }, (_, value) => {
  const digits = String(value);
  let word = digits.length << DECIMAL_LENGTH_SHIFT;
  for (let index = 0; index < digits.length; index++) word |= digits.charCodeAt(index) << (8 * index);
  return word;
});

/** Each byte as if it had three digits: what is too many of them, the next one overwrites. */
function writeIpv4(bytes: Uint8Array, offset: number, word: number): number {
  let at = offset;
  for (let shift = 24; shift >= 0; shift -= 8) {
    const digits = DECIMALS[(word >>> shift) & 0xff]!;
    bytes[at] = digits;
    bytes[at + 1] = digits >>> 8;
    bytes[at + 2] = digits >>> 16;
    at += digits >>> DECIMAL_LENGTH_SHIFT;
    if (shift > 0) bytes[at++] = DOT;
  }
  return at;
}

/** Lower case, without leading zeros. */
function writeHex(bytes: Uint8Array, offset: number, group: number): number {
  let at = offset;
  for (let shift = 12; shift >= 0; shift -= 4) {
    if (shift > 0 && group >>> shift === 0) continue;
    const digit = (group >>> shift) & 0xf;
    bytes[at++] = digit < 10 ? DIGIT_ZERO + digit : LETTER_A_LESS_TEN + digit;
  }
  return at;
}
