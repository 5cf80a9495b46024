const ZERO = 0x30;
const LETTER_A_LESS_TEN = 0x61 - 10;
const CR = 0x0d;
const LF = 0x0a;

/** Writes `size` (an exact integer, at most 2^52) in hex and CR LF at `bytes[offset]`. Returns how many bytes that were, at most 15. */
export function writeHex(bytes: Uint8Array, offset: number, size: number): number {
  let at = offset;
  let unit = 1;
  while (unit * 16 <= size) unit *= 16;
  for (let rest = size; unit >= 1; unit /= 16) {
    const digit = Math.floor(rest / unit);
    rest -= digit * unit;
    bytes[at++] = digit < 10 ? ZERO + digit : LETTER_A_LESS_TEN + digit;
  }
  bytes[at++] = CR;
  bytes[at++] = LF;
  return at - offset;
}
