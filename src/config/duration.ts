import type { Range } from './defaults.ts';
import { describeValue, quote } from './quote.ts';
import type { Fault, Reading } from './reading.ts';

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
/** For JSON Schema: editors underline what does not match. */
export const DURATION_PATTERN = '^[0-9]{1,9}(ms|s|m|h)$';
const DURATION = new RegExp(DURATION_PATTERN);
const FORM = 'write a whole number and a unit, as in 250ms, 5s, 2m or 1h';

/** Reads `250ms`, `5s`, `2m` or `1h` into milliseconds, within the range. */
export function readDurationMs(text: string, range: Pick<Range, 'min' | 'max'>): Reading<number> {
  if (!DURATION.test(text)) {
    return /^[0-9]+$/.test(text) ? withoutUnit(text) : { cause: `${quote(text)} is not a duration`, remedy: FORM };
  }
  const digits = text.replace(/[a-z]+$/, '');
  const value = Number(digits) * UNIT_MS[text.slice(digits.length)]!;
  if (value >= range.min && value <= range.max) return { value };
  const [least, most] = [formatDuration(range.min), formatDuration(range.max)];
  return { cause: `${text} is ${value < range.min ? 'too short' : 'too long'}`, remedy: `write ${least} to ${most}` };
}

/** What is wrong with a value that is no text, where a duration is expected. */
export function durationFault(value: unknown): Fault {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return withoutUnit(String(value));
  return { cause: `${describeValue(value)} is not a duration`, remedy: FORM };
}

function withoutUnit(digits: string): Fault {
  const shown = digits.slice(0, 12);
  return {
    cause: `the duration ${shown} has no unit`,
    remedy: `write ${shown}s for seconds or ${shown}ms for milliseconds`,
  };
}

/** The shortest text that `readDurationMs` reads as `ms`. */
export function formatDuration(ms: number): string {
  for (const unit of ['h', 'm', 's']) {
    if (ms !== 0 && ms % UNIT_MS[unit]! === 0) return `${ms / UNIT_MS[unit]!}${unit}`;
  }
  return ms === 0 ? '0s' : `${ms}ms`;
}
