/** For looking at four bytes at once, as one number of 32 bits: the same byte four times (Warren, "Hacker's Delight", 2-18). */

export const HIGHEST_BITS = 0x80808080 | 0;
export const ONES = 0x01010101;
export const SPACES = 0x20202020;
export const QUOTES = 0x22222222;
export const COLONS = 0x3a3a3a3a;
export const BACKSLASHES = 0x5c5c5c5c;
export const DELETES = 0x7f7f7f7f;
