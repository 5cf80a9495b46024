/**
 * Writes the parts of a line as bytes. Each function writes at `bytes[at]` and returns where the next part goes, so that a whole line is written with
 * both in registers. Hot path of access logs: no strings are made and nothing is allocated. The caller sees to it that there is room.
 */
import { copyAscii } from '../../core/bytes.ts';
import { BACKSLASHES, DELETES, HIGHEST_BITS, ONES, QUOTES, SPACES } from '../../core/four-bytes.ts';

const ZERO = 0x30;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const DOT = 0x2e;
const LOWER_X = 0x78;
const LOWER_U = 0x75;
const LETTER_Z = 0x5a;
/** Below it, a whole number fits 32 bits. */
const SMALL_MAX = 1_000_000_000;
/** 0 to 999 as three digits, the first in the lowest byte; and without leading zeros, with their number in the highest byte. */
const THREE_DIGITS = Int32Array.from({ length: 1000 }, (_, value) => packDigits(String(value).padStart(3, '0')));
const LEADING_DIGITS = Int32Array.from({ length: 1000 }, (_, value) => {
  const digits = String(value);
  return packDigits(digits) | (digits.length << 24);
});
/** 1: printable ASCII that needs no escape. */
const IS_PLAIN = Uint8Array.from({ length: 256 }, (_, value) =>
  value >= 0x20 && value < 0x7f && value !== QUOTE && value !== BACKSLASH ? 1 : 0,
);
const HEX = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

function packDigits(digits: string): number {
  return [...digits].reduce((packed, digit, index) => packed | (digit.charCodeAt(0) << (8 * index)), 0);
}

/** ASCII text that needs no escapes: ours. */
export function putText(bytes: Uint8Array, at: number, text: string): number {
  for (let index = 0; index < text.length; index++) bytes[at + index] = text.charCodeAt(index);
  return at + text.length;
}

/** Such a text, prepared: put eight bytes at a time, which takes half as long as `TypedArray.set`. */
export interface Piece {
  /** Its bytes, the last of them filled up with zeros. As ASCII none is a NaN, whose bits a copy may change. */
  readonly eights: Float64Array;
  readonly length: number;
}

export function pieceOf(text: string): Piece {
  const bytes = new Uint8Array(Math.ceil(text.length / 8) * 8);
  copyAscii(text, bytes, 0);
  const view = new DataView(bytes.buffer);
  const eights = Float64Array.from({ length: bytes.length / 8 }, (_, index) => view.getFloat64(8 * index, true));
  return { eights, length: text.length };
}

/** Where lines are written, or what goes into them is kept. */
export class LineBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Needs room for seven bytes behind the piece, which the next part takes. */
  putPiece(at: number, { eights, length }: Piece): number {
    for (let index = 0; index < eights.length; index++) this.view.setFloat64(at + 8 * index, eights[index]!, true);
    return at + length;
  }

  /** A whole number, at least 0. Needs room for three bytes behind it, as a piece does. */
  putInteger(at: number, value: number): number {
    if (value >= SMALL_MAX) return putText(this.bytes, at, String(Math.floor(value)));
    const whole = value | 0;
    if (whole < 1000) return this.#putLeading(at, whole);
    const thousands = (whole / 1000) | 0;
    return this.#putThree(this.putInteger(at, thousands), whole - thousands * 1000);
  }

  /** With three decimals. */
  putDecimal(at: number, value: number): number {
    const thousandths = Math.max(0, Math.round(value * 1000));
    const whole = Math.floor(thousandths / 1000);
    const next = this.putInteger(at, whole);
    this.view.setInt32(next, DOT | (THREE_DIGITS[thousandths - whole * 1000]! << 8), true);
    return next + 4;
  }

  /** Three digits, and a Z behind them. `value`: 0 to 999. */
  putMillisecondZ(at: number, value: number): void {
    this.view.setInt32(at, THREE_DIGITS[value]! | (LETTER_Z << 24), true);
  }

  #putLeading(at: number, value: number): number {
    const packed = LEADING_DIGITS[value]!;
    this.view.setInt32(at, packed, true);
    return at + (packed >> 24);
  }

  #putThree(at: number, value: number): number {
    this.view.setInt32(at, THREE_DIGITS[value]!, true);
    return at + 3;
  }
}

/** A copy of `source[start, end)`, four bytes at a time: the last four of them together, whatever of them is copied already. */
export function copyBytes(line: DataView, at: number, source: DataView, start: number, end: number): number {
  const shift = at - start;
  const last = end - 4;
  if (last < start) {
    for (let from = start; from < end; from++) line.setUint8(from + shift, source.getUint8(from));
  } else {
    for (let from = start; from < last; from += 4) line.setInt32(from + shift, source.getInt32(from, true), true);
    line.setInt32(last + shift, source.getInt32(last, true), true);
  }
  return end + shift;
}

/** The inside of a JSON string. What is not ASCII is told byte by byte: it need not be UTF-8. */
export function putJson(line: LineBuffer, at: number, source: LineBuffer, start: number, end: number): number {
  const { bytes } = line;
  const plainEnd = putPlain(line, at, source, start, end);
  let next = at + plainEnd - start;
  for (let from = plainEnd; from < end; from++) {
    const value = source.bytes[from]!;
    if (IS_PLAIN[value] === 1) bytes[next++] = value;
    else next = putJsonEscape(bytes, next, value);
  }
  return next;
}

/** Copies what needs no escape, four bytes at a time. Returns up to where in `source`. */
function putPlain(line: LineBuffer, at: number, source: LineBuffer, start: number, end: number): number {
  const shift = at - start;
  let from = start;
  const last = end - 4;
  for (; from <= last; from += 4) {
    const four = source.view.getInt32(from, true);
    if (!arePlain(four)) return from;
    line.view.setInt32(from + shift, four, true);
  }
  if (from === end || last < start) return from;
  // The rest, with what comes before it.
  const four = source.view.getInt32(last, true);
  if (!arePlain(four)) return from;
  line.view.setInt32(last + shift, four, true);
  return end;
}

/**
 * Whether four bytes all need no escape. With its highest bit set, a byte keeps it in each subtraction unless it is what that looks for, and so takes
 * nothing from its neighbour (Warren, "Hacker's Delight", 2-18).
 */
function arePlain(four: number): boolean {
  const set = four | HIGHEST_BITS;
  const kept = (set - SPACES) & ((set ^ QUOTES) - ONES) & ((set ^ BACKSLASHES) - ONES) & ((set ^ DELETES) - ONES);
  return (kept & ~four & HIGHEST_BITS) === HIGHEST_BITS;
}

function putJsonEscape(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = BACKSLASH;
  if (value === QUOTE || value === BACKSLASH) {
    bytes[at + 1] = value;
    return at + 2;
  }
  bytes[at + 1] = LOWER_U;
  bytes[at + 2] = ZERO;
  bytes[at + 3] = ZERO;
  bytes[at + 4] = HEX[value >>> 4]!;
  bytes[at + 5] = HEX[value & 15]!;
  return at + 6;
}

/** Between quotes of a line for people: as nginx and Apache write it. */
export function putQuoted(line: LineBuffer, at: number, source: LineBuffer, start: number, end: number): number {
  const { bytes } = line;
  const plainEnd = putPlain(line, at, source, start, end);
  let next = at + plainEnd - start;
  for (let from = plainEnd; from < end; from++) {
    const value = source.bytes[from]!;
    if (IS_PLAIN[value] === 1) {
      bytes[next++] = value;
      continue;
    }
    bytes[next] = BACKSLASH;
    bytes[next + 1] = LOWER_X;
    bytes[next + 2] = HEX[value >>> 4]!;
    bytes[next + 3] = HEX[value & 15]!;
    next += 4;
  }
  return next;
}
