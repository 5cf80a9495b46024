import { expect, test } from 'vitest';
import { BACKLOG_MAX_BYTES, boundedWriter } from '../../../src/cli/log-output.ts';

test('a reader who is too slow costs lines, not memory, and gets the next ones once there is room', () => {
  const lines: string[] = [];
  const stream = { writableLength: 0, write: (line: string) => lines.push(line) };
  const write = boundedWriter(stream);
  expect(write('one\n')).toBe(true);
  stream.writableLength = BACKLOG_MAX_BYTES - 4;
  expect([write('four\n'), write('two\n')]).toEqual([false, true]);
  stream.writableLength = BACKLOG_MAX_BYTES;
  expect(write('\n')).toBe(false);
  stream.writableLength = 0;
  expect(write('three\n')).toBe(true);
  expect(lines).toEqual(['one\n', 'two\n', 'three\n']);
});
