import type { FieldMatch } from '../../contract/plan.ts';
import { SPACE, TAB } from '../h1/characters.ts';
import { HEADER_WORDS, NAME_ID, VALUE_END, VALUE_START } from '../h1/head-fields.ts';
import { Header } from '../h1/header-names.ts';
import type { RequestHead } from '../h1/request-head.ts';
import type { Condition } from './condition.ts';
import { compileValueTest, ExactText, type ValueTest } from './value-test.ts';

const SEMICOLON = 0x3b;
const EQUALS = 0x3d;

/**
 * A cookie has a value, as it is written (RFC 6265 section 4.2.1: `name=value; name=value`); names and values with their case. The first cookie of the
 * name counts: browsers send the one for the longest path first.
 */
export class CookieCondition implements Condition {
  readonly #name: ExactText;
  readonly #test: ValueTest;

  /** `test`: what is asked of the value, where `match` only names it. */
  constructor(match: FieldMatch, test: ValueTest = compileValueTest(match)) {
    this.#name = new ExactText(match.name);
    this.#test = test;
  }

  matches(bytes: Uint8Array, head: RequestHead): boolean {
    const { headers } = head;
    const words = head.headerCount * HEADER_WORDS;
    for (let word = 0; word < words; word += HEADER_WORDS) {
      if (headers[word + NAME_ID] !== Header.COOKIE) continue;
      const end = headers[word + VALUE_END]!;
      let at = headers[word + VALUE_START]!;
      while (at < end) {
        const pairEnd = indexOf(bytes, SEMICOLON, at, end);
        const pairStart = skipBlanks(bytes, at, pairEnd);
        const nameEnd = indexOf(bytes, EQUALS, pairStart, pairEnd);
        if (nameEnd < pairEnd && this.#isName(bytes, pairStart, trimBlanks(bytes, pairStart, nameEnd))) {
          return this.#hasValue(bytes, skipBlanks(bytes, nameEnd + 1, pairEnd), pairEnd);
        }
        at = pairEnd + 1;
      }
    }
    return false;
  }

  #isName(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#name.accepts(this.#name.read(this.#name.start, bytes, start, end));
  }

  #hasValue(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#test.accepts(this.#test.read(this.#test.start, bytes, start, trimBlanks(bytes, start, end)));
  }
}

/** The place of the byte, or `end`. */
function indexOf(bytes: Uint8Array, byte: number, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== byte) at++;
  return at;
}

function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
  return at;
}

function trimBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && (bytes[at - 1] === SPACE || bytes[at - 1] === TAB)) at--;
  return at;
}
