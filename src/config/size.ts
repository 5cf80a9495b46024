import type { Range } from './defaults.ts';
import { describeValue, quote } from './quote.ts';
import type { Reading } from './reading.ts';

const UNIT_BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };
/** For JSON Schema: editors underline what does not match. */
export const SIZE_PATTERN = '^[0-9]{1,12}(B|KiB|MiB|GiB)$';
const SIZE = new RegExp(SIZE_PATTERN);
const FORM = 'write a whole number and a unit, as in 512B, 64KiB, 1MiB or 2GiB';

/** Reads `512B`, `64KiB`, `1MiB`, `2GiB`, or a plain number of bytes, into bytes, within the range. */
export function readSizeBytes(written: unknown, range: Pick<Range, 'min' | 'max'>): Reading<number> {
  const value = toBytes(written);
  if (value === undefined) return { cause: `${describeValue(written)} is not a size`, remedy: remedyFor(written) };
  if (value >= range.min && value <= range.max) return { value };
  const [least, most] = [formatSize(range.min), formatSize(range.max)];
  const shown = typeof written === 'number' ? `${written} bytes` : quote(String(written));
  return { cause: `${shown} is too ${value < range.min ? 'small' : 'large'}`, remedy: `write ${least} to ${most}` };
}

function toBytes(written: unknown): number | undefined {
  if (typeof written === 'number') return Number.isInteger(written) ? written : undefined;
  if (typeof written !== 'string' || !SIZE.test(written)) return undefined;
  const digits = written.replace(/[a-zA-Z]+$/, '');
  return Number(digits) * UNIT_BYTES[written.slice(digits.length)]!;
}

/** `64k`, `64 KB` and `64kib` are all meant as 64KiB here: there are no decimal units to confuse them with. */
function remedyFor(written: unknown): string {
  const match = typeof written === 'string' ? /^([0-9]{1,12}) *([bkmg])(i?b)?$/i.exec(written) : null;
  if (match === null) return FORM;
  const unit = match[2]!.toUpperCase();
  return `write ${match[1]}${unit === 'B' ? 'B' : `${unit}iB`}; units are B, KiB, MiB and GiB`;
}

/** The shortest text that `readSizeBytes` reads as `bytes`. */
export function formatSize(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB']) {
    if (bytes !== 0 && bytes % UNIT_BYTES[unit]! === 0) return `${bytes / UNIT_BYTES[unit]!}${unit}`;
  }
  return `${bytes}B`;
}
