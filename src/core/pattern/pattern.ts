/**
 * A regular expression over bytes that takes linear time on any text: one table load per byte, no going back, nothing to overflow. See
 * docs/decisions/0006-patterns-of-our-own.md.
 *
 * Hot path (`matches`, `read`, `readByte`, `accepts`): no allocation but for the first time, no strings, no throw.
 */
import { invariant } from '../invariant.ts';
import { makeAutomaton } from './automaton.ts';
import { type Expression, type PatternFault, parsePattern } from './parse-pattern.ts';

export type { PatternFault } from './parse-pattern.ts';

/** The state of a text in which nothing can match any more. */
const DEAD = 0;

const NO_BYTES = new Uint8Array(0);

export class Pattern {
  /** What every match begins with, as far as that is the same text from the text's beginning on; '' if there is no such thing. */
  readonly literalPrefix: string;
  /** Undefined once the automaton is made. */
  #expression: Expression | undefined;
  #columns: Uint8Array = NO_BYTES;
  #table: Uint32Array = new Uint32Array(0);
  #acceptsAtEnd: Uint8Array = NO_BYTES;
  #columnCount = 0;
  #start = 0;

  /** `expression` is known not to become too large. The automaton is made when it is first asked for: of thousands, few ever are. */
  constructor(expression: Expression) {
    this.literalPrefix = literalPrefixOf(expression);
    this.#expression = expression;
  }

  /** Where a text begins. A text may be read in parts: `accepts(read(read(start, …), …))`. */
  get start(): number {
    if (this.#expression !== undefined) this.#make(this.#expression);
    return this.#start;
  }

  #make(expression: Expression): void {
    const automaton = makeAutomaton(expression);
    invariant(automaton !== undefined, 'a pattern was checked, but is too complex');
    this.#expression = undefined;
    this.#columns = automaton.columns;
    this.#table = automaton.table;
    this.#acceptsAtEnd = automaton.acceptsAtEnd;
    this.#columnCount = automaton.columnCount;
    this.#start = automaton.start;
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

/** Why a pattern cannot be used, or undefined if it can. Takes some tens of milliseconds at most; never throws. */
export function patternFault(text: string): PatternFault | undefined {
  const expression = parsePattern(text);
  if ('cause' in expression) return expression;
  if (makeAutomaton(expression) !== undefined) return undefined;
  return {
    cause: 'the pattern is too complex to be matched in linear time with a small table',
    remedy: 'let it begin with ^, write * or + for large repetitions, or split it into several routes',
  };
}

/** A pattern that `patternFault` had nothing against: an invariant. */
export function compilePattern(text: string): Pattern {
  const expression = parsePattern(text);
  invariant(!('cause' in expression), 'a pattern was checked, but does not compile');
  return new Pattern(expression);
}

/** `^` and the single characters behind it. */
function literalPrefixOf(expression: Expression): string {
  if (expression.kind !== 'sequence' || expression.parts[0]?.kind !== 'start') return '';
  let prefix = '';
  for (const part of expression.parts.slice(1)) {
    if (part.kind !== 'byte') break;
    const byte = part.set.indexOf(1);
    if (byte < 0 || byte !== part.set.lastIndexOf(1)) break;
    prefix += String.fromCharCode(byte);
  }
  return prefix;
}
