/** Max-Forwards (RFC 9110 section 7.6.2): how many more times OPTIONS and TRACE may be forwarded. For every other method it means nothing. */
import { HEADER_WORDS, NAME_ID, VALUE_END, VALUE_START } from './head-fields.ts';
import { Header, TRAIT_MAX_FORWARDS } from './header-names.ts';
import { Method, type RequestHead } from './request-head.ts';

/** As many as a count of hops ever needs, and few enough to be exact. */
export const MAX_FORWARDS_MAX_DIGITS = 9;

/** The hops that are left, or -1 where nothing limits them: another method, no such field, or none that is one plain number. */
export function hopsLeft(bytes: Uint8Array, head: RequestHead): number {
  if ((head.traits & TRAIT_MAX_FORWARDS) === 0) return -1;
  if (head.method !== Method.OPTIONS && head.method !== Method.TRACE) return -1;
  let hops = -1;
  for (let word = 0; word < head.headerCount * HEADER_WORDS; word += HEADER_WORDS) {
    if (head.headers[word + NAME_ID] !== Header.MAX_FORWARDS) continue;
    if (hops >= 0) return -1;
    hops = readDigits(bytes, head.headers[word + VALUE_START]!, head.headers[word + VALUE_END]!);
    if (hops < 0) return -1;
  }
  return hops;
}

function readDigits(bytes: Uint8Array, start: number, end: number): number {
  if (end === start || end - start > MAX_FORWARDS_MAX_DIGITS) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
