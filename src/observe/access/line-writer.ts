/**
 * Writes lines of text into a buffer, byte by byte. Hot path of access logs: no strings are made and nothing is allocated. The caller sees to it
 * that there is room: a write beyond the end is dropped.
 */

const ZERO = 0x30;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const DOT = 0x2e;
const BULK_MIN_BYTES = 32;
/** Below it, ten times the value is still a small integer. */
const SMALL_MAX = 100_000_000;
const LOWER_X = 0x78;
const LOWER_U = 0x75;
/** 1: printable ASCII that needs no escape. */
const IS_PLAIN = Uint8Array.from({ length: 256 }, (_, value) =>
  value >= 0x20 && value < 0x7f && value !== QUOTE && value !== BACKSLASH ? 1 : 0,
);
const HEX = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

export class LineWriter {
  bytes: Uint8Array;
  /** Where the next byte goes. */
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  byte(value: number): void {
    this.bytes[this.at++] = value;
  }

  /** ASCII text that needs no escapes: ours. */
  text(text: string): void {
    const { bytes } = this;
    let { at } = this;
    for (let index = 0; index < text.length; index++) bytes[at++] = text.charCodeAt(index);
    this.at = at;
  }

  /** The same, prepared. */
  constant(text: Uint8Array): void {
    const { bytes, at } = this;
    // A call costs as much as a few dozen bytes by hand.
    if (text.length >= BULK_MIN_BYTES) bytes.set(text, at);
    else for (let index = 0; index < text.length; index++) bytes[at + index] = text[index]!;
    this.at = at + text.length;
  }

  /** A whole number, at least 0. */
  integer(value: number): void {
    if (value < SMALL_MAX) this.#small(value | 0);
    else this.text(String(Math.floor(value)));
  }

  /** Without doubles. */
  #small(value: number): void {
    let digits = 1;
    for (let limit = 10; value >= limit; limit *= 10) digits++;
    const end = this.at + digits;
    let rest = value;
    for (let at = end - 1; at >= this.at; at--) {
      const tenth = (rest / 10) | 0;
      this.bytes[at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    this.at = end;
  }

  /** With three decimals. */
  decimal(value: number): void {
    const thousandths = Math.max(0, Math.round(value * 1000));
    this.integer(Math.floor(thousandths / 1000));
    this.byte(DOT);
    this.threeDigits((thousandths % 1000) | 0);
  }

  /** 0 to 999. */
  threeDigits(value: number): void {
    const hundreds = (value / 100) | 0;
    const tens = ((value - hundreds * 100) / 10) | 0;
    this.byte(ZERO + hundreds);
    this.byte(ZERO + tens);
    this.byte(ZERO + value - hundreds * 100 - tens * 10);
  }

  /** The inside of a JSON string. What is not ASCII is told byte by byte: it need not be UTF-8. */
  json(source: Uint8Array, start: number, end: number): void {
    const { bytes } = this;
    let { at } = this;
    for (let from = start; from < end; from++) {
      const value = source[from]!;
      if (IS_PLAIN[value] === 1) bytes[at++] = value;
      else {
        bytes[at++] = BACKSLASH;
        if (value === QUOTE || value === BACKSLASH) bytes[at++] = value;
        else {
          bytes[at++] = LOWER_U;
          bytes[at++] = ZERO;
          bytes[at++] = ZERO;
          bytes[at++] = HEX[value >>> 4]!;
          bytes[at++] = HEX[value & 15]!;
        }
      }
    }
    this.at = at;
  }

  /** Between quotes of a line for people: as nginx and Apache write it. */
  quoted(source: Uint8Array, start: number, end: number): void {
    const { bytes } = this;
    let { at } = this;
    for (let from = start; from < end; from++) {
      const value = source[from]!;
      if (IS_PLAIN[value] === 1) bytes[at++] = value;
      else {
        bytes[at++] = BACKSLASH;
        bytes[at++] = LOWER_X;
        bytes[at++] = HEX[value >>> 4]!;
        bytes[at++] = HEX[value & 15]!;
      }
    }
    this.at = at;
  }
}
