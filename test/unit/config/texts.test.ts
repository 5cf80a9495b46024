import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressesOverlap, readEndpointAddress, readListenAddress } from '../../../src/config/address-text.ts';
import { durationFault, formatDuration, readDurationMs } from '../../../src/config/duration.ts';
import { readHostPattern } from '../../../src/config/host-pattern.ts';
import { nearest } from '../../../src/config/nearest.ts';
import { readPathPattern } from '../../../src/config/path-pattern.ts';
import { isFault, type Reading } from '../../../src/config/reading.ts';
import { formatSize, readSizeBytes } from '../../../src/config/size.ts';
import { formatAddress } from '../../../src/core/address.ts';
import { normalizePath, PATH_REFUSED, PATH_UNCHANGED } from '../../../src/l7/path.ts';

function accepted<T>(reading: Reading<T>): T {
  if (isFault(reading)) throw new Error(`${reading.cause}; ${reading.remedy}`);
  return reading.value;
}

function remedyOf(reading: Reading<unknown>): string {
  if (!isFault(reading)) throw new Error(`was accepted as ${JSON.stringify(reading.value)}`);
  expect(reading.cause).not.toBe('');
  return reading.remedy;
}

const ANY = { min: 0, max: 10 ** 12 };

describe('durations', () => {
  test.each([
    ['0s', 0],
    ['250ms', 250],
    ['5s', 5_000],
    ['2m', 120_000],
    ['1h', 3_600_000],
  ])('%s is read as %i ms, and written the same way', (text, ms) => {
    expect(accepted(readDurationMs(text, ANY))).toBe(ms);
    expect(formatDuration(ms)).toBe(text);
  });

  test.each([
    '',
    's',
    '5',
    '5 s',
    '-5s',
    '+5s',
    '1.5s',
    '1m30s',
    '5S',
    '5d',
    '5sec',
    '0x5s',
    '٥s',
    '5s\n',
    '9999999999s',
  ])('%j is no duration', (text) => {
    expect(remedyOf(readDurationMs(text, ANY))).toMatch(/^write /);
  });

  test('a number without a unit is answered with both likely meanings', () => {
    expect(durationFault(10).remedy).toBe('write 10s for seconds or 10ms for milliseconds');
    expect(remedyOf(readDurationMs('10', ANY))).toBe(durationFault(10).remedy);
  });

  test('beyond the range, the remedy is the range', () => {
    const range = { min: 1, max: 60_000 };
    expect(accepted(readDurationMs('60s', range))).toBe(60_000);
    expect(remedyOf(readDurationMs('61s', range))).toBe('write 1ms to 1m');
    expect(remedyOf(readDurationMs('0s', range))).toBe('write 1ms to 1m');
  });
});

describe('sizes', () => {
  test.each([
    ['0B', 0],
    ['512B', 512],
    ['64KiB', 65_536],
    ['1MiB', 1_048_576],
    ['2GiB', 2_147_483_648],
  ])('%s is read as %i bytes, and written the same way', (text, bytes) => {
    expect(accepted(readSizeBytes(text, ANY))).toBe(bytes);
    expect(formatSize(bytes)).toBe(text);
  });

  test('a plain number is bytes', () => {
    expect(accepted(readSizeBytes(1500, ANY))).toBe(1500);
  });

  test.each(['64k', '64K', '64kb', '64 KB', '64kib', '64KIB'])('%s is answered with 64KiB', (text) => {
    expect(remedyOf(readSizeBytes(text, ANY))).toContain('write 64KiB');
  });

  test.each(['', 'KiB', '-1KiB', '1.5MiB', '64', '1TiB', 1.5, Number.NaN, true, null, [], {}])(
    '%j is no size',
    (written) => {
      expect(remedyOf(readSizeBytes(written, ANY))).toMatch(/^write /);
    },
  );

  test('beyond the range, the remedy is the range', () => {
    expect(remedyOf(readSizeBytes('1MiB', { min: 1024, max: 65_536 }))).toBe('write 1KiB to 64KiB');
    expect(remedyOf(readSizeBytes(-1, { min: 0, max: 65_536 }))).toBe('write 0B to 64KiB');
  });
});

describe('host patterns', () => {
  test.each([
    ['example.com', 'example.com'],
    ['API.Example.COM', 'api.example.com'],
    ['example.com.', 'example.com'],
    ['*.example.com', '*.example.com'],
    ['localhost', 'localhost'],
    ['my_service-1', 'my_service-1'],
    ['127.0.0.1', '127.0.0.1'],
    ['[::1]', '[::1]'],
  ])('%s is compared as %s', (text, host) => {
    expect(accepted(readHostPattern(text))).toBe(host);
  });

  test.each([
    ['*', 'leave out `hosts` to match every host'],
    ['api.*.com', 'write * only as the whole first label'],
    ['*example.com', 'write * only as the whole first label'],
    ['*.*.com', 'write * only as the whole first label'],
    ['example.com:8080', 'write example.com: '],
    ['http://example.com', 'write the host name alone'],
    ['::1', 'write [::1]'],
    ['bücher.example', 'write xn--bcher-kva.example'],
    ['*.bücher.example', 'write *.xn--bcher-kva.example'],
    ['', 'write labels'],
    ['.', 'write labels'],
    ['a..b', 'write labels'],
    ['-a.b', 'write labels'],
    ['a b', 'write labels'],
    [`${'a'.repeat(64)}.b`, 'write labels'],
    [`${'a.'.repeat(127)}b`, 'write labels'],
  ])('%j is refused, and the remedy begins with: %s', (text, remedy) => {
    expect(remedyOf(readHostPattern(text)).startsWith(remedy)).toBe(true);
  });
});

describe('path patterns', () => {
  test.each(['/', '/*', '/a', '/a/', '/a/*', '/a/b.c~d_e-f', '/a:b@c!$&()+,;=', '/%C3%A9', '/a%20b', '/...', '/a%25b'])(
    '%s is taken as it is',
    (text) => {
      expect(accepted(readPathPattern(text))).toBe(text);
    },
  );

  test.each([
    ['/a//b', '/a/b'],
    ['//', '/'],
    ['/a/./b', '/a/b'],
    ['/a/../b', '/b'],
    ['/a/..', '/'],
    ['/a/.', '/a/'],
    ['/../a', '/a'],
    ['/%41', '/A'],
    ['/%7euser', '/~user'],
    ['/%2e%2e/a', '/a'],
    ['/%c3%a9', '/%C3%A9'],
    ['/a//*', '/a/*'],
    ['/a/../*', '/*'],
    ['v1', '/v1'],
    ['/é', '/%C3%A9'],
    ['/a b', '/a%20b'],
    ['/a?b=c', '/a'],
    ['/a#b', '/a'],
  ])('%s could never match, and %s is the remedy', (text, normal) => {
    const remedy = remedyOf(readPathPattern(text));
    expect(remedy.endsWith(JSON.stringify(normal))).toBe(true);
    expect(accepted(readPathPattern(normal))).toBe(normal);
  });

  test.each([
    '',
    '*',
    '/*/a',
    '/a*',
    '/a/*/',
    '/**',
    '/%',
    '/%4',
    '/%zz',
    '/%00',
    '/%2F',
    '/%2f',
    '/%5C',
    '/a\\b',
    `/${'a'.repeat(5_000)}`,
  ])('%j is refused', (text) => {
    expect(remedyOf(readPathPattern(text))).toMatch(/^write /);
  });
});

test('a pattern is accepted exactly in the form that requests are brought into before matching', () => {
  const pieces = [
    '/',
    '/',
    '.',
    '..',
    'a',
    'B',
    '%2e',
    '%41',
    '%c3%A9',
    '%20',
    '%25',
    '%2F',
    '%5c',
    '%00',
    '%',
    '%4',
    '\\',
    '~',
    ';',
  ];
  const paths = fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((parts) => `/${parts.join('')}`);
  fc.assert(
    fc.property(paths, (path) => {
      const reading = readPathPattern(path);
      const normal = normalised(path);
      if (normal === undefined || normal !== path) expect(isFault(reading)).toBe(true);
      else expect(reading).toEqual({ value: path });
      if (normal !== undefined && normal !== path) expect(remedyOf(reading)).toBe(`write ${JSON.stringify(normal)}`);
    }),
    { numRuns: 2_000, seed: 47 },
  );
});

/** What the data plane makes of the path of a request; undefined: it is refused. */
function normalised(path: string): string | undefined {
  const bytes = Buffer.alloc(2 * path.length);
  bytes.write(path, 'latin1');
  const length = normalizePath(bytes, 0, path.length, bytes, path.length);
  if (length === PATH_REFUSED) return undefined;
  return length === PATH_UNCHANGED ? path : bytes.toString('latin1', path.length, path.length + length);
}

describe('addresses', () => {
  test.each([
    ['0.0.0.0:8080', '0.0.0.0:8080'],
    ['127.0.0.1:0', '127.0.0.1:0'],
    ['[0:0::1]:80', '[::1]:80'],
    ['localhost:80', '127.0.0.1:80'],
    ['unix:/run/x.sock', 'unix:/run/x.sock'],
  ])('a listener on %s is bound to %s', (text, address) => {
    expect(formatAddress(accepted(readListenAddress(text)))).toBe(address);
  });

  test.each([
    [':8080', 'write 0.0.0.0:8080'],
    ['*:8080', 'write 0.0.0.0:8080'],
    ['example.com:80', 'write 0.0.0.0:80'],
    ['::1:80', 'write an IPv6 address in brackets'],
    ['8080', 'write host:port'],
    ['1.2.3.4:65536', 'write host:port'],
    ['unix:relative', 'write host:port'],
    ['unix:/a\u0000b', 'write host:port'],
    [`${'a'.repeat(400)}:1`, 'write host:port'],
  ])('a listener on %j is refused, and the remedy begins with: %s', (text, remedy) => {
    expect(remedyOf(readListenAddress(text)).startsWith(remedy)).toBe(true);
  });

  test.each([
    ['http://a.b:80', 'write host:port'],
    ['a.b:0', 'write a port from 1 to 65535'],
    ['a.b', 'write host:port'],
  ])('an endpoint at %s is refused, and the remedy begins with: %s', (text, remedy) => {
    expect(remedyOf(readEndpointAddress(text)).startsWith(remedy)).toBe(true);
  });

  test('an endpoint may be a host name, whatever its case and final dot', () => {
    expect(formatAddress(accepted(readEndpointAddress('DB.internal.:5432')))).toBe('db.internal:5432');
  });

  test.each([
    ['0.0.0.0:80', '127.0.0.1:80', true],
    ['127.0.0.1:80', '127.0.0.1:80', true],
    ['[::]:80', '[::1]:80', true],
    ['127.0.0.1:80', '127.0.0.2:80', false],
    ['127.0.0.1:80', '127.0.0.1:81', false],
    ['127.0.0.1:0', '127.0.0.1:0', false],
    ['unix:/a', 'unix:/a', true],
    ['unix:/a', '0.0.0.0:1', false],
  ])('%s and %s overlap: %s', (a, b, overlap) => {
    expect(addressesOverlap(accepted(readListenAddress(a)), accepted(readListenAddress(b)))).toBe(overlap);
  });
});

describe('suggestions', () => {
  const known = ['policy', 'endpoints', 'timeouts', 'least-request'];
  test.each([
    ['endpoint', 'endpoints'],
    ['polcy', 'policy'],
    ['ploicy', 'policy'],
    ['Timeouts', 'timeouts'],
    ['least_request', 'least-request'],
    ['leastRequest', 'least-request'],
    ['tls', undefined],
    ['x', undefined],
    ['', undefined],
  ])('%j was meant as %s', (written, meant) => {
    expect(nearest(written, known)).toBe(meant);
  });

  test('a very long key costs little', () => {
    expect(nearest('e'.repeat(1_000_000), known)).toBeUndefined();
  });
});
