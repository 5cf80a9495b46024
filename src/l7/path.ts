/**
 * One spelling per path (RFC 3986 section 6.2.2): what is matched is what is forwarded, so that no endpoint sees another path than the
 * one that was routed (CVE-2019-9901, CVE-2021-29492). Hot path: no allocation, no strings, no throw.
 *
 * Dot segments are removed, also where they are written `%2e`; empty segments are merged, before dot segments are counted, as file
 * systems and nginx do; escapes of unreserved characters are decoded, once; other escapes are kept, with upper-case digits.
 * Refused: broken escapes, `%00`, a raw `\`, and `%2F` and `%5C`, which some would read as a separator and others would not.
 */
import { HEX_VALUES, NOT_HEX } from './h1/characters.ts';

/** The path is normal already; nothing was written. */
export const PATH_UNCHANGED = -1;
/** `path_refused`. */
export const PATH_REFUSED = -2;

/** Options, as bits. Keep `%2F` and `%5C` as they are instead of refusing the path. */
export const PATH_KEEP_ENCODED_SLASHES = 1;
/** Keep empty segments. */
export const PATH_KEEP_EMPTY_SEGMENTS = 2;

const SLASH = 0x2f;
const DOT = 0x2e;
const PERCENT = 0x25;
const BACKSLASH = 0x5c;

const ORDINARY = 0;
const SPECIAL = 1;
/** Bytes the fast scan must stop at. */
const specials = new Uint8Array(256);
for (const byte of [SLASH, PERCENT, BACKSLASH]) specials[byte] = SPECIAL;

/** `unreserved` (RFC 3986 section 2.3): an escape of one of these means the character itself. */
const unreserved = new Uint8Array(256);
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~') {
  unreserved[character.charCodeAt(0)] = 1;
}

const UPPER_HEX = new Uint8Array(16);
for (let value = 0; value < 16; value++) UPPER_HEX[value] = value.toString(16).toUpperCase().charCodeAt(0);

/**
 * Normalises the path `bytes[start, end)`, which begins with `/` or is empty (an empty one becomes `/`). Returns PATH_UNCHANGED,
 * PATH_REFUSED, or the number of bytes written to `out` at `outOffset`: at most `end - start`, at least 1. `out` may be
 * `bytes`, where the two ranges do not overlap. Do not ask for the asterisk form.
 */
export function normalizePath(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  outOffset: number,
  options = 0,
): number {
  for (let at = start; at < end; at++) {
    if (specials[bytes[at]!] === ORDINARY) continue;
    if (bytes[at] === SLASH && isPlainSegment(bytes, at + 1, end, options)) continue;
    return rewritePath(bytes, start, end, out, outOffset, options);
  }
  if (start < end) return PATH_UNCHANGED;
  out[outOffset] = SLASH;
  return 1;
}

/** Whether what follows a slash at `at - 1` is neither a dot segment nor, unless they are kept, an empty one. */
function isPlainSegment(bytes: Uint8Array, at: number, end: number, options: number): boolean {
  if (at >= end) return true;
  if (bytes[at] === SLASH) return (options & PATH_KEEP_EMPTY_SEGMENTS) !== 0;
  if (bytes[at] !== DOT) return true;
  const next = at + 1 < end && bytes[at + 1] === DOT ? at + 2 : at + 1;
  return next < end && bytes[next] !== SLASH;
}

/** The slow half: writes segment by segment, and takes back the last one where it was a dot segment. */
function rewritePath(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  outOffset: number,
  options: number,
): number {
  out[outOffset] = SLASH;
  // The segment in hand begins after the slash that was written last.
  let segment = outOffset + 1;
  let write = segment;
  let at = start + 1;
  for (;;) {
    if (at >= end || bytes[at] === SLASH) {
      const isLast = at >= end;
      const kept = segmentEnd(out, outOffset, segment, write);
      if (kept !== write) write = kept;
      else if (!isLast && (write > segment || (options & PATH_KEEP_EMPTY_SEGMENTS) !== 0)) out[write++] = SLASH;
      if (isLast) return write - outOffset;
      segment = write;
      at++;
      continue;
    }
    const byte = bytes[at]!;
    if (byte === BACKSLASH) return PATH_REFUSED;
    if (byte !== PERCENT) {
      out[write++] = byte;
      at++;
      continue;
    }
    const value = escapeValue(bytes, at, end);
    if (value <= 0) return PATH_REFUSED;
    if ((value === SLASH || value === BACKSLASH) && (options & PATH_KEEP_ENCODED_SLASHES) === 0) return PATH_REFUSED;
    at += 3;
    if (unreserved[value] === 1) {
      out[write++] = value;
      continue;
    }
    out[write++] = PERCENT;
    out[write++] = UPPER_HEX[value >> 4]!;
    out[write++] = UPPER_HEX[value & 15]!;
  }
}

/**
 * Where to go on writing after the segment `out[segment, write)`: at its own start if it is `.`, at the start of the one before it if it is
 * `..`, never before the root (RFC 3986 section 5.2.4); else at `write`.
 */
function segmentEnd(out: Uint8Array, root: number, segment: number, write: number): number {
  const length = write - segment;
  if (length === 0 || length > 2 || out[segment] !== DOT || out[write - 1] !== DOT) return write;
  if (length === 1 || segment === root + 1) return segment;
  let at = segment - 1;
  while (out[at - 1] !== SLASH) at--;
  return at;
}

/** The byte that `%XX` at `at` stands for, or -1 if it is broken. */
function escapeValue(bytes: Uint8Array, at: number, end: number): number {
  if (at + 2 >= end) return -1;
  const high = HEX_VALUES[bytes[at + 1]!]!;
  const low = HEX_VALUES[bytes[at + 2]!]!;
  return high === NOT_HEX || low === NOT_HEX ? -1 : high * 16 + low;
}
