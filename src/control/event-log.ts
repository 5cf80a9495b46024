/** What the operator is told while the proxy runs: a shard was replaced, a name changed. Plain lines, bounded in number. */
import { type Clock, systemClock } from '../core/clock.ts';

export interface EventLog {
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
}

export type LogLevel = keyof EventLog;

/** `at`: ISO time. Gives the line with its end. */
export type MakeLine = (at: string, level: LogLevel, text: string) => string;

const RANKS: Readonly<Record<LogLevel, number>> = { info: 0, warn: 1, error: 2 };

/** Lines that may come at once, and how fast the allowance comes back. A log must not fill a disk because an endpoint flaps. */
const BURST_LINES = 100;
const LINES_PER_SECOND = 10;
const LINE_MAX_LENGTH = 2_000;

/** Says nothing. */
export const silentLog: EventLog = { info: () => {}, warn: () => {}, error: () => {} };

/**
 * One line per event: time, level, text. Lines beyond the allowance, and those that `write` does not take (it returns false), are dropped,
 * counted, and the count is told with the next line. `least`: what is told at all.
 */
export function lineLog(
  write: (line: string) => boolean,
  clock: Clock = systemClock,
  least: LogLevel = 'info',
  makeLine: MakeLine = textLine,
): EventLog {
  let allowance = BURST_LINES;
  let lastMs = clock.nowMs();
  let dropped = 0;
  const log = (level: LogLevel, text: string) => {
    if (RANKS[level] < RANKS[least]) return;
    const nowMs = clock.nowMs();
    allowance = Math.min(BURST_LINES, allowance + ((nowMs - lastMs) / 1000) * LINES_PER_SECOND);
    lastMs = nowMs;
    if (allowance < 1) {
      dropped += 1;
      return;
    }
    allowance -= 1;
    const at = new Date(clock.wallMs()).toISOString();
    if (dropped > 0 && write(makeLine(at, 'warn', `${dropped} lines were dropped: too many at once`))) dropped = 0;
    if (!write(makeLine(at, level, oneLine(text)))) dropped += 1;
  };
  return {
    info: (text) => log('info', text),
    warn: (text) => log('warn', text),
    error: (text) => log('error', text),
  };
}

function textLine(at: string, level: LogLevel, text: string): string {
  return `${at} ${level} ${text}\n`;
}

/** What came from elsewhere must not look like a second line, nor steer a terminal. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must go.
  return text.slice(0, LINE_MAX_LENGTH).replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}
