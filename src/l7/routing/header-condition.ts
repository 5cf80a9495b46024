import type { FieldMatch } from '../../contract/plan.ts';
import { asciiBytes, equalsLowerCased } from '../../core/bytes.ts';
import { isNominated } from '../h1/connection-options.ts';
import { HEADER_WORDS, NAME_END, NAME_ID, NAME_START, VALUE_END, VALUE_START } from '../h1/head-fields.ts';
import { findHeader, Header } from '../h1/header-names.ts';
import type { RequestHead } from '../h1/request-head.ts';
import type { Condition } from './condition.ts';
import { compileValueTest, type ValueTest } from './value-test.ts';

const SEPARATOR = asciiBytes(', ');

/**
 * A header field has a value. Several lines of the name are one value, joined by `, ` (RFC 9110 section 5.3), so that no second line can hide
 * behind a first. A field that Connection takes away is not forwarded, and is not there.
 */
export class HeaderCondition implements Condition {
  readonly #name: Uint8Array;
  readonly #id: number;
  readonly #test: ValueTest;

  /** `test`: what is asked of the value, where `match` only names it. */
  constructor(match: FieldMatch, test: ValueTest = compileValueTest(match)) {
    this.#name = asciiBytes(match.name);
    this.#id = match.name.includes('_') ? Header.UNDERSCORED : findHeader(this.#name, 0, this.#name.length);
    this.#test = test;
  }

  matches(bytes: Uint8Array, head: RequestHead): boolean {
    const { headers, headerCount } = head;
    const test = this.#test;
    let isThere = false;
    let state = test.start;
    for (let index = 0; index < headerCount; index++) {
      const word = index * HEADER_WORDS;
      if (headers[word + NAME_ID] !== this.#id) continue;
      if (!equalsLowerCased(bytes, headers[word + NAME_START]!, headers[word + NAME_END]!, this.#name)) continue;
      if (isNominated(head, bytes, index)) continue;
      if (isThere) state = test.read(state, SEPARATOR, 0, SEPARATOR.length);
      state = test.read(state, bytes, headers[word + VALUE_START]!, headers[word + VALUE_END]!);
      isThere = true;
    }
    return isThere && test.accepts(state);
  }
}
