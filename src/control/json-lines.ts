import { pino } from 'pino';
import type { MakeLine } from './event-log.ts';

/** An object per line, as pino writes them: collectors of logs know the form. */
export function jsonLines(): MakeLine {
  let line = '';
  let time = '';
  const logger = pino(
    {
      base: { pid: process.pid, name: 'fourseven' },
      formatters: { level: (label) => ({ level: label }) },
      timestamp: () => `,"time":"${time}"`,
    },
    {
      write: (text: string) => {
        line = text;
      },
    },
  );
  return (at, level, text) => {
    time = at;
    logger[level](text);
    return line;
  };
}
