import { mayBeWholeHead } from './request-parser.ts';

/** Up to here a head is parsed again whenever bytes of it come: what is wrong is told at once, and the cost is small. */
const EAGER_MAX_BYTES = 1024;

/**
 * For a head that dribbles in: whether parsing `bytes[start, end)` again is worth while, given that `heldBytes` of it were there before, and
 * `parsedBytes` when it was parsed last. It is when the head may be whole, or has doubled: the work stays linear in its size.
 */
export function isWorthParsing(
  bytes: Uint8Array,
  start: number,
  end: number,
  heldBytes: number,
  parsedBytes: number,
  headMaxBytes: number,
): boolean {
  const length = end - start;
  if (heldBytes === 0 || length <= EAGER_MAX_BYTES || length >= headMaxBytes || length >= 2 * parsedBytes) return true;
  return mayBeWholeHead(bytes, start, start + heldBytes, end);
}
