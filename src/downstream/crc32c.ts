/** CRC32c (RFC 9260 appendix A), the checksum of PROXY protocol headers. */

/** The Castagnoli polynomial, bits reversed. */
const POLYNOMIAL = 0x82f6_3b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++)
    remainder = (remainder & 1) !== 0 ? (remainder >>> 1) ^ POLYNOMIAL : remainder >>> 1;
  return remainder;
});

/** Checksum of `bytes[start, end)`, unsigned, taking the `holeBytes` from `hole` on (its own place) for zeros. */
export function crc32cWithHole(bytes: Uint8Array, start: number, end: number, hole: number, holeBytes: number): number {
  let remainder = -1;
  for (let at = start; at < end; at++) {
    const byte = at >= hole && at < hole + holeBytes ? 0 : bytes[at]!;
    remainder = TABLE[(remainder ^ byte) & 0xff]! ^ (remainder >>> 8);
  }
  return ~remainder >>> 0;
}
