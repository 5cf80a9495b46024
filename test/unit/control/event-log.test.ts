import { expect, it } from 'vitest';
import { lineLog } from '../../../src/control/event-log.ts';
import { jsonLines } from '../../../src/control/json-lines.ts';
import { ManualClock } from '../../../src/core/clock.ts';

it('writes one line per event: time, level, text', () => {
  const lines: string[] = [];
  const log = lineLog((line) => lines.push(line) > 0, new ManualClock(0));
  log.warn('shard 1 is gone:\n  with a second line and \u001b[31mcolour');
  expect(lines).toEqual(['1970-01-01T00:00:00.000Z warn shard 1 is gone:   with a second line and  [31mcolour\n']);
});

it('drops lines beyond 100 at once and 10 per second, and says how many', () => {
  const lines: string[] = [];
  const clock = new ManualClock(0);
  const log = lineLog((line) => lines.push(line) > 0, clock);
  for (let event = 0; event < 150; event++) log.info(`event ${event}`);
  expect(lines).toHaveLength(100);
  clock.advance(1_000);
  for (let event = 0; event < 20; event++) log.info('later');
  expect(lines.filter((line) => line.includes('later'))).toHaveLength(10);
  expect(lines[100]).toContain('50 lines were dropped');
});

it('drops what its reader does not take, and says how many once it does', () => {
  const lines: string[] = [];
  let takes = false;
  const log = lineLog((line) => takes && lines.push(line) > 0, new ManualClock(0));
  log.info('one');
  log.info('two');
  takes = true;
  log.info('three');
  expect(lines.map((line) => line.slice('1970-01-01T00:00:00.000Z '.length))).toEqual([
    'warn 2 lines were dropped: too many at once\n',
    'info three\n',
  ]);
});

it('writes an object per line where that is wanted', () => {
  const lines: string[] = [];
  const log = lineLog((line) => lines.push(line) > 0, new ManualClock(0), 'info', jsonLines());
  log.error('a "quoted"\nword');
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { level: 'error', time: '1970-01-01T00:00:00.000Z', pid: process.pid, name: 'fourseven', msg: 'a "quoted" word' },
  ]);
  expect(lines[0]!.endsWith('\n')).toBe(true);
});

it('tells nothing below its level', () => {
  const lines: string[] = [];
  const log = lineLog((line) => lines.push(line) > 0, new ManualClock(0), 'warn');
  log.info('one');
  log.warn('two');
  log.error('three');
  expect(lines).toHaveLength(2);
});
