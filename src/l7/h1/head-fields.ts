/**
 * Field lines (RFC 9112 section 5) of a request or a response: where they are kept, and the scan that finds them.
 *
 * Hot path: one pass, no allocation, no strings, no throw, no call per byte. Offsets are absolute on the slab.
 */
import { viewOf } from '../../core/bytes.ts';
import { CHARACTERS, COLON, CR, LF, SPACE, TAB, TOKEN, UNDERSCORE, VALUE } from './characters.ts';
import {
  findHeader,
  findUnderscored,
  HEADER_INDEXED_MAX,
  HEADER_TRAITS,
  HEADER_UNKNOWN,
  Header,
  NAME_MAX_BYTES,
  NOT_RECOGNIZED,
  recognizeHeader,
} from './header-names.ts';

/** Words of one field in `headers`: nameStart, nameEnd, valueStart, valueEnd (white space trimmed), id of the name. The line ends two
 *  bytes after the white space that follows the value; the next field, or the empty line, begins there. */
export const HEADER_WORDS = 5;
export const NAME_START = 0;
export const NAME_END = 1;
export const VALUE_START = 2;
export const VALUE_END = 3;
export const NAME_ID = 4;

/** The same byte four times. */
const HIGHEST_BITS = 0x80808080 | 0;
const ONES = 0x01010101;
const SPACES = 0x20202020;
const DELETES = 0x7f7f7f7f;
const COLONS = 0x3a3a3a3a;

/** Fields a head has room for unless told otherwise. */
const HEADERS_DEFAULT_MAX_COUNT = 128;

export interface HeadLimits {
  /** Whole head, empty line included. */
  readonly headMaxBytes: number;
  readonly headersMaxCount: number;
  /** One line, its CR LF included. */
  readonly lineMaxBytes: number;
}

/** What body follows a head. */
export const BodyKind = {
  /** No byte of a body follows. */
  NONE: 0,
  /** `contentLength` bytes follow, at least one. */
  LENGTH: 1,
  CHUNKED: 2,
  /** Responses only: everything up to the end of the connection. */
  UNTIL_CLOSE: 3,
} as const;

/** The parts that a request head and a response head share. */
export class HeadFields {
  /** The first byte of the head, and how many it has, an empty line before the first line included. */
  start = 0;
  length = 0;
  /** 0 or 1, of HTTP/1.x. */
  versionMinor = 1;

  /** Field lines: from the first one's first byte to the empty line that ends the head, exclusive. */
  fieldsStart = 0;
  fieldsEnd = 0;
  headerCount = 0;
  /** HEADER_WORDS per field. */
  readonly headers: Int32Array;
  /** The TRAIT_ bits of all fields together: lets a caller skip a scan for what is not there. */
  traits = 0;
  /** Bit `1 << id` for each indexed name that occurs more than once. */
  repeated = 0;

  // The first field of that name, or -1.
  hostIndex = -1;
  contentLengthIndex = -1;
  transferEncodingIndex = -1;
  connectionIndex = -1;
  upgradeIndex = -1;
  expectIndex = -1;
  keepAliveIndex = -1;

  /** CONNECTION_ bits: see connection-options.ts. */
  connectionOptions = 0;
  /** 1 if the connection may serve another message after this one, as far as this head says. */
  keepAlive = 1;
  /** A BodyKind. */
  bodyKind: number = BodyKind.NONE;
  /** Value of Content-Length, or -1 where there is none. Begins as a fraction so that the engine keeps it as a double at once. */
  contentLength = -0.5;

  constructor(headersMaxCount = HEADERS_DEFAULT_MAX_COUNT) {
    this.headers = new Int32Array(headersMaxCount * HEADER_WORDS);
  }
}

/** Results of a scan besides the offset after what was scanned, which is always above 0. */
export const SCAN_NEEDS_MORE = 0;
export const SCAN_MALFORMED = -1;
export const SCAN_TOO_LONG = -2;

/**
 * Reads field lines from `from` to the empty line that ends the head. Returns the offset after that line, or a SCAN_ value. Nothing at
 * or after `end` is read.
 */
export function scanFields(bytes: Uint8Array, from: number, end: number, limits: HeadLimits, head: HeadFields): number {
  const { headers } = head;
  const lineMaxBytes = limits.lineMaxBytes;
  const wordsMax = Math.min(limits.headersMaxCount * HEADER_WORDS, headers.length);
  const view = viewOf(bytes);
  // Before here, four bytes may be read at once.
  const last = end - 3;
  let word = 0;
  let traits = 0;
  let at = from;
  let lineStart = from;
  clearIndexes(head);
  head.fieldsStart = from;

  for (;;) {
    lineStart = at;
    if (at >= end) break;
    if (bytes[at] === CR) {
      if (++at >= end) break;
      if (bytes[at] !== LF) return verdictAt(at, lineStart, lineMaxBytes);
      head.fieldsEnd = lineStart;
      head.headerCount = word / HEADER_WORDS;
      head.traits = traits;
      return at + 1;
    }
    if (word === wordsMax) return SCAN_TOO_LONG;

    let nameEnd = findColon(view, lineStart, Math.min(last, lineStart + NAME_MAX_BYTES + 1));
    let id = nameEnd > lineStart ? recognizeHeader(view, lineStart, nameEnd) : NOT_RECOGNIZED;
    if (id === NOT_RECOGNIZED) {
      let seen = 0;
      while (at < end) {
        const kind = CHARACTERS[bytes[at]!]!;
        if ((kind & TOKEN) === 0) break;
        seen |= kind;
        at++;
      }
      if (at >= end) break;
      if (bytes[at] !== COLON || at === lineStart) return verdictAt(at, lineStart, lineMaxBytes);
      nameEnd = at;
      const isUnderscored = (seen & UNDERSCORE) !== 0;
      id = isUnderscored ? findUnderscored(bytes, lineStart, nameEnd) : findHeader(bytes, lineStart, nameEnd);
    }
    at = nameEnd + 1;
    while (at < end && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
    const valueStart = at;
    // Four at a time: values are most of a head.
    for (; at < last; at += 4) {
      const odd = notOfValue(view.getInt32(at, true));
      if (odd === 0) continue;
      at += lowestByteOf(odd);
      break;
    }
    while (at < end && (CHARACTERS[bytes[at]!]! & VALUE) !== 0) at++;
    if (at >= end) break;
    let valueEnd = at;
    if (bytes[at] !== CR) return verdictAt(at, lineStart, lineMaxBytes);
    if (++at >= end) break;
    if (bytes[at] !== LF) return verdictAt(at, lineStart, lineMaxBytes);
    if (++at - lineStart > lineMaxBytes) return SCAN_TOO_LONG;
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === SPACE || bytes[valueEnd - 1] === TAB)) valueEnd--;

    if (id !== HEADER_UNKNOWN) {
      traits |= HEADER_TRAITS[id]!;
      if (id <= HEADER_INDEXED_MAX) noteIndex(head, id, word / HEADER_WORDS);
    }
    headers[word + NAME_START] = lineStart;
    headers[word + NAME_END] = nameEnd;
    headers[word + VALUE_START] = valueStart;
    headers[word + VALUE_END] = valueEnd;
    headers[word + NAME_ID] = id;
    word += HEADER_WORDS;
  }
  return end - lineStart >= lineMaxBytes ? SCAN_TOO_LONG : SCAN_NEEDS_MORE;
}

/** Where the first colon in `[start, end)` is, or -1. Up to three bytes behind `end` are read. */
function findColon(view: DataView, start: number, end: number): number {
  for (let at = start; at < end; at += 4) {
    const different = view.getInt32(at, true) ^ COLONS;
    const colons = (different - ONES) & ~different & HIGHEST_BITS;
    if (colons !== 0) return at + lowestByteOf(colons);
  }
  return -1;
}

/** The first of four bytes that has a bit set, 0 to 3. */
function lowestByteOf(four: number): number {
  return (31 - Math.clz32(four & -four)) >> 3;
}

/**
 * The highest bit of each of four bytes that is a control character, and so the end of a value unless it is HTAB. With its highest bit set, a byte keeps it
 * in each subtraction unless it is what that looks for, and so takes nothing from its neighbour (Warren, "Hacker's Delight", 2-18); obs-text has it
 * to begin with.
 */
function notOfValue(four: number): number {
  const set = four | HIGHEST_BITS;
  return ~((set - SPACES) & ((set ^ DELETES) - ONES)) & ~four & HIGHEST_BITS;
}

/**
 * A byte that may not be there. Beyond the limit of a line it is the limit that was broken first: so the verdict is the same
 * however the bytes arrive.
 */
function verdictAt(at: number, lineStart: number, lineMaxBytes: number): number {
  return at - lineStart >= lineMaxBytes ? SCAN_TOO_LONG : SCAN_MALFORMED;
}

function clearIndexes(head: HeadFields): void {
  head.repeated = 0;
  head.hostIndex = -1;
  head.contentLengthIndex = -1;
  head.transferEncodingIndex = -1;
  head.connectionIndex = -1;
  head.upgradeIndex = -1;
  head.expectIndex = -1;
  head.keepAliveIndex = -1;
}

function noteIndex(head: HeadFields, id: number, index: number): void {
  switch (id) {
    case Header.HOST:
      if (head.hostIndex < 0) head.hostIndex = index;
      else head.repeated |= 1 << id;
      break;
    case Header.CONTENT_LENGTH:
      if (head.contentLengthIndex < 0) head.contentLengthIndex = index;
      else head.repeated |= 1 << id;
      break;
    case Header.TRANSFER_ENCODING:
      if (head.transferEncodingIndex < 0) head.transferEncodingIndex = index;
      else head.repeated |= 1 << id;
      break;
    case Header.CONNECTION:
      if (head.connectionIndex < 0) head.connectionIndex = index;
      else head.repeated |= 1 << id;
      break;
    case Header.UPGRADE:
      if (head.upgradeIndex < 0) head.upgradeIndex = index;
      else head.repeated |= 1 << id;
      break;
    case Header.EXPECT:
      if (head.expectIndex < 0) head.expectIndex = index;
      else head.repeated |= 1 << id;
      break;
    case Header.KEEP_ALIVE:
      if (head.keepAliveIndex < 0) head.keepAliveIndex = index;
      else head.repeated |= 1 << id;
      break;
  }
}
