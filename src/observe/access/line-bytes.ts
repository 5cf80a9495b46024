/**
 * Writes the parts of a line as bytes. Each function writes at `bytes[at]` and returns where the next part goes, so that a whole line is written with
 * both in registers. Hot path of access logs: no strings are made and nothing is allocated. The caller sees to it that there is room.
 */
import { copyAscii } from '../../core/bytes.ts';

const ZERO = 0x30;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const DOT = 0x2e;
const LOWER_X = 0x78;
const LOWER_U = 0x75;
/** Below it, ten times the value is still a small integer. */
const SMALL_MAX = 100_000_000;
/** 1: printable ASCII that needs no escape. */
const IS_PLAIN = Uint8Array.from({ length: 256 }, (_, value) =>
  value >= 0x20 && value < 0x7f && value !== QUOTE && value !== BACKSLASH ? 1 : 0,
);
const HEX = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

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

/** Where lines are written. */
export class LineBuffer {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.#view = new DataView(this.bytes.buffer);
  }

  /** Needs room for seven bytes behind the piece, which the next part takes. */
  putPiece(at: number, { eights, length }: Piece): number {
    for (let index = 0; index < eights.length; index++) this.#view.setFloat64(at + 8 * index, eights[index]!, true);
    return at + length;
  }
}

/** A copy of `source[start, end)`. Four at a time, which takes half as long. */
export function putBytes(bytes: Uint8Array, at: number, source: Uint8Array, start: number, end: number): number {
  const shift = at - start;
  let from = start;
  for (; from < end - 3; from += 4) {
    const second = source[from + 1]!;
    const third = source[from + 2]!;
    const fourth = source[from + 3]!;
    const to = from + shift;
    bytes[to] = source[from]!;
    bytes[to + 1] = second;
    bytes[to + 2] = third;
    bytes[to + 3] = fourth;
  }
  for (; from < end; from++) bytes[from + shift] = source[from]!;
  return end + shift;
}

/** A whole number, at least 0. */
export function putInteger(bytes: Uint8Array, at: number, value: number): number {
  if (value >= SMALL_MAX) return putText(bytes, at, String(Math.floor(value)));
  let rest = value | 0;
  let digits = 1;
  for (let limit = 10; rest >= limit; limit *= 10) digits++;
  for (let index = at + digits - 1; index >= at; index--) {
    const tenth = (rest / 10) | 0;
    bytes[index] = ZERO + rest - tenth * 10;
    rest = tenth;
  }
  return at + digits;
}

/** With three decimals. */
export function putDecimal(bytes: Uint8Array, at: number, value: number): number {
  const thousandths = Math.max(0, Math.round(value * 1000));
  const whole = Math.floor(thousandths / 1000);
  const next = putInteger(bytes, at, whole);
  bytes[next] = DOT;
  return putThreeDigits(bytes, next + 1, (thousandths - whole * 1000) | 0);
}

/** 0 to 999. */
export function putThreeDigits(bytes: Uint8Array, at: number, value: number): number {
  const hundreds = (value / 100) | 0;
  const tens = ((value - hundreds * 100) / 10) | 0;
  bytes[at] = ZERO + hundreds;
  bytes[at + 1] = ZERO + tens;
  bytes[at + 2] = ZERO + value - hundreds * 100 - tens * 10;
  return at + 3;
}

/** The inside of a JSON string. What is not ASCII is told byte by byte: it need not be UTF-8. */
export function putJson(bytes: Uint8Array, at: number, source: Uint8Array, start: number, end: number): number {
  const plainEnd = putPlain(bytes, at, source, start, end);
  let next = at + plainEnd - start;
  for (let from = plainEnd; from < end; from++) {
    const value = source[from]!;
    if (IS_PLAIN[value] === 1) bytes[next++] = value;
    else next = putJsonEscape(bytes, next, value);
  }
  return next;
}

/** Copies what needs no escape, four bytes at a time. Returns up to where in `source`. */
function putPlain(bytes: Uint8Array, at: number, source: Uint8Array, start: number, end: number): number {
  const shift = at - start;
  let from = start;
  for (; from < end - 3; from += 4) {
    const first = source[from]!;
    const second = source[from + 1]!;
    const third = source[from + 2]!;
    const fourth = source[from + 3]!;
    if ((IS_PLAIN[first]! & IS_PLAIN[second]! & IS_PLAIN[third]! & IS_PLAIN[fourth]!) === 0) break;
    const to = from + shift;
    bytes[to] = first;
    bytes[to + 1] = second;
    bytes[to + 2] = third;
    bytes[to + 3] = fourth;
  }
  return from;
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
export function putQuoted(bytes: Uint8Array, at: number, source: Uint8Array, start: number, end: number): number {
  const plainEnd = putPlain(bytes, at, source, start, end);
  let next = at + plainEnd - start;
  for (let from = plainEnd; from < end; from++) {
    const value = source[from]!;
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
