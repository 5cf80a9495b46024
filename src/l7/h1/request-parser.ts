/**
 * Request heads (RFC 9112 sections 2 to 6), parsed in place on the slab and as strictly as the grammar is written: what is not in it
 * is refused, never repaired.
 *
 * Hot path: one pass, no allocation, no strings, no throw. Given the same bytes, the verdict is the same however they arrive.
 */
import { asciiBytes, equalsLowerCased } from '../../core/bytes.ts';
import { checkHost, HOST_REFUSED, sameAuthority } from '../host.ts';
import { frameRequest } from './body-framing.ts';
import { CR, LF } from './characters.ts';
import { CONNECTION_UPGRADE, listHas, readConnectionOptions } from './connection-options.ts';
import {
  HEADER_WORDS,
  type HeadLimits,
  SCAN_NEEDS_MORE,
  SCAN_TOO_LONG,
  scanFields,
  VALUE_END,
  VALUE_START,
} from './head-fields.ts';
import { Header } from './header-names.ts';
import { type RequestHead, TargetForm } from './request-head.ts';
import { readTarget, scanRequestLine } from './request-line.ts';
import { Refusal } from './request-refusals.ts';

const CONTINUE = asciiBytes('100-continue');
const H2C = asciiBytes('h2c');
const HTTP_PORT = 80;
const HTTPS_PORT = 443;

/**
 * Parses the head that begins at `start`; nothing at or after `end` is read. Returns the length of the head, with every field of `head`
 * set; or 0, if more bytes are needed; or, below 0, a negated Refusal, whose error code is `REQUEST_REFUSALS[-result]`.
 * `secure` says whether the listener ends TLS: the scheme of an absolute target must agree.
 *
 * One empty line before the request line is skipped (RFC 9112 section 2.2).
 */
export function parseRequestHead(
  bytes: Uint8Array,
  start: number,
  end: number,
  limits: HeadLimits,
  head: RequestHead,
  secure = false,
): number {
  const headMaxBytes = limits.headMaxBytes;
  const isCut = end - start >= headMaxBytes;
  const scanEnd = isCut ? start + headMaxBytes : end;
  const needsMore = isCut ? -Refusal.HEAD_TOO_LARGE : 0;

  let lineStart = start;
  if (start < end && bytes[start] === CR) {
    if (start + 1 >= scanEnd) return needsMore;
    if (bytes[start + 1] !== LF) return -Refusal.MALFORMED;
    lineStart = start + 2;
  }
  const fieldsStart = scanRequestLine(bytes, lineStart, scanEnd, head);
  const lineBytes = (fieldsStart > 0 ? fieldsStart : fieldsStart < 0 ? head.stoppedAt + 1 : scanEnd + 1) - lineStart;
  if (lineBytes > limits.lineMaxBytes) return -Refusal.TARGET_TOO_LONG;
  if (fieldsStart <= 0) return fieldsStart === SCAN_NEEDS_MORE ? needsMore : fieldsStart;

  const headEnd = scanFields(bytes, fieldsStart, scanEnd, limits, head);
  if (headEnd <= 0) {
    if (headEnd === SCAN_NEEDS_MORE) return needsMore;
    return headEnd === SCAN_TOO_LONG ? -Refusal.HEAD_TOO_LARGE : -Refusal.MALFORMED;
  }
  head.start = start;
  head.length = headEnd - start;
  const refusal = understand(bytes, head, secure);
  return refusal === 0 ? head.length : -refusal;
}

/** What the lines mean together. Returns 0 or a Refusal. */
function understand(bytes: Uint8Array, head: RequestHead, secure: boolean): number {
  const target = readTarget(bytes, head, secure);
  if (target !== 0) return target;
  const framing = frameRequest(bytes, head);
  if (framing !== 0) return framing;
  if (!readHost(bytes, head, secure ? HTTPS_PORT : HTTP_PORT)) return Refusal.HOST;
  readConnectionOptions(bytes, head);
  readUpgrade(bytes, head);
  return readExpect(bytes, head) ? 0 : Refusal.EXPECTATION;
}

/** Checks Host, and the authority against it (RFC 9112 sections 3.2 and 3.2.2), and sets the host to route by. */
function readHost(bytes: Uint8Array, head: RequestHead, defaultPort: number): boolean {
  const { authorityStart, authorityEnd } = head;
  const isAbsolute = head.targetForm === TargetForm.ABSOLUTE;
  const authorityHostEnd = isAbsolute ? checkHost(bytes, authorityStart, authorityEnd) : authorityStart;
  if (authorityHostEnd === HOST_REFUSED) return false;
  head.hostStart = authorityStart;
  head.hostEnd = authorityHostEnd;
  if (head.hostIndex < 0) return head.versionMinor === 0;
  if ((head.repeated & (1 << Header.HOST)) !== 0) return false;

  const word = head.hostIndex * HEADER_WORDS;
  const start = head.headers[word + VALUE_START]!;
  const end = head.headers[word + VALUE_END]!;
  const hostEnd = checkHost(bytes, start, end);
  if (hostEnd === HOST_REFUSED) return false;
  head.hostStart = start;
  head.hostEnd = hostEnd;
  if (!isAbsolute) return true;
  return sameAuthority(bytes, start, hostEnd, end, authorityStart, authorityHostEnd, authorityEnd, defaultPort);
}

/** An upgrade to h2c is never passed on: what follows it would escape every rule of this proxy (RFC 9113 section 3.1). */
function readUpgrade(bytes: Uint8Array, head: RequestHead): void {
  head.wantsUpgrade = 0;
  if (head.upgradeIndex < 0 || (head.connectionOptions & CONNECTION_UPGRADE) === 0 || head.versionMinor === 0) return;
  if ((head.repeated & (1 << Header.UPGRADE)) !== 0) return;
  const word = head.upgradeIndex * HEADER_WORDS;
  const start = head.headers[word + VALUE_START]!;
  const end = head.headers[word + VALUE_END]!;
  head.wantsUpgrade = end > start && !listHas(bytes, start, end, H2C) ? 1 : 0;
}

function readExpect(bytes: Uint8Array, head: RequestHead): boolean {
  head.expectsContinue = 0;
  if (head.expectIndex < 0) return true;
  const word = head.expectIndex * HEADER_WORDS;
  const isContinue = equalsLowerCased(
    bytes,
    head.headers[word + VALUE_START]!,
    head.headers[word + VALUE_END]!,
    CONTINUE,
  );
  if (!isContinue || (head.repeated & (1 << Header.EXPECT)) !== 0) return false;
  head.expectsContinue = head.versionMinor;
  return true;
}

/**
 * For a head that arrives in pieces: whether parsing `bytes[start, end)` again is worth while, given that everything before `from` was
 * there the last time. Looks at the new bytes only, so a head that arrives byte by byte costs a scan of its length, not of
 * its square. True once an empty line may have come; the caller asks the parser also when a limit of size is reached.
 */
export function mayBeWholeHead(bytes: Uint8Array, start: number, from: number, end: number): boolean {
  // A line end and the one after it may be split by `from`: begin three bytes earlier.
  for (let at = Math.max(start, from - 3); at < end; at++) {
    if (bytes[at] !== LF) continue;
    const next = at + 1 < end && bytes[at + 1] === CR ? at + 2 : at + 1;
    if (next < end && bytes[next] === LF) return true;
  }
  return false;
}
