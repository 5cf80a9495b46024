/**
 * Response heads (RFC 9112 section 4), as strict as requests: a head that is wrong is never repaired, the exchange fails instead.
 *
 * Hot path: one pass, no allocation, no strings, no throw. Given the same bytes, the verdict is the same however they arrive.
 */
import { asciiBytes, equalsLowerCased } from '../../core/bytes.ts';
import { frameResponse } from './body-framing.ts';
import { CHARACTERS, CR, DIGIT, LF, SPACE, VALUE } from './characters.ts';
import { readConnectionOptions } from './connection-options.ts';
import {
  BodyKind,
  HEADER_WORDS,
  type HeadLimits,
  SCAN_MALFORMED,
  SCAN_NEEDS_MORE,
  scanFields,
  VALUE_END,
  VALUE_START,
} from './head-fields.ts';
import { Method } from './request-head.ts';
import type { ResponseHead } from './response-head.ts';

const VERSION = asciiBytes('HTTP/1.');
const TIMEOUT = asciiBytes('timeout=');
const ZERO = 0x30;
const ONE = 0x31;
const NINE = 0x39;
const COMMA = 0x2c;
/** Of `HTTP/1.1 200`. */
const STATUS_END = 12;
const KEEP_ALIVE_MAX_S = 1_000_000;

/** The one failure: `malformed_response`. */
export const RESPONSE_REFUSED = -1;

/**
 * Parses the head that begins at `start`; nothing at or after `end` is read. Returns the length of the head, with every field of `head`
 * set; or 0, if more bytes are needed; or RESPONSE_REFUSED. `requestMethod` (a Method) decides with the status whether
 * there is a body.
 *
 * One empty line before the status line is skipped: widespread servers send one after 100 (Continue), and it cannot be mistaken
 * for anything else.
 */
export function parseResponseHead(
  bytes: Uint8Array,
  start: number,
  end: number,
  limits: HeadLimits,
  head: ResponseHead,
  requestMethod: number = Method.OTHER,
): number {
  const headMaxBytes = limits.headMaxBytes;
  const isCut = end - start >= headMaxBytes;
  const scanEnd = isCut ? start + headMaxBytes : end;
  const needsMore = isCut ? RESPONSE_REFUSED : 0;

  let lineStart = start;
  if (start < end && bytes[start] === CR) {
    if (start + 1 >= scanEnd) return needsMore;
    if (bytes[start + 1] !== LF) return RESPONSE_REFUSED;
    lineStart = start + 2;
  }
  const fieldsStart = scanStatusLine(bytes, lineStart, scanEnd, head);
  if (fieldsStart < 0) return RESPONSE_REFUSED;
  if ((fieldsStart > 0 ? fieldsStart : scanEnd + 1) - lineStart > limits.lineMaxBytes) return RESPONSE_REFUSED;
  if (fieldsStart === SCAN_NEEDS_MORE) return needsMore;

  const headEnd = scanFields(bytes, fieldsStart, scanEnd, limits, head);
  if (headEnd <= 0) return headEnd === SCAN_NEEDS_MORE ? needsMore : RESPONSE_REFUSED;
  head.start = start;
  head.length = headEnd - start;
  if (!frameResponse(bytes, head, requestMethod)) return RESPONSE_REFUSED;
  readConnectionOptions(bytes, head);
  if (head.bodyKind === BodyKind.UNTIL_CLOSE) head.keepAlive = 0;
  head.keepAliveTimeoutS = head.keepAliveIndex < 0 ? -1 : readKeepAliveTimeout(bytes, head);
  return head.length;
}

/** `HTTP-version SP status-code [SP [reason-phrase]] CR LF`. Returns the offset after the line, or a SCAN_ value. */
function scanStatusLine(bytes: Uint8Array, from: number, end: number, head: ResponseHead): number {
  const statusEnd = from + STATUS_END;
  if (statusEnd >= end) return isStatusPrefix(bytes, from, end) ? SCAN_NEEDS_MORE : SCAN_MALFORMED;
  if (!isStatusPrefix(bytes, from, statusEnd)) return SCAN_MALFORMED;
  head.versionMinor = bytes[from + 7]! - ZERO;
  head.status = (bytes[from + 9]! - ZERO) * 100 + (bytes[from + 10]! - ZERO) * 10 + (bytes[from + 11]! - ZERO);

  let at = statusEnd;
  if (bytes[at] === SPACE) {
    at++;
    head.reasonStart = at;
    while (at < end && (CHARACTERS[bytes[at]!]! & VALUE) !== 0) at++;
    if (at >= end) return SCAN_NEEDS_MORE;
  } else head.reasonStart = at;
  head.reasonEnd = at;
  if (bytes[at] !== CR) return SCAN_MALFORMED;
  if (++at >= end) return SCAN_NEEDS_MORE;
  return bytes[at] === LF ? at + 1 : SCAN_MALFORMED;
}

/** Whether `bytes[from, end)`, at most STATUS_END bytes, begins a status line. */
function isStatusPrefix(bytes: Uint8Array, from: number, end: number): boolean {
  const length = end - from;
  const versionBytes = Math.min(length, VERSION.length);
  for (let index = 0; index < versionBytes; index++) if (bytes[from + index] !== VERSION[index]) return false;
  if (length > 7 && bytes[from + 7] !== ONE && bytes[from + 7] !== ZERO) return false;
  if (length > 8 && bytes[from + 8] !== SPACE) return false;
  if (length > 9 && (bytes[from + 9]! < ONE || bytes[from + 9]! > ONE + 4)) return false;
  if (length > 10 && (CHARACTERS[bytes[from + 10]!]! & DIGIT) === 0) return false;
  return length <= 11 || (CHARACTERS[bytes[from + 11]!]! & DIGIT) !== 0;
}

/** `timeout=N` of the first Keep-Alive field, or -1. */
function readKeepAliveTimeout(bytes: Uint8Array, head: ResponseHead): number {
  const word = head.keepAliveIndex * HEADER_WORDS;
  const end = head.headers[word + VALUE_END]!;
  let at = head.headers[word + VALUE_START]!;
  while (at < end) {
    while (at < end && (bytes[at] === SPACE || bytes[at] === COMMA)) at++;
    const digitsAt = at + TIMEOUT.length;
    if (digitsAt < end && equalsLowerCased(bytes, at, digitsAt, TIMEOUT)) return readSeconds(bytes, digitsAt, end);
    while (at < end && bytes[at] !== COMMA) at++;
  }
  return -1;
}

function readSeconds(bytes: Uint8Array, start: number, end: number): number {
  let seconds = -1;
  for (let at = start; at < end && bytes[at]! >= ZERO && bytes[at]! <= NINE; at++) {
    seconds = Math.min(Math.max(seconds, 0) * 10 + (bytes[at]! - ZERO), KEEP_ALIVE_MAX_S);
  }
  return seconds;
}
