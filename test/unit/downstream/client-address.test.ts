import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ADDRESS_TEXT_MAX_BYTES, ClientAddress } from '../../../src/downstream/client-address.ts';

function clientOf(family: number, ...words: number[]): ClientAddress {
  const client = new ClientAddress();
  client.read(family, 50_000, Int32Array.of(99, ...words, 0, 0, 0, 0), 1);
  return client;
}

function ofGroups(groups: readonly number[]): ClientAddress {
  return clientOf(6, ...[0, 2, 4, 6].map((i) => (groups[i]! << 16) | groups[i + 1]!));
}

function textOf(client: ClientAddress): string {
  const bytes = new Uint8Array(64);
  const length = client.write(bytes, 5);
  expect(bytes.subarray(5 + length).every((byte) => byte === 0)).toBe(true);
  return Buffer.from(bytes.subarray(5, 5 + length)).toString('latin1');
}

describe('the text of an address', () => {
  test.each([
    [0x00000000, '0.0.0.0'],
    [0x7f000001, '127.0.0.1'],
    [0x0a0b6409, '10.11.100.9'],
    [0xffffffff, '255.255.255.255'],
    [0xc8630a01, '200.99.10.1'],
  ])('of IPv4 %i is dotted', (word, text) => {
    expect(textOf(clientOf(4, word))).toBe(text);
  });

  test.each([
    ['all zero', [0, 0, 0, 0, 0, 0, 0, 0], '::'],
    ['loopback', [0, 0, 0, 0, 0, 0, 0, 1], '::1'],
    ['zeros at the end', [0xfe80, 0, 0, 0, 0, 0, 0, 0], 'fe80::'],
    ['lower case, no leading zeros', [0x2001, 0xdb8, 0xa, 0xbc0, 0xdef, 1, 2, 3], '2001:db8:a:bc0:def:1:2:3'],
    ['a single zero group stays', [0x2001, 0xdb8, 0, 1, 1, 1, 1, 1], '2001:db8:0:1:1:1:1:1'],
    ['the longest run', [0x2001, 0, 0, 1, 0, 0, 0, 1], '2001:0:0:1::1'],
    ['the first of equal runs', [0x2001, 0xdb8, 0, 0, 1, 0, 0, 1], '2001:db8::1:0:0:1'],
    ['zeros in front', [0, 0, 1, 2, 3, 4, 5, 6], '::1:2:3:4:5:6'],
    ['the longest text', new Array<number>(8).fill(0xffff), new Array<string>(8).fill('ffff').join(':')],
  ])('of IPv6 is as in RFC 5952: %s', (_what, groups, text) => {
    expect(textOf(ofGroups(groups))).toBe(text);
    expect(text.length).toBeLessThanOrEqual(ADDRESS_TEXT_MAX_BYTES);
  });

  test('of any IPv6 address is what a URL parser makes of it', () => {
    const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const text = textOf(ofGroups(groups));
        expect(isIPv6(text)).toBe(true);
        const long = groups.map((value) => value.toString(16)).join(':');
        expect(`[${text}]`).toBe(new URL(`http://[${long}]/`).hostname);
      }),
    );
  });

  test('of a client on a unix socket says so', () => {
    expect(textOf(clientOf(0))).toBe('unix:');
  });
});

describe('the hash of an address', () => {
  test('is the same for every connection of a client', () => {
    const first = clientOf(4, 0x0a000001);
    const second = clientOf(4, 0x0a000001);
    second.port = 1;
    expect(first.hash()).toBe(second.hash());
  });

  test('is another for each word that differs', () => {
    const hashes = [
      clientOf(4, 1),
      clientOf(4, 2),
      clientOf(6, 1, 0, 0, 0),
      clientOf(6, 0, 1, 0, 0),
      clientOf(6, 0, 0, 1, 0),
      clientOf(6, 0, 0, 0, 1),
      clientOf(0),
    ].map((client) => client.hash());
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});
