import { describe, expect, it } from 'vitest';
import { asciiBytes } from '../../../src/core/bytes.ts';
import { checkHost, HOST_REFUSED, PORT_NONE, portAfter, sameAuthority } from '../../../src/l7/host.ts';

/** The host as it is routed by, and its port; or undefined. Bytes after the end would make it another one. */
function read(text: string): [host: string, port: number] | undefined {
  const bytes = asciiBytes(`-${text}]:1`);
  const end = 1 + text.length;
  const hostEnd = checkHost(bytes, 1, end);
  if (hostEnd === HOST_REFUSED) return undefined;
  return [text.slice(0, hostEnd - 1), portAfter(bytes, hostEnd, end)];
}

describe('a host', () => {
  it.each([
    ['', '', PORT_NONE],
    ['a.example', 'a.example', PORT_NONE],
    ['A.example:8080', 'A.example', 8080],
    ['a.example.', 'a.example', PORT_NONE],
    ['a.example.:80', 'a.example', 80],
    ['a.example:', 'a.example', PORT_NONE],
    ['a:0', 'a', 0],
    ['a:65535', 'a', 65_535],
    ['a:00080', 'a', 80],
    ['under_score', 'under_score', PORT_NONE],
    ['0.0.0.0=5000', '0.0.0.0=5000', PORT_NONE],
    ['%C3%b1', '%C3%b1', PORT_NONE],
    ['127.0.0.1:80', '127.0.0.1', 80],
    ['[::]', '[::]', PORT_NONE],
    ['[::1]:80', '[::1]', 80],
    ['[1::]', '[1::]', PORT_NONE],
    ['[2001:db8::8:800:200c:417A]', '[2001:db8::8:800:200c:417A]', PORT_NONE],
    ['[1:2:3:4:5:6:7:8]', '[1:2:3:4:5:6:7:8]', PORT_NONE],
    ['[1:2:3:4:5:6:7::]', '[1:2:3:4:5:6:7::]', PORT_NONE],
    ['[::ffff:1.2.3.4]', '[::ffff:1.2.3.4]', PORT_NONE],
    ['[1:2:3:4:5:6:255.0.0.1]', '[1:2:3:4:5:6:255.0.0.1]', PORT_NONE],
  ])('reads %j', (text, host, port) => {
    expect(read(text)).toEqual([host, port]);
  });

  it.each([
    ':',
    ':80',
    '.',
    '..',
    '.a',
    'a..b',
    'a..',
    'u@a',
    'u:p@a',
    'a/b',
    'a b',
    'a,b',
    'a?b',
    'a#b',
    'a\\b',
    '{',
    '\xff',
    'a\0',
    '%',
    '%4',
    '%4g',
    'a%',
    'a:65536',
    'a:99999999999',
    'a:8a',
    'a:-1',
    'a:80:80',
    '::1',
    '[',
    '[]',
    '[::',
    '[:]',
    '[1]',
    '[:::]',
    '[1::2::3]',
    '[12345::]',
    '[1:2:3:4:5:6:7]',
    '[1:2:3:4:5:6:7:8:9]',
    '[1:2:3:4:5:6:7:8::]',
    '[1:2:3:4:5:6:7:]',
    '[:1:2:3:4:5:6:7]',
    '[::1%25en0]',
    '[v1.a]',
    '[::1]x',
    '[::1].',
    '[::g]',
    '[::1.2.3]',
    '[::1.2.3.256]',
    '[::1.2.3.04]',
    '[::1.2.3.4:1]',
    '[1:2:3:4:5:6:7:1.2.3.4]',
    'a[::1]',
  ])('refuses %j', (text) => {
    expect(read(text)).toBeUndefined();
  });
});

describe('two authorities', () => {
  const same = (one: string, other: string) => {
    const bytes = asciiBytes(one + other);
    const end = one.length;
    return sameAuthority(
      bytes,
      0,
      checkHost(bytes, 0, end),
      end,
      end,
      checkHost(bytes, end, bytes.length),
      bytes.length,
      80,
    );
  };

  it.each([
    ['a.b', 'A.B'],
    ['a.b.', 'a.b'],
    ['a.b:80', 'a.b'],
    ['a.b.:80', 'a.b:'],
    ['a:080', 'a'],
    ['[::A]:80', '[::a]'],
    ['a:81', 'a:81'],
  ])('%s and %s are the same', (one, other) => {
    expect(same(one, other)).toBe(true);
    expect(same(other, one)).toBe(true);
  });

  it.each([
    ['a.b', 'a.c'],
    ['a', 'ab'],
    ['a:81', 'a'],
    ['a:81', 'a:82'],
    ['', 'a'],
  ])('%s and %s are not', (one, other) => {
    expect(same(one, other)).toBe(false);
    expect(same(other, one)).toBe(false);
  });
});
