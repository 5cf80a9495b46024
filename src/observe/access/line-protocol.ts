/**
 * The parts of a line, as numbers: `native/line_protocol.h` holds the same ones, and a test compares the two. A part is one word: its kind in the
 * lowest PART_BITS, above them its argument. Of a text that is the length, in LENGTH_BITS, and then where it begins.
 */

export const PART_BITS = 4;
export const LENGTH_BITS = 12;
/** Pieces begin at a multiple of it, and say of which. */
export const PIECE_ALIGNMENT_BYTES = 8;

export const LinePart = {
  /** Text that many lines have in common, from the pieces. */
  PIECE: 1,
  /** Text of this line, as it is. */
  PLAIN: 2,
  /** The same as a JSON string. What is not ASCII is told byte by byte (`\u00e9`): it need not be UTF-8. */
  JSON: 3,
  /** The same as it stands between quotes of a line for people: as nginx and Apache write it (`\x22`). */
  QUOTED: 4,
  /** Argument: a whole number. */
  INTEGER: 5,
  /** Argument: a whole number, in thousandths. Written with a dot and three decimals. */
  DECIMAL: 6,
  /** As INTEGER, up to 2^53. Two words follow: its low 32 bits, and its high ones. */
  LONG_INTEGER: 7,
  /** As DECIMAL, in such words. */
  LONG_DECIMAL: 8,
  /** Argument: the byte. */
  BYTE: 9,
  /** Argument: 0 to 999, written with leading zeros. */
  THREE_DIGITS: 10,
} as const;

/** There has to be room for so many bytes for each of a text, whether they are needed or not; */
export const ESCAPE_MAX_BYTES = 6;
/** and for so many for each part. */
export const PART_MAX_BYTES = 24;
/** Bytes that must be there behind texts, pieces and what is written: copies move so many at once. */
export const SLACK_BYTES = 16;

/** The word of a text: `part`, its length, and where it begins (of a piece, in units of PIECE_ALIGNMENT_BYTES). */
export function textWord(part: number, length: number, place: number): number {
  return part | (length << PART_BITS) | (place << (PART_BITS + LENGTH_BITS));
}

/** Bytes of the text that a word tells of. */
export function textLength(word: number): number {
  return (word >>> PART_BITS) & ((1 << LENGTH_BITS) - 1);
}

export function textPlace(word: number): number {
  return word >>> (PART_BITS + LENGTH_BITS);
}
