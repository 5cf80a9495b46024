import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asciiBytes } from '../../../src/core/bytes.ts';
import {
  normalizePath,
  PATH_KEEP_EMPTY_SEGMENTS,
  PATH_KEEP_ENCODED_SLASHES,
  PATH_REFUSED,
  PATH_UNCHANGED,
} from '../../../src/l7/path.ts';

const OUT_OFFSET = 3;

/** The normal path, `unchanged`, or `refused`. What is around the path, and around the result, must not matter. */
function normalize(path: string, options = 0): string {
  const bytes = asciiBytes(`.${path}/..`);
  const out = new Uint8Array(OUT_OFFSET + path.length + 2).fill(0x2f);
  const result = normalizePath(bytes, 1, 1 + path.length, out, OUT_OFFSET, options);
  if (result === PATH_UNCHANGED) return 'unchanged';
  if (result === PATH_REFUSED) return 'refused';
  expect(result).toBeLessThanOrEqual(Math.max(1, path.length));
  return Buffer.from(out.subarray(OUT_OFFSET, OUT_OFFSET + result)).toString('latin1');
}

describe('a path', () => {
  it.each([
    '/',
    '/a',
    '/a/',
    '/a/b.html',
    '/.a',
    '/..a',
    '/...',
    '/a/.well-known/x',
    '/a.',
    '/a..',
    '/a.b/c..d/',
    '/~user/:;=@!$&\'()*+,[]{}|^"<>`',
  ])('%s is normal already', (path) => {
    expect(normalize(path)).toBe('unchanged');
  });

  it.each([
    ['', '/'],
    ['/.', '/'],
    ['/..', '/'],
    ['/./', '/'],
    ['/../', '/'],
    ['/a/.', '/a/'],
    ['/a/..', '/'],
    ['/a/b/..', '/a/'],
    ['/a/./b', '/a/b'],
    ['/a/../b', '/b'],
    ['/../../a', '/a'],
    ['/a/b/../../c', '/c'],
    ['/a/b/../../../../c', '/c'],
    ['//', '/'],
    ['//a///b//', '/a/b/'],
    ['/a//../b', '/b'],
    ['/a/.//./b', '/a/b'],
    ['/%2e', '/'],
    ['/a/%2e%2E/b', '/b'],
    ['/a/.%2e/b', '/b'],
    ['/a/%2e./b', '/b'],
    ['/a/%2e%2ex', '/a/..x'],
    ['/%41%7a%30%2d%5F%7e', '/Az0-_~'],
    ['/%c3%a9', '/%C3%A9'],
    ['/%3a%20', '/%3A%20'],
    ['/%252e%252e/a', '/%252e%252e/a'],
    ['/%25%32%65', '/%252e'],
    ['/a/%61/../%62', '/a/b'],
  ])('%j becomes %j', (path, expected) => {
    expect(normalize(path)).toBe(expected);
  });

  it.each([
    '/%',
    '/%4',
    '/%g0',
    '/%4g',
    '/a%',
    '/%00',
    '/a%00b',
    '/\\',
    '/a\\..\\b',
    '/%2f',
    '/%2F',
    '/a/%5c',
    '/%5C',
    '/..%2f',
    '/%2e%2e%2fa',
    '/a/%zz/../b',
  ])('%s is refused', (path) => {
    expect(normalize(path)).toBe('refused');
  });

  it('keeps encoded slashes where it is told so, with upper-case digits', () => {
    expect(normalize('/a%2fb%5c', PATH_KEEP_ENCODED_SLASHES)).toBe('/a%2Fb%5C');
    expect(normalize('/a/..%2fb', PATH_KEEP_ENCODED_SLASHES)).toBe('/a/..%2Fb');
    expect(normalize('/%00', PATH_KEEP_ENCODED_SLASHES)).toBe('refused');
  });

  it('keeps empty segments where it is told so', () => {
    expect(normalize('//a///b//', PATH_KEEP_EMPTY_SEGMENTS)).toBe('unchanged');
    expect(normalize('/a//../b', PATH_KEEP_EMPTY_SEGMENTS)).toBe('/a/b');
    expect(normalize('/a//%62/.', PATH_KEEP_EMPTY_SEGMENTS)).toBe('/a//b/');
  });

  it('is written within the same bytes, at another place', () => {
    const bytes = asciiBytes('/a/../b......');
    expect(normalizePath(bytes, 0, 7, bytes, 8)).toBe(2);
    expect(Buffer.from(bytes.subarray(8, 10)).toString()).toBe('/b');
  });

  it('means the same after a second time, and has no dot segment, empty segment or escaped letter', () => {
    const piece = fc.constantFrom('/', '.', '..', '%2e', '%2E', 'a', 'B', '%61', '%c3', '%25', '%3a', ';', '~');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.integer({ min: 0, max: 3 }), (pieces, options) => {
        const path = `/${pieces.join('')}`;
        const once = normalize(path, options);
        const normal = once === 'unchanged' ? path : once;
        // Upper-case digits are not a reason to look twice, so a second pass may write the same again.
        expect(['unchanged', normal]).toContain(normalize(normal, options));
        expect(normal).not.toMatch(/(^|\/)\.\.?(\/|$)/);
        expect(normal).not.toMatch(/%(2e|61|[a-f][0-9a-f]|[0-9A-F][a-f])/);
        if ((options & PATH_KEEP_EMPTY_SEGMENTS) === 0) expect(normal).not.toMatch(/\/\//);
      }),
      { numRuns: 2000, seed: 47 },
    );
  });
});
