/**
 * The header names that the proxy knows, as small integers, and what it knows about each. A name is looked up by its length, its
 * first and its last character but one, and then compared in full; a name that is not known costs two table loads.
 */
import { asciiBytes, equalsLowerCased, LOWER_CASE, viewOf } from '../../core/bytes.ts';

/** Never forwarded: it is about this connection only (RFC 9110 section 7.6.1), or it must not reach an endpoint. */
export const TRAIT_HOP_BY_HOP = 1;
/** Not removed when `Connection` names it: framing, routing, authentication, and what we say ourselves. */
export const TRAIT_PROTECTED = 2;
/** Refused in a trailer section (RFC 9110 section 6.5.1). */
export const TRAIT_NOT_IN_TRAILERS = 4;
/** A claim about the client that is believed from trusted proxies only. */
export const TRAIT_CLAIM = 8;
/** Has a `_` in it. So that `HeadFields.traits` tells whether any name has. */
export const TRAIT_UNDERSCORE = 16;
/** Our own X-Forwarded-For, Forwarded or X-Request-Id may take its place. */
export const TRAIT_FORWARDED_FOR = 32;
export const TRAIT_FORWARDED = 64;
export const TRAIT_REQUEST_ID = 128;
/** Would be a name of this table if its `_` were `-`. Never forwarded to an endpoint. */
export const TRAIT_LOOKALIKE = 256;
/** Counted down (see max-forwards). */
export const TRAIT_MAX_FORWARDS = 512;
/** Says what certificate a client has shown: where we ask for one, nobody else may. */
export const TRAIT_CLIENT_CERTIFICATE = 1024;

/** Says to which trace a request belongs (W3C Trace Context). Ours takes its place where we trace. */
export const TRAIT_TRACE = 2048;

const HOP = TRAIT_HOP_BY_HOP | TRAIT_PROTECTED | TRAIT_NOT_IN_TRAILERS;
const CONTROL = TRAIT_PROTECTED | TRAIT_NOT_IN_TRAILERS;
const CLAIM = TRAIT_CLAIM | TRAIT_PROTECTED | TRAIT_NOT_IN_TRAILERS;

/** A name that is not in the table. */
export const HEADER_UNKNOWN = 0;

/** Ids. Those up to HEADER_INDEXED_MAX are noted while a head is parsed: see `HeadFields`. */
export const Header = {
  HOST: 1,
  CONTENT_LENGTH: 2,
  TRANSFER_ENCODING: 3,
  CONNECTION: 4,
  UPGRADE: 5,
  EXPECT: 6,
  KEEP_ALIVE: 7,
  PROXY_CONNECTION: 8,
  TE: 9,
  TRAILER: 10,
  PROXY_AUTHENTICATE: 11,
  PROXY_AUTHORIZATION: 12,
  PROXY: 13,
  HTTP2_SETTINGS: 14,
  FORWARDED: 15,
  X_FORWARDED_FOR: 16,
  X_FORWARDED_PROTO: 17,
  X_FORWARDED_HOST: 18,
  X_REAL_IP: 19,
  AUTHORIZATION: 20,
  WWW_AUTHENTICATE: 21,
  COOKIE: 22,
  SET_COOKIE: 23,
  CONTENT_TYPE: 24,
  CONTENT_ENCODING: 25,
  CONTENT_RANGE: 26,
  RANGE: 27,
  CACHE_CONTROL: 28,
  PRAGMA: 29,
  AGE: 30,
  EXPIRES: 31,
  DATE: 32,
  VARY: 33,
  LOCATION: 34,
  RETRY_AFTER: 35,
  MAX_FORWARDS: 36,
  IF_MATCH: 37,
  IF_NONE_MATCH: 38,
  IF_MODIFIED_SINCE: 39,
  IF_UNMODIFIED_SINCE: 40,
  IF_RANGE: 41,
  VIA: 42,
  SERVER: 43,
  USER_AGENT: 44,
  REFERER: 45,
  /** Any other `x-forwarded-...`. */
  X_FORWARDED_OTHER: 46,
  /** A name with `_` in it: an application that turns `-` into `_` could take it for another (CGI does). */
  UNDERSCORED: 47,
  X_REQUEST_ID: 48,
  /** A name with `_` in it that would be known if that were `-`. */
  LOOKALIKE: 49,
  /** `x-forwarded-client-cert-...`. */
  CLIENT_CERTIFICATE: 50,
  TRACEPARENT: 51,
  TRACESTATE: 52,
} as const;

export const HEADER_INDEXED_MAX = Header.KEEP_ALIVE;

const NAMES: readonly (readonly [id: number, name: string, traits: number])[] = [
  [Header.HOST, 'host', CONTROL],
  [Header.CONTENT_LENGTH, 'content-length', CONTROL],
  [Header.TRANSFER_ENCODING, 'transfer-encoding', HOP],
  [Header.CONNECTION, 'connection', HOP],
  [Header.UPGRADE, 'upgrade', HOP],
  [Header.EXPECT, 'expect', CONTROL],
  [Header.KEEP_ALIVE, 'keep-alive', HOP],
  [Header.PROXY_CONNECTION, 'proxy-connection', HOP],
  [Header.TE, 'te', HOP],
  // Describes the trailers that follow, which are forwarded; so it is, too (RFC 9110 section 6.6.2).
  [Header.TRAILER, 'trailer', CONTROL],
  [Header.PROXY_AUTHENTICATE, 'proxy-authenticate', HOP],
  [Header.PROXY_AUTHORIZATION, 'proxy-authorization', HOP],
  // CGI would make HTTP_PROXY of it (CVE-2016-5385).
  [Header.PROXY, 'proxy', HOP],
  // Belongs to an upgrade to h2c, which is never forwarded.
  [Header.HTTP2_SETTINGS, 'http2-settings', HOP],
  [Header.FORWARDED, 'forwarded', CLAIM | TRAIT_FORWARDED],
  [Header.X_FORWARDED_FOR, 'x-forwarded-for', CLAIM | TRAIT_FORWARDED_FOR],
  [Header.X_FORWARDED_PROTO, 'x-forwarded-proto', CLAIM],
  [Header.X_FORWARDED_HOST, 'x-forwarded-host', CLAIM],
  [Header.X_REAL_IP, 'x-real-ip', CLAIM],
  [Header.AUTHORIZATION, 'authorization', CONTROL],
  [Header.WWW_AUTHENTICATE, 'www-authenticate', CONTROL],
  [Header.COOKIE, 'cookie', CONTROL],
  [Header.SET_COOKIE, 'set-cookie', CONTROL],
  [Header.CONTENT_TYPE, 'content-type', CONTROL],
  [Header.CONTENT_ENCODING, 'content-encoding', CONTROL],
  [Header.CONTENT_RANGE, 'content-range', CONTROL],
  [Header.RANGE, 'range', CONTROL],
  [Header.CACHE_CONTROL, 'cache-control', CONTROL],
  [Header.PRAGMA, 'pragma', CONTROL],
  [Header.AGE, 'age', CONTROL],
  [Header.EXPIRES, 'expires', CONTROL],
  [Header.DATE, 'date', CONTROL],
  [Header.VARY, 'vary', CONTROL],
  [Header.LOCATION, 'location', CONTROL],
  [Header.RETRY_AFTER, 'retry-after', CONTROL],
  [Header.MAX_FORWARDS, 'max-forwards', CONTROL | TRAIT_MAX_FORWARDS],
  [Header.IF_MATCH, 'if-match', CONTROL],
  [Header.IF_NONE_MATCH, 'if-none-match', CONTROL],
  [Header.IF_MODIFIED_SINCE, 'if-modified-since', CONTROL],
  [Header.IF_UNMODIFIED_SINCE, 'if-unmodified-since', CONTROL],
  [Header.IF_RANGE, 'if-range', CONTROL],
  [Header.VIA, 'via', TRAIT_PROTECTED],
  [Header.SERVER, 'server', 0],
  [Header.USER_AGENT, 'user-agent', 0],
  [Header.REFERER, 'referer', 0],
  [Header.X_REQUEST_ID, 'x-request-id', TRAIT_PROTECTED | TRAIT_REQUEST_ID],
  [Header.TRACEPARENT, 'traceparent', TRAIT_TRACE],
  [Header.TRACESTATE, 'tracestate', TRAIT_TRACE],
];

/** Names that mean nothing to the proxy, but are in most heads: recognized, they are not read byte by byte. */
const USUAL_NAMES = [
  'accept',
  'accept-encoding',
  'accept-language',
  'accept-ranges',
  'alt-svc',
  'content-disposition',
  'content-language',
  'dnt',
  'etag',
  'last-modified',
  'link',
  'origin',
  'priority',
  'sec-ch-ua',
  'sec-ch-ua-mobile',
  'sec-ch-ua-platform',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'sec-fetch-user',
  'x-amzn-trace-id',
  'x-cache',
  'x-content-type-options',
  'x-frame-options',
  'x-powered-by',
  'x-requested-with',
  'x-xss-protection',
];

/** Traits by id. */
export const HEADER_TRAITS = new Uint16Array(53);
HEADER_TRAITS[Header.X_FORWARDED_OTHER] = CLAIM;
HEADER_TRAITS[Header.CLIENT_CERTIFICATE] = CLAIM | TRAIT_CLIENT_CERTIFICATE;
HEADER_TRAITS[Header.UNDERSCORED] = TRAIT_UNDERSCORE;
HEADER_TRAITS[Header.LOOKALIKE] = TRAIT_UNDERSCORE | TRAIT_LOOKALIKE;

const X_FORWARDED = asciiBytes('x-forwarded-');
const CLIENT_CERTIFICATE = asciiBytes('x-forwarded-client-cert');

/** Lookup key: the multipliers are chosen so that no two names share a place, which a unit test proves. */
const KEY_MASK = 511;
const LENGTH_FACTOR = 1;
const FIRST_FACTOR = 11;
const LAST_BUT_ONE_FACTOR = 40;
/** A shorter name has no last byte but one. */
const NAME_MIN_BYTES = 2;

/** Of no name in the table. */
export const NOT_RECOGNIZED = -1;
/** No name in the table is longer. */
export const NAME_MAX_BYTES = 24;
const NAME_WORDS = NAME_MAX_BYTES / 4;
/** The bit in which the two cases of a letter differ. */
const CASE_BIT = 0x20;

interface KnownName {
  readonly id: number;
  readonly text: Uint8Array;
}

const names: KnownName[] = [
  ...NAMES.map(([id, name]) => ({ id, text: asciiBytes(name) })),
  ...USUAL_NAMES.map((name) => ({ id: HEADER_UNKNOWN, text: asciiBytes(name) })),
];
/** By key: the place in `names`, from 1 on. */
const places = new Uint8Array(KEY_MASK + 1);
// By place: its id, its length, and its bytes, four at a time, with the bits that are set before they are compared: of a letter that of
// its case, behind the last byte all.
const placeIds = new Uint8Array(names.length + 1);
const placeBytes = new Uint8Array(names.length + 1);
const patterns = new Int32Array((names.length + 1) * NAME_WORDS);
const folds = new Int32Array((names.length + 1) * NAME_WORDS);

for (const [id, , traits] of NAMES) HEADER_TRAITS[id] = traits;
for (const [index, { id, text }] of names.entries()) {
  const place = index + 1;
  places[keyOf(text.length, text[0]!, text[text.length - 2]!)] = place;
  placeIds[place] = id;
  placeBytes[place] = text.length;
  const pattern = new Uint8Array(NAME_MAX_BYTES).fill(0xff);
  const fold = new Uint8Array(NAME_MAX_BYTES).fill(0xff);
  for (const [at, byte] of text.entries()) {
    pattern[at] = byte;
    fold[at] = byte >= 0x61 && byte <= 0x7a ? CASE_BIT : 0;
  }
  for (let word = 0; word < NAME_WORDS; word++) {
    patterns[place * NAME_WORDS + word] = viewOf(pattern).getInt32(4 * word, true);
    folds[place * NAME_WORDS + word] = viewOf(fold).getInt32(4 * word, true);
  }
}

function keyOf(length: number, first: number, lastButOne: number): number {
  return (length * LENGTH_FACTOR + first * FIRST_FACTOR + lastButOne * LAST_BUT_ONE_FACTOR) & KEY_MASK;
}

/**
 * The id of the name in `[start, end)` of a view: HEADER_UNKNOWN for one that only is usual, NOT_RECOGNIZED for one that is not in the table, whatever its
 * bytes. Four bytes at a time: up to three behind the name are read.
 */
export function recognizeHeader(view: DataView, start: number, end: number): number {
  const length = end - start;
  if (length < NAME_MIN_BYTES) return NOT_RECOGNIZED;
  const key = keyOf(length, view.getUint8(start) | CASE_BIT, view.getUint8(end - 2) | CASE_BIT);
  const place = places[key]!;
  if (placeBytes[place] !== length) return NOT_RECOGNIZED;
  let word = place * NAME_WORDS;
  for (let at = start; at < end; at += 4, word++) {
    if ((view.getInt32(at, true) | folds[word]!) !== patterns[word]) return NOT_RECOGNIZED;
  }
  return placeIds[place]!;
}

/** The id of the name `bytes[start, end)`, or HEADER_UNKNOWN. The name must not be empty. Names with `_` are the caller's to see. */
export function findHeader(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length < NAME_MIN_BYTES) return HEADER_UNKNOWN;
  const place = places[keyOf(length, LOWER_CASE[bytes[start]!]!, LOWER_CASE[bytes[end - 2]!]!)]!;
  if (place !== 0 && equalsLowerCased(bytes, start, end, names[place - 1]!.text)) return placeIds[place]!;
  const isForwarded =
    end - start > X_FORWARDED.length &&
    LOWER_CASE[bytes[start]!] === 0x78 &&
    bytes[start + 1] === 0x2d &&
    equalsLowerCased(bytes, start, start + X_FORWARDED.length, X_FORWARDED);
  if (!isForwarded) return HEADER_UNKNOWN;
  const isCertificate =
    end - start > CLIENT_CERTIFICATE.length &&
    equalsLowerCased(bytes, start, start + CLIENT_CERTIFICATE.length, CLIENT_CERTIFICATE);
  return isCertificate ? Header.CLIENT_CERTIFICATE : Header.X_FORWARDED_OTHER;
}

/** Longer than any name in the table. */
const dashed = new Uint8Array(64);
const UNDERSCORE = 0x5f;
const DASH = 0x2d;

/** The id of a name with `_` in it: an application that reads `_` as `-` must not see a known field that we did not see. */
export function findUnderscored(bytes: Uint8Array, start: number, end: number): number {
  const length = Math.min(end - start, dashed.length);
  for (let index = 0; index < length; index++) {
    const byte = bytes[start + index]!;
    dashed[index] = byte === UNDERSCORE ? DASH : byte;
  }
  const id = findHeader(dashed, 0, length);
  // Cut to what fits, only a family of names can still be told.
  const isFamily = id === Header.X_FORWARDED_OTHER || id === Header.CLIENT_CERTIFICATE;
  const isKnown = length === end - start ? id !== HEADER_UNKNOWN : isFamily;
  return isKnown ? Header.LOOKALIKE : Header.UNDERSCORED;
}

/** For tests: the known names with their ids, and those that only are usual. */
export const KNOWN_HEADERS: readonly (readonly [id: number, name: string])[] = NAMES.map(([id, name]) => [id, name]);
export const USUAL_HEADERS: readonly string[] = USUAL_NAMES;
