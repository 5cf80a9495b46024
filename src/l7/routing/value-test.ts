/**
 * What a matcher wants of a value. The value may be read in parts, and byte by byte where it is decoded on the way, so that no string is
 * made. Hot path: no allocation, no throw.
 */
import type { FieldMatch } from '../../contract/plan.ts';
import { asciiBytes } from '../../core/bytes.ts';
import { compilePattern } from '../../core/pattern/pattern.ts';

/** `accepts(read(read(start, …), …))`. A Pattern is one. */
export interface ValueTest {
  readonly start: number;
  /** The state after `bytes[start, end)`. */
  read(from: number, bytes: Uint8Array, start: number, end: number): number;
  readByte(from: number, byte: number): number;
  accepts(state: number): boolean;
}

export function compileValueTest(match: FieldMatch): ValueTest {
  if ('exact' in match) return new ExactText(match.exact);
  return 'regex' in match ? compilePattern(match.regex) : ANY_VALUE;
}

const DIFFERENT = -1;

/** A state is the number of bytes that agreed so far, or DIFFERENT. */
export class ExactText implements ValueTest {
  readonly start = 0;
  readonly #text: Uint8Array;

  constructor(text: string) {
    this.#text = asciiBytes(text);
  }

  read(from: number, bytes: Uint8Array, start: number, end: number): number {
    const text = this.#text;
    if (from === DIFFERENT || from + end - start > text.length) return DIFFERENT;
    for (let at = start, index = from; at < end; at++, index++) if (bytes[at] !== text[index]) return DIFFERENT;
    return from + end - start;
  }

  readByte(from: number, byte: number): number {
    return from !== DIFFERENT && this.#text[from] === byte ? from + 1 : DIFFERENT;
  }

  accepts(state: number): boolean {
    return state === this.#text.length;
  }
}

const ANY_VALUE: ValueTest = { start: 0, read: () => 0, readByte: () => 0, accepts: () => true };
