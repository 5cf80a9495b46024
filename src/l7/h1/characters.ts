/**
 * What each byte may be in an HTTP/1 message, as bits of one table, so that a scan is one load and one test per byte.
 */

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const COLON = 0x3a;

/** `tchar` (RFC 9110 section 5.6.2). */
export const TOKEN = 1;
/** What a field value, or a reason phrase, may hold: HTAB, SP, VCHAR and obs-text (RFC 9110 section 5.5). */
export const VALUE = 2;
/**
 * What the part of a target before `?` may hold: VCHAR without `#`, `?` and `\`. Wider than RFC 3986 by `"<>^|{}` and the backtick, which
 * browsers and command lines do send; never a space, a control or a byte above 0x7e (RFC 9112 section 3.2 wants those refused).
 */
export const PATH = 4;
/** What a query may hold: the same, with `?` and `\` (browsers send the latter as it is). */
export const QUERY = 8;
export const DIGIT = 16;
export const HEX = 32;
/** `reg-name` without `%` and `,` (RFC 3986 section 3.2.2). A comma is left out because it makes one Host look like two. */
export const REG_NAME = 64;
/** The one byte `_`: a name that holds it is not forwarded. */
export const UNDERSCORE = 128;

export const CHARACTERS = new Uint8Array(256);

function mark(bit: number, characters: string): void {
  for (const character of characters) CHARACTERS[character.charCodeAt(0)]! |= bit;
}

function markRange(bit: number, first: number, last: number): void {
  for (let byte = first; byte <= last; byte++) CHARACTERS[byte]! |= bit;
}

const DIGITS = '0123456789';
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

mark(TOKEN, `!#$%&'*+-.^_\`|~${DIGITS}${LETTERS}`);
mark(VALUE, '\t');
markRange(VALUE, 0x20, 0x7e);
markRange(VALUE, 0x80, 0xff);
markRange(PATH | QUERY, 0x21, 0x7e);
for (const character of '#?\\') CHARACTERS[character.charCodeAt(0)]! &= ~PATH;
CHARACTERS['#'.charCodeAt(0)]! &= ~QUERY;
mark(DIGIT | HEX, DIGITS);
mark(HEX, 'abcdefABCDEF');
mark(REG_NAME, `-._~!$&'()*+;=${DIGITS}${LETTERS}`);
mark(UNDERSCORE, '_');

/** The value of a hex digit, or NOT_HEX. */
export const HEX_VALUES = new Uint8Array(256).fill(0xff);
export const NOT_HEX = 0xff;
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16);
  HEX_VALUES[digit.charCodeAt(0)] = value;
  HEX_VALUES[digit.toUpperCase().charCodeAt(0)] = value;
}
