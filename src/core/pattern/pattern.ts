/**
 * A regular expression over bytes that takes linear time on any text: one table load per byte, no going back, nothing to overflow. See
 * docs/decisions/0006-patterns-of-our-own.md.
 *
 * Hot path (`matches`, `read`, `readByte`, `accepts`): no allocation, no strings, no throw.
 */
import { type Automaton, makeAutomaton } from './automaton.ts';
import { type Expression, type PatternFault, parsePattern } from './parse-pattern.ts';

export type { PatternFault } from './parse-pattern.ts';

/** The state of a text in which nothing can match any more. */
const DEAD = 0;

export class Pattern {
  /** What every match begins with, as far as that is the same text from the text's beginning on; '' if there is no such thing. */
  readonly literalPrefix: string;
  /** Where a text begins. A text may be read in parts: `accepts(read(read(start, …), …))`. */
  readonly start: number;
  readonly #columns: Uint8Array;
  readonly #table: Uint32Array;
  readonly #acceptsAtEnd: Uint8Array;
  readonly #columnCount: number;

  constructor(expression: Expression, automaton: Automaton) {
    this.literalPrefix = literalPrefixOf(expression);
    this.start = automaton.start;
    this.#columns = automaton.columns;
    this.#table = automaton.table;
    this.#acceptsAtEnd = automaton.acceptsAtEnd;
    this.#columnCount = automaton.columnCount;
  }

  /** Whether the pattern matches anywhere in `bytes[start, end)`; `^` and `$` are the ends of that range. */
  matches(bytes: Uint8Array, start: number, end: number): boolean {
    return this.accepts(this.read(this.start, bytes, start, end));
  }

  /** The state after `bytes[start, end)`. */
  read(from: number, bytes: Uint8Array, start: number, end: number): number {
    const columns = this.#columns;
    const table = this.#table;
    const settled = this.#columnCount;
    let state = from;
    for (let at = start; at < end && state > settled; at++) state = table[state + columns[bytes[at]!]!]!;
    return state;
  }

  readByte(from: number, byte: number): number {
    return this.#table[from + this.#columns[byte]!]!;
  }

  /** Whether the pattern matches the text that ends in this state. */
  accepts(state: number): boolean {
    return state !== DEAD && this.#acceptsAtEnd[state / this.#columnCount] === 1;
  }
}

/** Compiles a pattern, or says why not. Takes some tens of milliseconds at most; never throws. */
export function compilePattern(text: string): { readonly value: Pattern } | PatternFault {
  const expression = parsePattern(text);
  if ('cause' in expression) return expression;
  const automaton = makeAutomaton(expression);
  if (automaton !== undefined) return { value: new Pattern(expression, automaton) };
  return {
    cause: 'the pattern is too complex to be matched in linear time with a small table',
    remedy: 'let it begin with ^, write * or + for large repetitions, or split it into several routes',
  };
}

/** `^` and the single characters behind it. */
function literalPrefixOf(expression: Expression): string {
  if (expression.kind !== 'sequence' || expression.parts[0]?.kind !== 'start') return '';
  let prefix = '';
  for (const part of expression.parts.slice(1)) {
    const bytes = part.kind === 'byte' ? [...part.set.keys()].filter((byte) => part.set[byte] === 1) : [];
    if (bytes.length !== 1) break;
    prefix += String.fromCharCode(bytes[0]!);
  }
  return prefix;
}
