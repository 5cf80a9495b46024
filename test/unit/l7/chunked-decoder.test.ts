import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asciiBytes } from '../../../src/core/bytes.ts';
import { Chunked, ChunkedDecoder, type ChunkedLimits } from '../../../src/l7/h1/chunked-decoder.ts';

const LIMITS: ChunkedLimits = { trailersMaxBytes: 8192, trailersMaxCount: 10, dropsUnderscores: true };

interface Decoded {
  readonly result: 'done' | 'more' | 'error';
  readonly data: string;
  readonly trailers: string;
  readonly sizes: number[];
  /** What follows the body. */
  readonly rest: string;
}

/** Decodes pieces as they arrive; what the decoder wants held comes first in the next piece, at another offset. */
function decode(pieces: readonly string[], limits = LIMITS): Decoded {
  const decoder = new ChunkedDecoder(limits);
  const sizes: number[] = [];
  let data = '';
  let trailers = '';
  let held = '';
  for (const [index, piece] of pieces.entries()) {
    const text = held + piece;
    const bytes = asciiBytes(`${'\0'.repeat(index)}${text}\r\n\r\n`);
    const end = index + text.length;
    const slice = (from: number, to: number) => text.slice(from - index, to - index);
    let at = index;
    for (;;) {
      const found = decoder.next(bytes, at, end);
      at = decoder.consumed;
      expect(at).toBeLessThanOrEqual(end);
      if (found === Chunked.CHUNK_START) sizes.push(decoder.size);
      else if (found === Chunked.DATA) data += slice(decoder.dataStart, decoder.dataEnd);
      else if (found === Chunked.TRAILERS) trailers += slice(decoder.trailersStart, decoder.trailersEnd);
      else if (found === Chunked.DONE)
        return { result: 'done', data, trailers, sizes, rest: slice(at, end) + pieces.slice(index + 1).join('') };
      else if (found === Chunked.ERROR) return { result: 'error', data: '', trailers: '', sizes: [], rest: '' };
      else break;
    }
    held = slice(at, end);
    expect(decoder.heldFrom).toBe(held === '' ? -1 : at);
  }
  return { result: 'more', data, trailers, sizes, rest: held };
}

/** Decodes it whole, byte by byte, and cut in two at every place, and asserts that it is the same each time. */
function decodeEverywhere(text: string, limits = LIMITS): Decoded {
  const whole = decode([text], limits);
  expect(decode([...text], limits)).toEqual(whole);
  for (let cut = 0; cut <= text.length; cut++) {
    expect(decode([text.slice(0, cut), text.slice(cut)], limits), `cut at ${cut}`).toEqual(whole);
  }
  return whole;
}

const chunk = (text: string, extension = '') => `${text.length.toString(16)}${extension}\r\n${text}\r\n`;
const END = '0\r\n\r\n';

describe('a chunked body that is sound', () => {
  it('gives its data, and leaves what follows', () => {
    const decoded = decodeEverywhere(`${chunk('hello')}${chunk(' world')}${END}GET / HTTP/1.1\r\n`);
    expect(decoded).toEqual({
      result: 'done',
      data: 'hello world',
      trailers: '',
      sizes: [5, 6],
      rest: 'GET / HTTP/1.1\r\n',
    });
  });

  it('may be empty', () => {
    expect(decodeEverywhere(END)).toMatchObject({ result: 'done', data: '', rest: '' });
  });

  it.each([
    ['00000', '0\r\n'],
    ['1F', `1F\r\n${'x'.repeat(31)}\r\n`],
    ['1f', `1f\r\n${'x'.repeat(31)}\r\n`],
    ['0000000000005', '0000000000005\r\nhello\r\n'],
  ])('reads the size %s', (_, start) => {
    const text = start.startsWith('0\r') ? '00000\r\n\r\n' : `${start}${END}`;
    expect(decodeEverywhere(text).result).toBe('done');
  });

  it.each([
    ';a',
    ';a=b',
    ';a="b c"',
    ';a="\\"\\\\;\xff"',
    ';a;b=c;d',
    '; a ; b = c',
    ' ;a',
    ';a = "b" ; c',
    ';a=""',
    ";!#$%&'*+-.^_`|~09=x",
  ])('drops the extension %s', (extension) => {
    const decoded = decodeEverywhere(`${chunk('hello', extension)}0${extension}\r\n\r\n`);
    expect(decoded).toMatchObject({ result: 'done', data: 'hello' });
  });

  it('needs more for every piece of it', () => {
    const text = `${chunk('hello', ';a="b"')}0\r\nA: b\r\n\r\n`;
    for (let length = 0; length < text.length; length++) expect(decode([text.slice(0, length)]).result).toBe('more');
  });

  it('announces sizes beyond 32 bits exactly', () => {
    const decoder = new ChunkedDecoder(LIMITS);
    const bytes = asciiBytes('fffffffffffff\r\nab');
    expect(decoder.next(bytes, 0, bytes.length)).toBe(Chunked.CHUNK_START);
    expect(decoder.size).toBe(2 ** 52 - 1);
    expect(decoder.bodyBytes).toBe(2 ** 52 - 1);
    expect(decoder.next(bytes, decoder.consumed, bytes.length)).toBe(Chunked.DATA);
    expect(decoder.remaining).toBe(2 ** 52 - 3);
  });

  it('goes on after data that the caller moved itself', () => {
    const decoder = new ChunkedDecoder(LIMITS);
    const first = asciiBytes('a\r\n012');
    decoder.next(first, 0, first.length);
    expect(decoder.next(first, decoder.consumed, first.length)).toBe(Chunked.DATA);
    expect(decoder.remaining).toBe(7);
    decoder.skipped(3);
    decoder.skipped(4);
    const second = asciiBytes('\r\n0\r\n\r\n');
    expect(decoder.next(second, 0, second.length)).toBe(Chunked.DONE);
    expect(decoder.consumed).toBe(second.length);
  });

  it('is counted as it is announced', () => {
    const decoder = new ChunkedDecoder(LIMITS);
    const bytes = asciiBytes(`${chunk('hello')}${chunk('x')}${END}`);
    const sums: number[] = [];
    for (let at = 0, found = -1; found !== Chunked.DONE; at = decoder.consumed) {
      found = decoder.next(bytes, at, bytes.length);
      if (found === Chunked.CHUNK_START) sums.push(decoder.bodyBytes);
    }
    expect(sums).toEqual([5, 6]);
  });

  it('leaves nothing of it to the next one', () => {
    const decoder = new ChunkedDecoder(LIMITS);
    const bad = asciiBytes('5;a=b\r\nhel');
    decoder.next(bad, 0, bad.length);
    decoder.next(bad, decoder.consumed, bad.length);
    decoder.reset(LIMITS);
    const bytes = asciiBytes(END);
    expect(decoder.next(bytes, 0, bytes.length)).toBe(Chunked.DONE);
  });
});

describe('a chunked body that is not', () => {
  it.each([
    ['no size', `\r\n${END}`],
    ['a size that is no number', `g\r\n${END}`],
    ['a prefixed size', `0x5\r\nhello\r\n${END}`],
    ['a signed size', `+5\r\nhello\r\n${END}`],
    ['a negative size', `-5\r\nhello\r\n${END}`],
    ['an underscore in a size', `1_0\r\n${'x'.repeat(16)}\r\n${END}`],
    ['a space before the size', ` 5\r\nhello\r\n${END}`],
    ['a space after the size', `5 \r\nhello\r\n${END}`],
    ['a word after the size', `5 x\r\nhello\r\n${END}`],
    ['14 digits', `00000000000005\r\nhello\r\n${END}`],
    ['a bare LF after the size', `5\nhello\r\n${END}`],
    ['a bare CR after the size', `5\rhello\r\n${END}`],
    ['two CRs after the size', `5\r\r\nhello\r\n${END}`],
    ['no line end after the data', `5\r\nhello${END}`],
    ['a bare LF after the data', `5\r\nhello\n${END}`],
    ['a bare CR after the data', `5\r\nhello\r${END}`],
    ['more data than announced', `5\r\nhellox\r\n${END}`],
    ['a bare LF after the last size', '0\n\r\n'],
    ['a bare LF at the end', '0\r\n\n'],
    ['a bare CR at the end', '0\r\n\rX\r\n\r\n'],
    ['an extension without a name', `5;\r\nhello\r\n${END}`],
    ['an extension without a value', `5;a=\r\nhello\r\n${END}`],
    ['an extension with an empty name', `5;=a\r\nhello\r\n${END}`],
    ['an extension whose name is no token', `5;a[=b\r\nhello\r\n${END}`],
    ['an extension of two words', `5;a b\r\nhello\r\n${END}`],
    ['an extension with a bare LF', `5;a\nhello\r\n${END}`],
    ['an extension with a bare CR', `5;a\rb\r\nhello\r\n${END}`],
    ['an extension with a NUL', `5;a\0\r\nhello\r\n${END}`],
    ['a quoted string that does not end', `5;a="b\r\nhello\r\n${END}`],
    ['a quoted string with a bare LF', `5;a="b\n"\r\nhello\r\n${END}`],
    ['a quoted pair of CR', `5;a="\\\r\n"\r\nhello\r\n${END}`],
    ['a quoted string with more behind', `5;a="b"c\r\nhello\r\n${END}`],
    ['white space at the end of an extension', `5;a \r\nhello\r\n${END}`],
  ])('is refused for %s', (_, text) => {
    expect(decodeEverywhere(text).result).toBe('error');
  });

  it('stays refused', () => {
    const decoder = new ChunkedDecoder(LIMITS);
    const bytes = asciiBytes(`x${END}`);
    expect(decoder.next(bytes, 0, bytes.length)).toBe(Chunked.ERROR);
    expect(decoder.next(bytes, 1, bytes.length)).toBe(Chunked.ERROR);
  });
});

describe('limits of a chunked body', () => {
  it('takes an extension of 256 bytes, and no byte more', () => {
    expect(decode([`${chunk('hello', `;${'a'.repeat(255)}`)}${END}`]).result).toBe('done');
    expect(decode([`${chunk('hello', `;${'a'.repeat(256)}`)}${END}`]).result).toBe('error');
    expect(decode([`5;${'a'.repeat(256)}`]).result).toBe('error');
  });

  it('takes 16 KiB of extensions, and no byte more, around little data', () => {
    const full = chunk('x', `;${'a'.repeat(255)}`);
    expect(decode([full.repeat(64), END]).result).toBe('done');
    expect(decode([full.repeat(64), chunk('x', ';a'), END]).result).toBe('error');
    expect(decode([full.repeat(64), '0;a\r\n\r\n']).result).toBe('error');
  });

  it('takes a quarter of the data before in extensions, and no byte more', () => {
    const data = chunk('x'.repeat(80_000));
    const full = chunk('', `;${'a'.repeat(249)}`).slice(1, -2);
    const one = `1${full}x\r\n`;
    // 80 extensions of 250 bytes make 20,000; the 81st needs more data before it than there is.
    expect(decode([data, one.repeat(80), END]).result).toBe('done');
    expect(decode([data, one.repeat(81), END]).result).toBe('error');
  });

  it('takes any number of one-byte chunks', () => {
    expect(decode([chunk('x').repeat(50_000), END])).toMatchObject({ result: 'done', data: 'x'.repeat(50_000) });
  });
});

describe('trailers', () => {
  it('are handed out as they are', () => {
    const decoded = decodeEverywhere('0\r\nGrpc-Status: 0\r\nX:\r\nY: \ta \xff\r\n\r\nrest');
    expect(decoded).toMatchObject({
      result: 'done',
      trailers: 'Grpc-Status: 0\r\nX:\r\nY: \ta \xff\r\n',
      rest: 'rest',
    });
  });

  it('with `_` in their names are left out where requests are decoded', () => {
    const text = '0\r\na_b: 1\r\nA: 2\r\nB: 3\r\nc_: 4\r\n_d: 5\r\nE: f_g\r\n\r\n';
    expect(decodeEverywhere(text).trailers).toBe('A: 2\r\nB: 3\r\nE: f_g\r\n');
    expect(decodeEverywhere('0\r\na_b: 1\r\n\r\n').trailers).toBe('');
    expect(decodeEverywhere(text, { ...LIMITS, dropsUnderscores: false }).trailers).toBe(text.slice(3, -2));
  });

  it.each([
    'Content-Length',
    'Transfer-Encoding',
    'Host',
    'Authorization',
    'Cookie',
    'Set-Cookie',
    'Connection',
    'Trailer',
    'TE',
    'Upgrade',
    'Expect',
    'Range',
    'Cache-Control',
    'content-type',
    'Content-Encoding',
    'Content-Range',
    'X-Forwarded-For',
    'x-forwarded-anything',
    'Forwarded',
    'Proxy-Authorization',
    'Proxy',
    'Keep-Alive',
    'If-Match',
    'Max-Forwards',
    'Date',
  ])('may not be %s', (name) => {
    expect(decodeEverywhere(`0\r\nA: b\r\n${name}: x\r\n\r\n`).result).toBe('error');
  });

  it.each([
    ['an empty name', ': a\r\n'],
    ['no colon', 'a\r\n'],
    ['a space before the colon', 'a : b\r\n'],
    ['a folded line', 'a: b\r\n c\r\n'],
    ['white space first', ' a: b\r\n'],
    ['a NUL', 'a: \0\r\n'],
    ['a bare CR', 'a: b\rc: d\r\n'],
    ['a bare LF', 'a: b\nc: d\r\n'],
  ])('are refused for %s', (_, lines) => {
    expect(decodeEverywhere(`0\r\n${lines}\r\n`).result).toBe('error');
  });

  it('are refused beyond their limits by one byte or line, and not before', () => {
    const limits = { ...LIMITS, trailersMaxBytes: 30, trailersMaxCount: 2 };
    const verdict = (lines: string) => decodeEverywhere(`0\r\n${lines}\r\n`, limits).result;
    expect(verdict(`A:${'b'.repeat(24)}\r\n`)).toBe('done');
    expect(verdict(`A:${'b'.repeat(25)}\r\n`)).toBe('error');
    expect(verdict('A:\r\nB:\r\n')).toBe('done');
    expect(verdict('A:\r\nB:\r\nC:\r\n')).toBe('error');
    expect(decode([`0\r\n${'a'.repeat(29)}`], limits).result).toBe('more');
    expect(decode([`0\r\n${'a'.repeat(30)}`], limits).result).toBe('error');
  });
});

describe('however the bytes are cut', () => {
  it('the data is the same', () => {
    const piece = fc.string({ minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), fc.array(fc.nat(40), { maxLength: 12 }), (texts, lengths) => {
        const body = `${texts.map((text) => chunk(text, ';x=y')).join('')}0\r\nT: u\r\n\r\nrest`;
        const pieces: string[] = [];
        let at = 0;
        for (const length of lengths) {
          pieces.push(body.slice(at, at + length));
          at += length;
        }
        pieces.push(body.slice(at));
        expect(decode(pieces)).toEqual({
          result: 'done',
          data: texts.join(''),
          trailers: 'T: u\r\n',
          sizes: texts.map((text) => text.length),
          rest: 'rest',
        });
      }),
      { numRuns: 500, seed: 47 },
    );
  });
});
