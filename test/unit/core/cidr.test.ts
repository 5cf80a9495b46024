import { describe, expect, test } from 'vitest';
import { type Cidr, formatCidr, parseCidr } from '../../../src/core/cidr.ts';

function read(text: string): Cidr {
  const cidr = parseCidr(text);
  if (typeof cidr === 'string') throw new Error(cidr);
  return cidr;
}

describe('a range of addresses', () => {
  test.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['192.0.2.7', '192.0.2.7/32'],
    ['255.255.255.255/32', '255.255.255.255/32'],
    ['2001:DB8::/32', '2001:db8::/32'],
    ['::/0', '::/0'],
    ['::1', '::1/128'],
    ['fe80:0:0:0:0:0:0:0/10', 'fe80::/10'],
    ['2001:db8:0:0:8000::/65', '2001:db8:0:0:8000::/65'],
  ])('%s is %s', (text, canonical) => {
    expect(formatCidr(read(text))).toBe(canonical);
  });

  test('is told by its words', () => {
    expect(read('10.1.0.0/16')).toEqual({ family: 4, words: [0x0a010000, 0, 0, 0], bits: 16 });
    expect(read('2001:db8::1')).toEqual({ family: 6, words: [0x20010db8, 0, 0, 1], bits: 128 });
  });

  test.each([
    ['10.0.0.1/8', /bits set beyond its prefix; write 10\.0\.0\.0\/8$/],
    ['2001:db8::1/64', /write 2001:db8::\/64$/],
    ['10.0.0.0/33', /; write a number from 0 to 32/],
    ['::/129', /; write a number from 0 to 128/],
    ['10.0.0.0/', /; write a number/],
    ['10.0.0.0/-1', /; write a number/],
    ['10.0.0.0/8.0', /; write a number/],
    ['10.0.0/8', /; write it as/],
    ['example.com', /; write it as/],
    ['fe80::1%eth0', /; write it as/],
    ['', /; write it as/],
    ['::ffff:10.0.0.0/104', /; write it as IPv4/],
  ])('%s is refused, and what to write is said', (text, sentence) => {
    expect(parseCidr(text)).toMatch(sentence);
  });
});
