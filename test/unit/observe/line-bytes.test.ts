import { expect, test } from 'vitest';
import { LineBuffer, putJson, putQuoted } from '../../../src/observe/access/line-bytes.ts';

const AT = 3;
/** Long enough for two groups of four bytes, and a rest. */
const TEXT_LENGTH = 11;

function written(write: (line: LineBuffer) => number): string {
  const line = new LineBuffer(256);
  line.bytes.fill(0xee);
  return Buffer.from(line.bytes.subarray(AT, write(line))).toString('latin1');
}

function texts(): string[] {
  return Array.from({ length: 256 }, (_, value) => String.fromCharCode(value)).flatMap((character) =>
    Array.from(
      { length: TEXT_LENGTH },
      (_, place) => 'a'.repeat(place) + character + 'b'.repeat(TEXT_LENGTH - place - 1),
    ),
  );
}

function source(text: string): LineBuffer {
  const buffer = new LineBuffer(TEXT_LENGTH);
  buffer.bytes.set(Buffer.from(text, 'latin1'));
  return buffer;
}

test.each([
  0,
  7,
  10,
  99,
  100,
  999,
  1_000,
  1_007,
  65_535,
  999_999,
  1_000_000,
  1_002_003,
  999_999_999,
  1_000_000_000,
  2 ** 40,
])('writes %d', (value) => {
  expect(written((line) => line.putInteger(AT, value))).toBe(String(value));
});

test.each([
  [0, '0.000'],
  [0.0004, '0.000'],
  [0.0006, '0.001'],
  [0.9996, '1.000'],
  [1.042, '1.042'],
  [12_345.678, '12345.678'],
  [999_999.999, '999999.999'],
  [1_000_000, '1000000.000'],
  [86_400_000.5, '86400000.500'],
  [-0.001, '0.000'],
])('writes %d with three decimals', (value, expected) => {
  expect(written((line) => line.putDecimal(AT, value))).toBe(expected);
});

test('writes milliseconds without touching what follows', () => {
  const line = new LineBuffer(8);
  line.bytes.fill(0x2d);
  line.putMillisecondZ(2, 42);
  expect(Buffer.from(line.bytes).toString()).toBe('--042Z--');
});

test('escapes for JSON whatever needs it, wherever it stands', () => {
  for (const text of texts()) {
    const json = written((line) => putJson(line, AT, source(text), 0, TEXT_LENGTH));
    expect(JSON.parse(`"${json}"`)).toBe(text);
    expect(json).toMatch(/^[ -~]*$/);
  }
});

test('escapes between quotes whatever needs it, wherever it stands', () => {
  for (const text of texts()) {
    const quoted = written((line) => putQuoted(line, AT, source(text), 0, TEXT_LENGTH));
    const expected = Array.from(text, (character) =>
      /[ -~]/.test(character) && character !== '"' && character !== '\\'
        ? character
        : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
    );
    expect(quoted).toBe(expected.join(''));
  }
});
