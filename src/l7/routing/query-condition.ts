import type { FieldMatch } from '../../contract/plan.ts';
import { HEX_VALUES, NOT_HEX, SPACE } from '../h1/characters.ts';
import type { RequestHead } from '../h1/request-head.ts';
import type { Condition } from './condition.ts';
import { compileValueTest, ExactText, type ValueTest } from './value-test.ts';

const AMPERSAND = 0x26;
const EQUALS = 0x3d;
const PLUS = 0x2b;
const PERCENT = 0x25;

/**
 * A parameter of the query has a value. Both are decoded for the comparison, as applications do (`%41` and `+`: WHATWG URL section 5.1), and
 * forwarded as they came. The first parameter of the name counts.
 */
export class QueryCondition implements Condition {
  readonly #name: ExactText;
  readonly #test: ValueTest;

  /** `test`: what is asked of the value, where `match` only names it. */
  constructor(match: FieldMatch, test: ValueTest = compileValueTest(match)) {
    this.#name = new ExactText(match.name);
    this.#test = test;
  }

  matches(bytes: Uint8Array, head: RequestHead): boolean {
    const end = head.queryEnd;
    // After the `?`.
    let at = head.queryStart + 1;
    while (at < end) {
      let equalsAt = at;
      while (equalsAt < end && bytes[equalsAt] !== AMPERSAND && bytes[equalsAt] !== EQUALS) equalsAt++;
      let pairEnd = equalsAt;
      while (pairEnd < end && bytes[pairEnd] !== AMPERSAND) pairEnd++;
      if (passes(this.#name, bytes, at, equalsAt)) {
        return passes(this.#test, bytes, Math.min(equalsAt + 1, pairEnd), pairEnd);
      }
      at = pairEnd + 1;
    }
    return false;
  }
}

/** Whether the decoded `bytes[start, end)` passes. A broken escape stands for itself. */
function passes(test: ValueTest, bytes: Uint8Array, start: number, end: number): boolean {
  let state = test.start;
  for (let at = start; at < end; at++) {
    let byte = bytes[at]!;
    if (byte === PLUS) byte = SPACE;
    else if (byte === PERCENT && at + 2 < end) {
      const high = HEX_VALUES[bytes[at + 1]!]!;
      const low = HEX_VALUES[bytes[at + 2]!]!;
      if (high !== NOT_HEX && low !== NOT_HEX) {
        byte = high * 16 + low;
        at += 2;
      }
    }
    state = test.readByte(state, byte);
  }
  return test.accepts(state);
}
