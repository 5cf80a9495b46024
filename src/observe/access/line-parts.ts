/**
 * Lines, written down as the parts they are to be put together from (`LineComposer`): so a line costs a few numbers when its exchange ends, and is
 * made into bytes with many others. Hot path of access logs: no strings are made and nothing is allocated. Each function writes at `words[at]` and
 * returns where the next part goes; `end` makes the line count.
 */
import { copyAscii, copyBytes } from '../../core/bytes.ts';
import { invariant } from '../../core/invariant.ts';
import { highWord, lowWord } from '../../core/two-words.ts';
import { type AccessEntry, TEXTS_MAX_BYTES } from './access-entry.ts';
import {
  ESCAPE_MAX_BYTES,
  LinePart,
  PART_BITS,
  PIECE_ALIGNMENT_BYTES,
  SLACK_BYTES,
  textWord,
} from './line-protocol.ts';

const WORDS = 2_048;
const TEXTS_BYTES = 16 * 1024;
/** Lines that are kept before they are to be composed. */
const LINES_MAX = 128;
/** Most words of one line. */
const LINE_WORDS_MAX = 64;
/** Most bytes of a line that are not a client's: keys, numbers, names of the configuration. */
const LINE_OWN_MAX_BYTES = 2_048;
/** Of the pieces of a log. */
export const PIECES_BYTES = 512 * 1024;
/** From here on a number takes words of its own. */
const LONG_FROM = 2 ** (32 - PART_BITS);

/** Most bytes that the lines of full parts take. */
export const LINES_MAX_BYTES = ESCAPE_MAX_BYTES * TEXTS_BYTES + LINES_MAX * LINE_OWN_MAX_BYTES;

/**
 * Makes `words` into bytes at `bytes[at]`, and returns their end; or a negative number, with whatever bytes written, where there is no room for them or
 * they are no parts. All but `words` have SLACK_BYTES behind what is used of them. Borrows everything.
 */
export type LineComposer = (
  words: Int32Array,
  wordCount: number,
  texts: Uint8Array,
  pieces: Uint8Array,
  bytes: Uint8Array,
  at: number,
) => number;

/** Text that many lines have in common: the word that says it. */
export type Piece = number;

/** Keeps the pieces of a log. */
export class LinePieces {
  readonly bytes = new Uint8Array(PIECES_BYTES + SLACK_BYTES);
  /** Bytes. */
  used = 0;

  /** There might be no room for what another line adds: to be cleared first. */
  get isFull(): boolean {
    return this.used > PIECES_BYTES - 2 * LINE_OWN_MAX_BYTES;
  }

  /** ASCII text that needs no escapes: ours. */
  keep(text: string): Piece {
    const start = this.used;
    invariant(start + text.length <= PIECES_BYTES, 'a piece of a line has no room');
    copyAscii(text, this.bytes, start);
    this.used += Math.ceil(text.length / PIECE_ALIGNMENT_BYTES) * PIECE_ALIGNMENT_BYTES;
    return textWord(LinePart.PIECE, text.length, start / PIECE_ALIGNMENT_BYTES);
  }

  /** No parts may be left that name one of the pieces. */
  clear(): void {
    this.used = 0;
  }
}

export class LineParts {
  readonly words = new Int32Array(WORDS);
  readonly #texts = new Uint8Array(TEXTS_BYTES + SLACK_BYTES);
  readonly #textsView = new DataView(this.#texts.buffer);
  #wordCount = 0;
  #textsUsed = 0;
  #lines = 0;

  /** Lines that have ended since the last `compose`. */
  get lines(): number {
    return this.#lines;
  }

  /** Where the first part of the next line goes. */
  get start(): number {
    return this.#wordCount;
  }

  /** Whether there might be no room for another line. */
  get isFull(): boolean {
    if (this.#lines === LINES_MAX || this.#wordCount > WORDS - LINE_WORDS_MAX) return true;
    return this.#textsUsed > TEXTS_BYTES - TEXTS_MAX_BYTES - LINE_OWN_MAX_BYTES;
  }

  /** Writes all lines at `bytes[at]` and forgets them. Returns their end, or a negative number. */
  compose(composer: LineComposer, pieces: LinePieces, bytes: Uint8Array, at: number): number {
    const end = composer(this.words, this.#wordCount, this.#texts, pieces.bytes, bytes, at);
    this.#wordCount = 0;
    this.#textsUsed = 0;
    this.#lines = 0;
    return end;
  }

  /** Keeps the texts of an entry, which lie together. Returns what is to be added to their words, as they begin elsewhere here. */
  keepTexts(entry: AccessEntry): number {
    const shift = this.#textsUsed;
    this.#textsUsed = copyBytes(this.#textsView, shift, entry.view, 0, entry.room);
    return textWord(0, 0, shift);
  }

  end(at: number): void {
    this.#wordCount = at;
    this.#lines++;
  }

  piece(at: number, piece: Piece): number {
    this.words[at] = piece;
    return at + 1;
  }

  /** ASCII text that needs no escapes: ours. */
  own(at: number, text: string): number {
    copyAscii(text, this.#texts, this.#textsUsed);
    this.words[at] = textWord(LinePart.PLAIN, text.length, this.#textsUsed);
    this.#textsUsed += text.length;
    return at + 1;
  }

  /** A text that was kept. `part`: as it is, or escaped in which way. `word`: what the entry has of it, and `keepTexts` adds. */
  text(at: number, part: 2 | 3 | 4, word: number): number {
    this.words[at] = part | word;
    return at + 1;
  }

  byte(at: number, value: number): number {
    this.words[at] = LinePart.BYTE | (value << PART_BITS);
    return at + 1;
  }

  /** A whole number, at least 0. */
  integer(at: number, value: number): number {
    if (value >= LONG_FROM) return this.#long(at, LinePart.LONG_INTEGER, value);
    this.words[at] = LinePart.INTEGER | (value << PART_BITS);
    return at + 1;
  }

  /** With three decimals; nothing below 0. */
  decimal(at: number, value: number): number {
    const thousandths = Math.max(0, Math.round(value * 1000));
    if (thousandths >= LONG_FROM) return this.#long(at, LinePart.LONG_DECIMAL, thousandths);
    this.words[at] = LinePart.DECIMAL | (thousandths << PART_BITS);
    return at + 1;
  }

  /** 0 to 999. */
  threeDigits(at: number, value: number): number {
    this.words[at] = LinePart.THREE_DIGITS | (value << PART_BITS);
    return at + 1;
  }

  #long(at: number, part: number, value: number): number {
    this.words[at] = part;
    this.words[at + 1] = lowWord(value);
    this.words[at + 2] = highWord(value);
    return at + 3;
  }
}
