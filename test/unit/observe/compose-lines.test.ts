import { describe, expect, test } from 'vitest';
import { Random } from '../../../src/core/random.ts';
import type { LineComposer } from '../../../src/observe/access/line-parts.ts';
import {
  LENGTH_BITS,
  LinePart,
  PART_BITS,
  PIECE_ALIGNMENT_BYTES,
  SLACK_BYTES,
} from '../../../src/observe/access/line-protocol.ts';
import { COMPOSERS } from './composers.ts';

const AT = 3;
/** Longer than what is looked at at once, and no multiple of it. */
const TEXT_LENGTH = 21;

type Composed = { readonly end: number; readonly text: string; readonly bytes: Uint8Array };

function compose(composer: LineComposer, words: readonly number[], text = '', size = 1_024): Composed {
  const texts = new Uint8Array(text.length + SLACK_BYTES);
  texts.set(Buffer.from(text, 'latin1'));
  const bytes = new Uint8Array(new SharedArrayBuffer(size)).fill(0xee);
  const parts = Int32Array.from(words);
  const end = composer(parts, parts.length, texts, texts, bytes, AT);
  return { end, text: Buffer.from(bytes.subarray(AT, Math.max(AT, end))).toString('latin1'), bytes };
}

const head = (part: number, argument: number) => part | (argument << PART_BITS);
const textual = (part: number, length: number, place: number) => head(part, length | (place << LENGTH_BITS));
const long = (part: number, value: number) => [part, value | 0, Math.floor(value / 2 ** 32)];

/** Each byte at each place of a text that is plain otherwise. */
function texts(): string[] {
  return Array.from({ length: 256 }, (_, value) => String.fromCharCode(value)).flatMap((character) =>
    Array.from(
      { length: TEXT_LENGTH },
      (_, place) => 'a'.repeat(place) + character + 'b'.repeat(TEXT_LENGTH - place - 1),
    ),
  );
}

describe.each(COMPOSERS)('put together by %s', (_, composer) => {
  test.each([0, 7, 10, 99, 100, 999, 1_000, 65_535, 2 ** 28 - 1])('writes %d', (value) => {
    expect(compose(composer, [head(LinePart.INTEGER, value)]).text).toBe(String(value));
    expect(compose(composer, long(LinePart.LONG_INTEGER, value)).text).toBe(String(value));
  });

  test.each([2 ** 28, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1])('writes %d, which is long', (value) => {
    expect(compose(composer, long(LinePart.LONG_INTEGER, value)).text).toBe(String(value));
  });

  test.each([
    [0, '0.000'],
    [1, '0.001'],
    [999, '0.999'],
    [1_042, '1.042'],
    [12_345_678, '12345.678'],
    [2 ** 53 - 1, '9007199254740.991'],
  ])('writes %d thousandths', (value, expected) => {
    if (value < 2 ** 28) expect(compose(composer, [head(LinePart.DECIMAL, value)]).text).toBe(expected);
    expect(compose(composer, long(LinePart.LONG_DECIMAL, value)).text).toBe(expected);
  });

  test('writes bytes and three digits', () => {
    const words = [head(LinePart.BYTE, 0x22), head(LinePart.THREE_DIGITS, 42), head(LinePart.THREE_DIGITS, 999)];
    expect(compose(composer, words).text).toBe('"042999');
  });

  test('escapes for JSON whatever needs it, wherever it stands', () => {
    for (const text of texts()) {
      const { text: json } = compose(composer, [textual(LinePart.JSON, TEXT_LENGTH, 0)], text);
      expect(JSON.parse(json)).toBe(text);
      expect(json).toMatch(/^[ -~]*$/);
    }
  });

  test('escapes between quotes whatever needs it, wherever it stands', () => {
    for (const text of texts()) {
      const expected = Array.from(text, (character) =>
        /[ -~]/.test(character) && character !== '"' && character !== '\\'
          ? character
          : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
      );
      expect(compose(composer, [textual(LinePart.QUOTED, TEXT_LENGTH, 0)], text).text).toBe(expected.join(''));
    }
  });

  test('copies a text of any length as it is, wherever it begins', () => {
    const text = Array.from({ length: 120 }, (_, index) => String.fromCharCode(200 + (index % 56))).join('');
    const bar = head(LinePart.BYTE, 0x7c);
    for (let length = 0; length <= 70; length++) {
      const piece = compose(composer, [textual(LinePart.PIECE, length, 3), bar], text).text;
      const start = 3 * PIECE_ALIGNMENT_BYTES;
      expect(piece).toBe(`${text.slice(start, start + length)}|`);
      const plain = compose(composer, [textual(LinePart.PLAIN, length, 5), bar], text).text;
      expect(plain).toBe(`${text.slice(5, 5 + length)}|`);
    }
  });

  test.each([
    ['a part that is none', [0]],
    ['another', [head(15, 3)]],
    ['half a number', [LinePart.LONG_INTEGER, 1]],
    ['a text that ends behind the texts', [textual(LinePart.JSON, 4, 0)]],
    ['one that begins there', [textual(LinePart.PLAIN, 0, 4)]],
    ['a text as long, and as far behind, as a word can say', [LinePart.JSON | (-1 << PART_BITS)]],
    ['such a piece', [LinePart.PIECE | (-1 << PART_BITS)]],
  ])('refuses %s', (_, words) => {
    expect(compose(composer, words, 'abc').end).toBeLessThan(0);
  });

  test('writes nothing beyond the room it has', () => {
    const line = [textual(LinePart.JSON, 3, 0), ...long(LinePart.LONG_INTEGER, 2 ** 53 - 1)];
    let refused = 0;
    for (let size = AT; size < 120; size++) {
      const { end } = compose(composer, line, '\u0001"\\', size);
      if (end < 0) refused++;
      else expect(end).toBeLessThanOrEqual(size - SLACK_BYTES);
    }
    expect(refused).toBeGreaterThan(40);
    expect(refused).toBeLessThan(110);
  });
});

test('both give the same, whatever the parts', () => {
  const random = new Random(47);
  const below = (limit: number) => random.below(limit);
  const part = (): number[] => {
    const kind = below(12);
    if (kind === LinePart.LONG_INTEGER || kind === LinePart.LONG_DECIMAL) return [kind, below(2 ** 31), below(2 ** 21)];
    if (kind === LinePart.INTEGER || kind === LinePart.DECIMAL) return [head(kind, below(2 ** 28))];
    if (kind === LinePart.BYTE) return [head(kind, below(256))];
    if (kind === LinePart.THREE_DIGITS) return [head(kind, below(1_000))];
    return [textual(kind, below(64), below(kind === LinePart.PIECE ? 6 : 48))];
  };
  let refused = 0;
  for (let round = 0; round < 20_000; round++) {
    const words = Array.from({ length: below(8) }, part).flat();
    const text = Array.from({ length: 100 }, () => String.fromCharCode(below(3) === 0 ? below(256) : 0x61)).join('');
    const size = 64 + below(2_000);
    const [here, there] = COMPOSERS.map(([, composer]) => compose(composer, words, text, size));
    if (here!.end < 0) refused++;
    expect(there!.end < 0).toBe(here!.end < 0);
    if (here!.end >= 0) expect(there!.text).toBe(here!.text);
  }
  expect(refused).toBeGreaterThan(1_000);
  expect(refused).toBeLessThan(19_000);
});
