/**
 * Reads a regular expression into a tree. It is a subset of JavaScript's (with flag u), without what cannot be matched in linear time
 * (back references, looking around) and without what has no meaning for bytes: literals, `.`, classes, groups, `|`, `* + ? {m,n}` (lazy ones
 * as well: whether something matches does not depend on it), `^`, `$`, `\d \w \s`, and `(?i)` at the beginning.
 */

export type Expression =
  /** One byte: those that are 1 in the table, which may be shared. */
  | { readonly kind: 'byte'; readonly set: Uint8Array }
  | { readonly kind: 'sequence'; readonly parts: readonly Expression[] }
  | { readonly kind: 'choice'; readonly options: readonly Expression[] }
  | { readonly kind: 'repeat'; readonly part: Expression; readonly min: number; readonly max: number }
  | { readonly kind: 'start' }
  | { readonly kind: 'end' };

/** What is wrong with a pattern, and what to write instead: two sentences without a final dot. */
export interface PatternFault {
  readonly cause: string;
  readonly remedy: string;
}

export const PATTERN_MAX_LENGTH = 1_024;
/** The parser recurses per group. */
const NESTING_MAX = 32;
const REPEAT_MAX = 1_000;

const BYTES = 256;

/** Never throws. */
export function parsePattern(text: string): Expression | PatternFault {
  if (text === '') return { cause: 'the pattern is empty', remedy: 'leave it out to match everything' };
  if (text.length > PATTERN_MAX_LENGTH) {
    return { cause: `the pattern has ${text.length} characters`, remedy: `write at most ${PATTERN_MAX_LENGTH}` };
  }
  const strange = /[^ -~]/u.exec(text);
  if (strange !== null) {
    const remedy = 'write what is sent: `%C3%A9` in a path, `\\t` for a tab';
    return { cause: `character ${strange.index + 1} of the pattern is not printable ASCII`, remedy };
  }
  try {
    return new Parser(text).parse();
  } catch (thrown) {
    if (thrown instanceof SyntaxFault) return thrown.fault;
    throw thrown;
  }
}

/** Unwinds the parser. Never leaves this file. */
class SyntaxFault extends Error {
  readonly fault: PatternFault;

  constructor(fault: PatternFault) {
    super(fault.cause);
    this.fault = fault;
  }
}

class Parser {
  readonly #text: string;
  readonly #ignoresCase: boolean;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#ignoresCase = text.startsWith('(?i)');
    if (this.#ignoresCase) this.#at = '(?i)'.length;
  }

  parse(): Expression {
    const expression = this.#choice();
    if (this.#at < this.#text.length) this.#refuse('has a ) without (', 'write \\) for the character itself');
    return expression;
  }

  #choice(): Expression {
    const options = [this.#sequence()];
    while (this.#take('|')) options.push(this.#sequence());
    return options.length === 1 ? options[0]! : { kind: 'choice', options };
  }

  #sequence(): Expression {
    const parts: Expression[] = [];
    while (this.#at < this.#text.length && !'|)'.includes(this.#peek())) parts.push(this.#term());
    return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts };
  }

  #term(): Expression {
    const isAnchor = '^$'.includes(this.#peek());
    const atom = this.#atom();
    const range = this.#repetition();
    if (range === undefined) return atom;
    if (isAnchor) this.#refuse('repeats ^ or $', 'write it once');
    this.#take('?');
    if ('*+?{'.includes(this.#peek() || ' ')) this.#refuse('has two repetitions in a row', 'keep one of them');
    return { kind: 'repeat', part: atom, ...range };
  }

  #repetition(): { min: number; max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.#take('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.#take('?')) return { min: 0, max: 1 };
    if (this.#peek() !== '{') return undefined;
    const counted = /^\{(\d{1,5})(,?)(\d{0,5})\}/.exec(this.#text.slice(this.#at));
    if (counted === null) this.#refuse('has a { that is no repetition', 'write \\{ for the character itself');
    const [whole, least = '', comma, most = ''] = counted;
    const min = Number(least);
    const max = comma === '' ? min : most === '' ? Number.POSITIVE_INFINITY : Number(most);
    if (max < min) this.#refuse(`repeats ${min} to ${max} times`, 'write the smaller number first');
    if (min > REPEAT_MAX || (max > REPEAT_MAX && most !== '')) {
      this.#refuse(`repeats more than ${REPEAT_MAX} times`, 'write * or + instead');
    }
    this.#at += whole.length;
    return { min, max };
  }

  #atom(): Expression {
    const character = this.#next();
    switch (character) {
      case '(':
        return this.#group();
      case '[':
        return { kind: 'byte', set: this.#class() };
      case '.':
        return { kind: 'byte', set: NOT_LINE_END };
      case '^':
        return { kind: 'start' };
      case '$':
        return { kind: 'end' };
      case '\\':
        return { kind: 'byte', set: this.#escape() };
      case '*':
      case '+':
      case '?':
        return this.#refuse(
          `has a ${character} with nothing to repeat`,
          `write \\${character} for the character itself`,
        );
      case '{':
      case '}':
      case ']':
        return this.#refuse(`has a ${character} out of place`, `write \\${character} for the character itself`);
      default:
        return { kind: 'byte', set: this.#literal(character) };
    }
  }

  #group(): Expression {
    if (this.#take('?') && !this.#take(':')) {
      const name = /^P?<[A-Za-z_][A-Za-z0-9_]*>/.exec(this.#text.slice(this.#at));
      if (name === null) {
        const looksAround = /^<?[=!]/.test(this.#text.slice(this.#at));
        if (looksAround)
          this.#refuse('looks around, which cannot be done in linear time', 'match it with a route of its own');
        this.#refuse('has a group of an unknown kind', 'write (…) or (?:…); (?i) only at the very beginning');
      }
      this.#at += name[0].length;
    }
    if (++this.#depth > NESTING_MAX) this.#refuse('has too many groups within groups', `nest at most ${NESTING_MAX}`);
    const inner = this.#choice();
    this.#depth--;
    if (!this.#take(')')) this.#refuse('has a ( without )', 'write \\( for the character itself');
    return inner;
  }

  #class(): Uint8Array {
    const isNegated = this.#take('^');
    const set = new Uint8Array(BYTES);
    while (!this.#take(']')) {
      const first = this.#classItem();
      if (this.#peek() !== '-' || this.#text[this.#at + 1] === ']') {
        merge(set, first.set);
        continue;
      }
      this.#next();
      const last = this.#classItem();
      if (first.byte === undefined || last.byte === undefined || first.byte > last.byte) {
        this.#refuse('has a range that is none', 'write the lower character first, as in [a-z]; - itself at the end');
      }
      for (let byte = first.byte; byte <= last.byte; byte++) this.#add(set, byte);
    }
    return isNegated ? complementOf(set) : set;
  }

  /** One character, which may begin or end a range, or a set like `\d`, which may not. */
  #classItem(): { byte: number | undefined; set: Uint8Array } {
    if (this.#at >= this.#text.length) this.#refuse('has a [ without ]', 'write \\[ for the character itself');
    const start = this.#at;
    const character = this.#next();
    const set = character === '\\' ? this.#escape() : this.#literal(character);
    const isSet = character === '\\' && /^[dDwWsS]/.test(this.#text.slice(start + 1));
    if (isSet) return { byte: undefined, set };
    return { byte: character === '\\' ? escapedByte(this.#text.slice(start, this.#at)) : character.charCodeAt(0), set };
  }

  /** After the backslash. */
  #escape(): Uint8Array {
    const letter = this.#next();
    const set = SETS[letter.toLowerCase()];
    if (set !== undefined) return letter === letter.toLowerCase() ? set : complementOf(set);
    if (letter === 't') return this.#literal('\t');
    if (letter === 'x') {
      const digits = /^[0-9A-Fa-f]{2}/.exec(this.#text.slice(this.#at))?.[0];
      if (digits === undefined) this.#refuse('has a \\x without two hexadecimal digits', 'write it as in \\x2F');
      this.#at += 2;
      return this.#literal(String.fromCharCode(Number.parseInt(digits, 16)));
    }
    if (/[1-9]/.test(letter))
      this.#refuse('refers back to a group, which cannot be done in linear time', 'write it out');
    if (letter === 'b' || letter === 'B') {
      this.#refuse('has a word boundary', 'say what may stand there, as in (?:[^a-z]|$)');
    }
    if (letter === '' || /[A-Za-z0-9]/.test(letter)) {
      this.#refuse(
        `has the unknown escape \\${letter}`,
        'known are \\d \\w \\s \\D \\W \\S \\t \\x2F, and \\ before a sign',
      );
    }
    return this.#literal(letter);
  }

  #literal(character: string): Uint8Array {
    const byte = character.charCodeAt(0);
    if (!this.#ignoresCase) return literalOf(byte);
    const set = new Uint8Array(BYTES);
    this.#add(set, byte);
    return set;
  }

  #add(set: Uint8Array, byte: number): void {
    set[byte] = 1;
    const isLetter = LETTERS[byte] === 1;
    if (this.#ignoresCase && isLetter) set[byte ^ CASE_BIT] = 1;
  }

  #peek(): string {
    return this.#text[this.#at] ?? '';
  }

  #next(): string {
    return this.#text[this.#at++] ?? '';
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at++;
    return true;
  }

  #refuse(cause: string, remedy: string): never {
    throw new SyntaxFault({ cause: `the pattern ${cause} (near character ${Math.max(1, this.#at)})`, remedy });
  }
}

/** The byte that an escape of one character stands for: `\t`, `\x2F`, `\.`. */
function escapedByte(text: string): number {
  if (text === '\\t') return 0x09;
  return text.startsWith('\\x') ? Number.parseInt(text.slice(2), 16) : text.charCodeAt(1);
}

function setOf(has: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: BYTES }, (_, byte) => (has(byte) ? 1 : 0));
}

function complementOf(set: Uint8Array): Uint8Array {
  return set.map((bit) => 1 - bit);
}

function merge(into: Uint8Array, from: Uint8Array): void {
  for (let byte = 0; byte < BYTES; byte++) into[byte]! |= from[byte]!;
}

function charactersOf(pattern: RegExp): Uint8Array {
  return setOf((byte) => byte < 0x80 && pattern.test(String.fromCharCode(byte)));
}

/** What an upper-case letter and its lower-case one differ by. */
const CASE_BIT = 0x20;
const LETTERS = charactersOf(/[a-z]/i);
/** One byte each, shared by all patterns; made when it is first needed. */
const LITERALS: Uint8Array[] = [];

function literalOf(byte: number): Uint8Array {
  LITERALS[byte] ??= setOf((other) => other === byte);
  return LITERALS[byte];
}

const NOT_LINE_END = setOf((byte) => byte !== 0x0a && byte !== 0x0d);

const SETS: Readonly<Record<string, Uint8Array>> = {
  d: charactersOf(/\d/),
  w: charactersOf(/\w/),
  s: charactersOf(/\s/),
};
