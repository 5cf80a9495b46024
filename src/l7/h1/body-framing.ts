/**
 * One framing or a refusal: how many bytes belong to a message is decided here, before any byte of it is forwarded, and nowhere
 * else. Whatever two readers could understand in two ways is refused (RFC 9112 section 6, RFC 9110 section 8.6).
 *
 * Hot path: no allocation, no strings, no throw.
 */
import { asciiBytes, equalsLowerCased } from '../../core/bytes.ts';
import { CHARACTERS, TOKEN } from './characters.ts';
import { BodyKind, HEADER_WORDS, type HeadFields, VALUE_END, VALUE_START } from './head-fields.ts';
import { Header } from './header-names.ts';
import { Method, type RequestHead } from './request-head.ts';
import { Refusal } from './request-refusals.ts';
import type { ResponseHead } from './response-head.ts';

const CHUNKED = asciiBytes('chunked');
const ZERO = 0x30;

/** 15 digits stay below 2^53, so a length is always an exact number. */
const LENGTH_MAX_DIGITS = 15;
const LENGTH_REFUSED = -1;

const REPEATED_LENGTH = 1 << Header.CONTENT_LENGTH;
const REPEATED_CODING = 1 << Header.TRANSFER_ENCODING;

/**
 * Sets `bodyKind` and `contentLength` of a request. Returns 0 or a Refusal. A request body is never delimited by the end of the
 * connection.
 */
export function frameRequest(bytes: Uint8Array, head: RequestHead): number {
  head.bodyKind = BodyKind.NONE;
  head.contentLength = -1;
  if (head.transferEncodingIndex >= 0) return frameCodedRequest(bytes, head);
  if (head.contentLengthIndex < 0) return 0;
  if ((head.repeated & REPEATED_LENGTH) !== 0) return Refusal.FRAMING;
  const length = readContentLength(bytes, head);
  if (length === LENGTH_REFUSED) return Refusal.FRAMING;
  head.contentLength = length;
  if (length > 0) head.bodyKind = BodyKind.LENGTH;
  return 0;
}

function frameCodedRequest(bytes: Uint8Array, head: RequestHead): number {
  if (head.contentLengthIndex >= 0 || head.versionMinor === 0) return Refusal.FRAMING;
  if ((head.repeated & REPEATED_CODING) !== 0) return Refusal.FRAMING;
  if (!isChunked(bytes, head)) return isOneCoding(bytes, head) ? Refusal.TRANSFER_CODING : Refusal.FRAMING;
  head.bodyKind = BodyKind.CHUNKED;
  return 0;
}

/**
 * Sets `bodyKind` and `contentLength` of a response to a request with that method (a Method). Returns whether its framing is sound.
 * Responses that have no body whatever they say (RFC 9112 section 6.3) must not contradict themselves either.
 */
export function frameResponse(bytes: Uint8Array, head: ResponseHead, requestMethod: number): boolean {
  head.contentLength = -1;
  head.bodyKind = BodyKind.UNTIL_CLOSE;
  if (head.transferEncodingIndex >= 0) {
    if (head.contentLengthIndex >= 0 || head.versionMinor === 0) return false;
    if ((head.repeated & REPEATED_CODING) !== 0 || !isChunked(bytes, head)) return false;
    head.bodyKind = BodyKind.CHUNKED;
  } else if (head.contentLengthIndex >= 0) {
    if ((head.repeated & REPEATED_LENGTH) !== 0) return false;
    const length = readContentLength(bytes, head);
    if (length === LENGTH_REFUSED) return false;
    head.contentLength = length;
    head.bodyKind = length > 0 ? BodyKind.LENGTH : BodyKind.NONE;
  }
  const { status } = head;
  if (requestMethod === Method.HEAD || status === 204 || status === 304 || status < 200) head.bodyKind = BodyKind.NONE;
  return true;
}

/** The value of the first Content-Length, which must be 1 to 15 digits and nothing else, or LENGTH_REFUSED. */
function readContentLength(bytes: Uint8Array, head: HeadFields): number {
  const word = head.contentLengthIndex * HEADER_WORDS;
  const start = head.headers[word + VALUE_START]!;
  const end = head.headers[word + VALUE_END]!;
  if (end === start || end - start > LENGTH_MAX_DIGITS) return LENGTH_REFUSED;
  let length = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return LENGTH_REFUSED;
    length = length * 10 + digit;
  }
  return length;
}

function isChunked(bytes: Uint8Array, head: HeadFields): boolean {
  const word = head.transferEncodingIndex * HEADER_WORDS;
  return equalsLowerCased(bytes, head.headers[word + VALUE_START]!, head.headers[word + VALUE_END]!, CHUNKED);
}

/** Whether Transfer-Encoding is a single bare token: a coding one may honestly ask for, and that we do not know. */
function isOneCoding(bytes: Uint8Array, head: HeadFields): boolean {
  const word = head.transferEncodingIndex * HEADER_WORDS;
  const start = head.headers[word + VALUE_START]!;
  const end = head.headers[word + VALUE_END]!;
  for (let at = start; at < end; at++) {
    if ((CHARACTERS[bytes[at]!]! & TOKEN) === 0) return false;
  }
  return end > start;
}
