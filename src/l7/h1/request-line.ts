/**
 * The request line (RFC 9112 section 3): `method SP request-target SP HTTP-version CR LF`, with exactly those separators.
 *
 * Hot path: one pass, no allocation, no strings, no throw, no call per byte.
 */
import { asciiBytes, equalsLowerCased } from '../../core/bytes.ts';
import { CHARACTERS, CR, DIGIT, LF, PATH, QUERY, SPACE, TOKEN } from './characters.ts';
import { SCAN_NEEDS_MORE } from './head-fields.ts';
import { Method, type RequestHead, TargetForm } from './request-head.ts';
import { Refusal } from './request-refusals.ts';

const SLASH = 0x2f;
const ASTERISK = 0x2a;
const QUESTION_MARK = 0x3f;
const DOT = 0x2e;
const ZERO = 0x30;
const ONE = 0x31;

const HTTP_SLASH = asciiBytes('HTTP/');
const HTTP_SCHEME = asciiBytes('http://');
const HTTPS_SCHEME = asciiBytes('https://');
/** Of `HTTP/1.1`. */
const VERSION_BYTES = 8;

/**
 * Reads the line at `from`. Returns the offset after it, SCAN_NEEDS_MORE, or a negated Refusal, in which case `head.stoppedAt` is the
 * byte that was wrong.
 */
export function scanRequestLine(bytes: Uint8Array, from: number, end: number, head: RequestHead): number {
  let at = from;
  head.methodStart = from;
  while (at < end && (CHARACTERS[bytes[at]!]! & TOKEN) !== 0) at++;
  if (at >= end) return SCAN_NEEDS_MORE;
  if (bytes[at] !== SPACE || at === from) return refuse(head, at, Refusal.MALFORMED);
  head.methodEnd = at++;

  const targetStart = at;
  while (at < end && (CHARACTERS[bytes[at]!]! & PATH) !== 0) at++;
  const pathEnd = at;
  if (at < end && bytes[at] === QUESTION_MARK) {
    at++;
    while (at < end && (CHARACTERS[bytes[at]!]! & QUERY) !== 0) at++;
  }
  if (at >= end) return SCAN_NEEDS_MORE;
  if (bytes[at] !== SPACE || at === targetStart) return refuse(head, at, Refusal.MALFORMED);
  head.targetStart = targetStart;
  head.targetEnd = at;
  head.pathStart = targetStart;
  head.pathEnd = pathEnd;
  head.queryStart = pathEnd;
  head.queryEnd = at;
  return scanVersion(bytes, at + 1, end, head);
}

function scanVersion(bytes: Uint8Array, from: number, end: number, head: RequestHead): number {
  const lineEnd = from + VERSION_BYTES;
  if (
    lineEnd + 2 <= end &&
    bytes[from] === HTTP_SLASH[0] &&
    bytes[from + 1] === HTTP_SLASH[1] &&
    bytes[from + 2] === HTTP_SLASH[2] &&
    bytes[from + 3] === HTTP_SLASH[3] &&
    bytes[from + 4] === SLASH &&
    bytes[from + 5] === ONE &&
    bytes[from + 6] === DOT &&
    (bytes[from + 7] === ONE || bytes[from + 7] === ZERO) &&
    bytes[lineEnd] === CR &&
    bytes[lineEnd + 1] === LF
  ) {
    head.versionMinor = bytes[from + 7]! - ZERO;
    return lineEnd + 2;
  }
  return explainVersion(bytes, from, end, head);
}

/** The cold half of `scanVersion`: says what is wrong, or that it is only not there yet. */
function explainVersion(bytes: Uint8Array, from: number, end: number, head: RequestHead): number {
  for (let index = 0; index < VERSION_BYTES; index++) {
    const at = from + index;
    if (at >= end) return SCAN_NEEDS_MORE;
    const isRight =
      index < HTTP_SLASH.length
        ? bytes[at] === HTTP_SLASH[index]
        : index === HTTP_SLASH.length + 1
          ? bytes[at] === DOT
          : (CHARACTERS[bytes[at]!]! & DIGIT) !== 0;
    if (!isRight) return refuse(head, at, Refusal.MALFORMED);
  }
  const minor = bytes[from + 7]!;
  if (bytes[from + 5] !== ONE || (minor !== ZERO && minor !== ONE)) return refuse(head, from + 7, Refusal.VERSION);
  const lineEnd = from + VERSION_BYTES;
  if (lineEnd >= end) return SCAN_NEEDS_MORE;
  if (bytes[lineEnd] !== CR) return refuse(head, lineEnd, Refusal.MALFORMED);
  if (lineEnd + 1 >= end) return SCAN_NEEDS_MORE;
  return refuse(head, lineEnd + 1, Refusal.MALFORMED);
}

function refuse(head: RequestHead, at: number, refusal: number): number {
  head.stoppedAt = at;
  return -refusal;
}

/** Names the method and takes the target apart. Returns 0 or a Refusal. `secure`: whether the listener ends TLS. */
export function readTarget(bytes: Uint8Array, head: RequestHead, secure: boolean): number {
  head.authorityStart = head.targetStart;
  head.authorityEnd = head.targetStart;
  head.method = methodOf(bytes, head.methodStart, head.methodEnd);
  if (head.method === Method.CONNECT) {
    head.targetForm = TargetForm.AUTHORITY;
    return Refusal.METHOD;
  }
  if (bytes[head.targetStart] === SLASH) {
    head.targetForm = TargetForm.ORIGIN;
    return 0;
  }
  if (bytes[head.targetStart] === ASTERISK && head.targetEnd === head.targetStart + 1) {
    head.targetForm = TargetForm.ASTERISK;
    return head.method === Method.OPTIONS ? 0 : Refusal.MALFORMED;
  }
  return readAbsoluteForm(bytes, head, secure ? HTTPS_SCHEME : HTTP_SCHEME);
}

function readAbsoluteForm(bytes: Uint8Array, head: RequestHead, scheme: Uint8Array): number {
  const authorityStart = head.targetStart + scheme.length;
  if (authorityStart >= head.pathEnd) return Refusal.MALFORMED;
  if (!equalsLowerCased(bytes, head.targetStart, authorityStart, scheme)) return Refusal.MALFORMED;
  let at = authorityStart;
  while (at < head.pathEnd && bytes[at] !== SLASH) at++;
  // A URI of http or https without a host is invalid (RFC 9110 section 4.2.1).
  if (at === authorityStart) return Refusal.MALFORMED;
  head.targetForm = TargetForm.ABSOLUTE;
  head.authorityStart = authorityStart;
  head.authorityEnd = at;
  head.pathStart = at;
  return 0;
}

const METHOD_NAMES: readonly (readonly [method: number, name: Uint8Array])[] = Object.entries(Method)
  .filter(([, method]) => method !== Method.OTHER)
  .map(([name, method]) => [method, asciiBytes(name)]);
const METHOD_MAX_BYTES = 7;
/** Method by length and first two bytes (GET, PUT, POST, PATCH begin with the same letter or have the same length), or OTHER. */
const methods = new Uint8Array(256);
const methodTexts: Uint8Array[] = [];
for (const [method, name] of METHOD_NAMES) {
  methods[methodKey(name.length, name[0]!, name[1]!)] = method;
  methodTexts[method] = name;
}

function methodKey(length: number, first: number, second: number): number {
  return (length * 5 + first + second * 7) & 0xff;
}

/** Methods are case-sensitive (RFC 9110 section 9.1). */
function methodOf(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length < 3 || length > METHOD_MAX_BYTES) return Method.OTHER;
  const method = methods[methodKey(length, bytes[start]!, bytes[start + 1]!)]!;
  if (method === Method.OTHER) return Method.OTHER;
  const text = methodTexts[method]!;
  if (text.length !== length) return Method.OTHER;
  for (let index = 0; index < length; index++) {
    if (bytes[start + index] !== text[index]) return Method.OTHER;
  }
  return method;
}
