import { describe, expect, it } from 'vitest';
import { asciiBytes } from '../../../src/core/bytes.ts';
import { isWorthParsing } from '../../../src/l7/h1/partial-head.ts';

const HEAD_MAX_BYTES = 64 * 1024;

/** Feeds the head byte by byte; returns how many bytes were parsed altogether, and how many there were at the last parse. */
function drip(text: string): { parsedAltogether: number; lastParsed: number } {
  const bytes = asciiBytes(text);
  let parsedAltogether = 0;
  let lastParsed = 0;
  for (let end = 1; end <= bytes.length; end++) {
    if (!isWorthParsing(bytes, 0, end, end - 1, lastParsed, HEAD_MAX_BYTES)) continue;
    parsedAltogether += end;
    lastParsed = end;
  }
  return { parsedAltogether, lastParsed };
}

describe('a head that comes byte by byte', () => {
  const field = `X-Long: ${'a'.repeat(100)}\r\n`;

  it('is parsed at its last byte, however long it is', () => {
    for (const count of [1, 20, 400]) {
      const text = `GET / HTTP/1.1\r\n${field.repeat(count)}\r\n`;
      expect(drip(text).lastParsed).toBe(text.length);
    }
  });

  it('costs work that is linear in its size', () => {
    const text = `GET / HTTP/1.1\r\n${field.repeat(500)}\r\n`;
    const eager = 1024 * 1024;
    expect(drip(text).parsedAltogether).toBeLessThan(eager + 4 * text.length);
  });

  it('is told at once what is wrong with it while it is small', () => {
    expect(isWorthParsing(asciiBytes('GET  /'), 0, 6, 5, 5, HEAD_MAX_BYTES)).toBe(true);
  });

  it('is parsed when its limit is reached', () => {
    const bytes = asciiBytes('a'.repeat(HEAD_MAX_BYTES));
    expect(isWorthParsing(bytes, 0, HEAD_MAX_BYTES, HEAD_MAX_BYTES - 1, HEAD_MAX_BYTES - 1, HEAD_MAX_BYTES)).toBe(true);
  });
});
