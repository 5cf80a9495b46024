/**
 * `Connection` (RFC 9110 section 7.6.1): what it says about this connection, and which fields it takes away. Hot path: no
 * allocation, no strings, no throw.
 */
import { asciiBytes, equalsLowerCased, rangesEqualIgnoringCase } from '../../core/bytes.ts';
import { SPACE, TAB } from './characters.ts';
import { HEADER_WORDS, type HeadFields, NAME_END, NAME_ID, NAME_START, VALUE_END, VALUE_START } from './head-fields.ts';
import { HEADER_TRAITS, Header, TRAIT_PROTECTED } from './header-names.ts';

/** Bits of `HeadFields.connectionOptions`. */
export const CONNECTION_CLOSE = 1;
export const CONNECTION_KEEP_ALIVE = 2;
export const CONNECTION_UPGRADE = 4;
/** At least one other option: the name of a field to remove. */
export const CONNECTION_OTHER = 8;

const COMMA = 0x2c;
const CLOSE = asciiBytes('close');
const KEEP_ALIVE = asciiBytes('keep-alive');
const UPGRADE = asciiBytes('upgrade');

/** Reads every Connection field of a head and sets `connectionOptions` and `keepAlive` (RFC 9112 section 9.3). */
export function readConnectionOptions(bytes: Uint8Array, head: HeadFields): void {
  let options = 0;
  if (head.connectionIndex >= 0) {
    const { headers } = head;
    const words = head.headerCount * HEADER_WORDS;
    for (let word = head.connectionIndex * HEADER_WORDS; word < words; word += HEADER_WORDS) {
      if (headers[word + NAME_ID] !== Header.CONNECTION) continue;
      options |= readOptions(bytes, headers[word + VALUE_START]!, headers[word + VALUE_END]!);
    }
  }
  head.connectionOptions = options;
  const persists = head.versionMinor === 1 || (options & CONNECTION_KEEP_ALIVE) !== 0;
  head.keepAlive = persists && (options & CONNECTION_CLOSE) === 0 ? 1 : 0;
}

function readOptions(bytes: Uint8Array, start: number, end: number): number {
  let options = 0;
  for (let at = start; at < end; at++) {
    const optionStart = skipBlanks(bytes, at, end);
    at = elementEnd(bytes, optionStart, end);
    const optionEnd = trimBlanks(bytes, optionStart, at);
    if (optionEnd > optionStart) options |= optionBit(bytes, optionStart, optionEnd);
  }
  return options;
}

function optionBit(bytes: Uint8Array, start: number, end: number): number {
  if (equalsLowerCased(bytes, start, end, KEEP_ALIVE)) return CONNECTION_KEEP_ALIVE;
  if (equalsLowerCased(bytes, start, end, CLOSE)) return CONNECTION_CLOSE;
  if (equalsLowerCased(bytes, start, end, UPGRADE)) return CONNECTION_UPGRADE;
  return CONNECTION_OTHER;
}

/**
 * Whether Connection asks to remove field `index`, and may. What frames, routes or authenticates a message, what speaks about the
 * client, and what we set ourselves stays, whatever a client says (CVE-2021-32813, CVE-2024-45410, CVE-2026-26365).
 * Fields that are never forwarded are not asked about here: see TRAIT_HOP_BY_HOP.
 */
export function isNominated(head: HeadFields, bytes: Uint8Array, index: number): boolean {
  if ((head.connectionOptions & CONNECTION_OTHER) === 0) return false;
  const { headers } = head;
  const field = index * HEADER_WORDS;
  if ((HEADER_TRAITS[headers[field + NAME_ID]!]! & TRAIT_PROTECTED) !== 0) return false;
  const words = head.headerCount * HEADER_WORDS;
  for (let word = head.connectionIndex * HEADER_WORDS; word < words; word += HEADER_WORDS) {
    if (headers[word + NAME_ID] !== Header.CONNECTION) continue;
    const start = headers[word + VALUE_START]!;
    const end = headers[word + VALUE_END]!;
    if (lists(bytes, start, end, headers[field + NAME_START]!, headers[field + NAME_END]!)) return true;
  }
  return false;
}

/** Whether the comma-separated list `bytes[start, end)` has an element equal to the name, case ignored. */
function lists(bytes: Uint8Array, start: number, end: number, nameStart: number, nameEnd: number): boolean {
  for (let at = start; at < end; at++) {
    const optionStart = skipBlanks(bytes, at, end);
    at = elementEnd(bytes, optionStart, end);
    const optionEnd = trimBlanks(bytes, optionStart, at);
    if (rangesEqualIgnoringCase(bytes, optionStart, optionEnd, nameStart, nameEnd)) return true;
  }
  return false;
}

/** Whether the comma-separated list `bytes[start, end)` has an element equal to `pattern` (lower case), case ignored. */
export function listHas(bytes: Uint8Array, start: number, end: number, pattern: Uint8Array): boolean {
  for (let at = start; at < end; at++) {
    const optionStart = skipBlanks(bytes, at, end);
    at = elementEnd(bytes, optionStart, end);
    if (equalsLowerCased(bytes, optionStart, trimBlanks(bytes, optionStart, at), pattern)) return true;
  }
  return false;
}

function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
  return at;
}

function elementEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== COMMA) at++;
  return at;
}

function trimBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && (bytes[at - 1] === SPACE || bytes[at - 1] === TAB)) at--;
  return at;
}
