/**
 * Comparing bytes without making strings. Hot path: nothing here allocates (except `asciiBytes`, for constants), nothing throws.
 */

/** Each byte with A-Z made lower case, everything else itself. ASCII only, on purpose: RFC 9110 section 5.1. */
export const LOWER_CASE = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) LOWER_CASE[byte] = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;

/** The bytes of a text whose characters are all below 256. For constants and tests: allocates. */
export function asciiBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  copyAscii(text, bytes, 0);
  return bytes;
}

/** Writes such a text to where there is room for it. */
export function copyAscii(text: string, bytes: Uint8Array, start: number): void {
  for (let index = 0; index < text.length; index++) bytes[start + index] = text.charCodeAt(index);
}

let viewed: Uint8Array = new Uint8Array(0);
let view: DataView = new DataView(viewed.buffer);

/** A view of these bytes. The last one is kept: heads that follow each other lie on the same slab. */
export function viewOf(bytes: Uint8Array): DataView {
  if (bytes === viewed) return view;
  viewed = bytes;
  view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view;
}

/** A copy of `source[start, end)`, four bytes at a time: the last four of them together, whatever of them is copied already. Returns its end. */
export function copyBytes(target: DataView, at: number, source: DataView, start: number, end: number): number {
  const shift = at - start;
  const last = end - 4;
  if (last < start) {
    for (let from = start; from < end; from++) target.setUint8(from + shift, source.getUint8(from));
  } else {
    for (let from = start; from < last; from += 4) target.setInt32(from + shift, source.getInt32(from, true), true);
    target.setInt32(last + shift, source.getInt32(last, true), true);
  }
  return end + shift;
}

/** Whether `bytes[start, end)`, made lower case, equals `pattern`, which must be lower case already. */
export function equalsLowerCased(bytes: Uint8Array, start: number, end: number, pattern: Uint8Array): boolean {
  const length = pattern.length;
  if (end - start !== length) return false;
  for (let index = 0; index < length; index++) {
    const byte = bytes[start + index]!;
    if (byte !== pattern[index] && LOWER_CASE[byte] !== pattern[index]) return false;
  }
  return true;
}

/** Whether two ranges of `bytes` are equal, case ignored. */
export function rangesEqualIgnoringCase(
  bytes: Uint8Array,
  start: number,
  end: number,
  otherStart: number,
  otherEnd: number,
): boolean {
  if (end - start !== otherEnd - otherStart) return false;
  const shift = otherStart - start;
  for (let at = start; at < end; at++) {
    if (LOWER_CASE[bytes[at]!] !== LOWER_CASE[bytes[at + shift]!]) return false;
  }
  return true;
}
