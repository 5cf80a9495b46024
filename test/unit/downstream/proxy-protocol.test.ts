import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asciiBytes } from '../../../src/core/bytes.ts';
import type { ClientAddress } from '../../../src/downstream/client-address.ts';
import { crc32cWithHole } from '../../../src/downstream/crc32c.ts';
import {
  PROXY_ABSENT,
  PROXY_MALFORMED,
  PROXY_NEEDS_MORE,
  ProxyHeader,
  readProxyHeader,
  V2_MAX_BYTES,
} from '../../../src/downstream/proxy-protocol.ts';

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
const IPV4 = [192, 0, 2, 1, 198, 51, 100, 2, 0xc0, 0x00, 0x01, 0xbb];
const IPV6 = [
  0x20,
  1,
  13,
  0xb8,
  ...Array(11).fill(0),
  1,
  0x20,
  1,
  13,
  0xb8,
  ...Array(11).fill(0),
  2,
  0x12,
  0x34,
  0,
  80,
];
const UNIX = Array(216).fill(0x61);

/** A header of version 2 with the right length, unless another is given. */
function v2(command: number, family: number, block: readonly number[] = [], length = block.length): Uint8Array {
  return Uint8Array.of(...SIGNATURE, command, family, length >> 8, length & 0xff, ...block);
}

function tlv(type: number, value: readonly number[], length = value.length): number[] {
  return [type, length >> 8, length & 0xff, ...value];
}

function withChecksum(block: readonly number[], wrongBy = 0): Uint8Array {
  const bytes = v2(0x21, 0x11, [...IPV4, ...block, ...tlv(3, [0, 0, 0, 0])]);
  const checksum = crc32cWithHole(bytes, 0, bytes.length, 0, 0) ^ wrongBy;
  new DataView(bytes.buffer).setUint32(bytes.length - 4, checksum >>> 0);
  return bytes;
}

function text(address: ClientAddress): string {
  const bytes = new Uint8Array(64);
  return `${Buffer.from(bytes.subarray(0, address.write(bytes, 0))).toString()} ${address.port}`;
}

const header = new ProxyHeader();

/** Result, and the addresses if there are any. */
function read(bytes: Uint8Array): [result: number, source?: string, destination?: string] {
  const result = readProxyHeader(bytes, 0, bytes.length, header);
  return header.hasAddresses && result > 0 ? [result, text(header.source), text(header.destination)] : [result];
}

const line = (words: string) => asciiBytes(`PROXY ${words}\r\n`);

const WHOLE: readonly [name: string, bytes: Uint8Array, source?: string, destination?: string][] = [
  ['v1 TCP4', line('TCP4 192.0.2.1 198.51.100.2 49152 443'), '192.0.2.1 49152', '198.51.100.2 443'],
  [
    'v1 TCP4, the longest',
    line('TCP4 255.255.255.255 255.255.255.255 65535 65535'),
    '255.255.255.255 65535',
    '255.255.255.255 65535',
  ],
  ['v1 TCP4, port 0', line('TCP4 0.0.0.0 0.0.0.0 0 0'), '0.0.0.0 0', '0.0.0.0 0'],
  ['v1 TCP6', line('TCP6 2001:db8::1 2001:DB8:0:0:0:0:0:2 4660 80'), '2001:db8::1 4660', '2001:db8::2 80'],
  ['v1 TCP6 of a mapped address', line('TCP6 ::ffff:192.0.2.1 ::1 1 2'), '192.0.2.1 1', '::1 2'],
  ['v1 UNKNOWN', line('UNKNOWN')],
  ['v1 UNKNOWN with whatever', line(`UNKNOWN ${'f'.repeat(107 - 16)}`)],
  ['v2 LOCAL', v2(0x20, 0x00)],
  ['v2 LOCAL with addresses and bytes that are no extensions', v2(0x20, 0x11, [...IPV4, 1, 2])],
  ['v2 LOCAL of a family that is none', v2(0x20, 0xff, [1])],
  ['v2 unspecified', v2(0x21, 0x00)],
  ['v2 unspecified, with a block', v2(0x21, 0x00, [1, 2, 3])],
  ['v2 TCP over IPv4', v2(0x21, 0x11, IPV4), '192.0.2.1 49152', '198.51.100.2 443'],
  ['v2 TCP over IPv6', v2(0x21, 0x21, IPV6), '2001:db8::1 4660', '2001:db8::2 80'],
  ['v2 UDP over IPv4', v2(0x21, 0x12, IPV4)],
  ['v2 UDP over IPv6', v2(0x21, 0x22, IPV6)],
  ['v2 unspecified over IPv4', v2(0x21, 0x10, IPV4)],
  ['v2 unix stream', v2(0x21, 0x31, UNIX)],
  [
    'v2 with extensions',
    v2(0x21, 0x11, [...IPV4, ...tlv(4, []), ...tlv(0xe0, [1, 2, 3]), ...tlv(0x20, [1, 0, 0, 0, 0])]),
    '192.0.2.1 49152',
    '198.51.100.2 443',
  ],
  ['v2 with a checksum', withChecksum(tlv(2, [0x61])), '192.0.2.1 49152', '198.51.100.2 443'],
  [
    'v2, the longest',
    v2(0x21, 0x11, [...IPV4, ...tlv(4, Array(V2_MAX_BYTES - 16 - 12 - 3).fill(0))]),
    '192.0.2.1 49152',
    '198.51.100.2 443',
  ],
];

describe('a whole header', () => {
  test.each(WHOLE)('%s is read', (_name, bytes, ...addresses) => {
    expect(read(bytes)).toEqual([bytes.length, ...addresses]);
  });

  test.each(WHOLE)('%s needs every one of its bytes', (_name, bytes) => {
    for (let length = 0; length < bytes.length; length++) {
      expect([length, ...read(bytes.subarray(0, length))]).toEqual([length, PROXY_NEEDS_MORE]);
    }
  });

  test.each(WHOLE)('%s ends where it ends, whatever follows and precedes it', (_name, bytes, ...addresses) => {
    const surrounded = Uint8Array.of(...asciiBytes('PROXY \r\n'), ...bytes, ...asciiBytes('PROXY UNKNOWN\r\n'));
    const result = readProxyHeader(surrounded, 8, surrounded.length, header);
    expect(result).toBe(bytes.length);
    expect(header.hasAddresses).toBe(addresses.length > 0);
  });
});

const MALFORMED: readonly [name: string, bytes: Uint8Array][] = [
  ...[
    '',
    'TCP4',
    'TCP5 192.0.2.1 198.51.100.2 1 2',
    'tcp4 192.0.2.1 198.51.100.2 1 2',
    ' TCP4 192.0.2.1 198.51.100.2 1 2',
    'TCP4  192.0.2.1 198.51.100.2 1 2',
    'TCP4 192.0.2.1  198.51.100.2 1 2',
    'TCP4 192.0.2.1 198.51.100.2 1  2',
    'TCP4 192.0.2.1 198.51.100.2 1 2 ',
    'TCP4 192.0.2.1 198.51.100.2 1',
    'TCP4 192.0.2.1 198.51.100.2 1 2 3',
    'TCP4 192.0.2.1 198.51.100.2 1 ',
    'TCP4 192.0.2.1\t198.51.100.2 1 2',
    'TCP4 192.0.2.01 198.51.100.2 1 2',
    'TCP4 192.0.2.256 198.51.100.2 1 2',
    'TCP4 192.0.2 198.51.100.2 1 2',
    'TCP4 ::1 ::1 1 2',
    'TCP6 192.0.2.1 198.51.100.2 1 2',
    'TCP6 ::1%lo ::1 1 2',
    'TCP6 [::1] ::1 1 2',
    'TCP6 1:2:3:4:5:6:7 ::1 1 2',
    'TCP4 192.0.2.1 198.51.100.2 65536 2',
    'TCP4 192.0.2.1 198.51.100.2 1 123456',
    'TCP4 192.0.2.1 198.51.100.2 01 2',
    'TCP4 192.0.2.1 198.51.100.2 -1 2',
    'TCP4 192.0.2.1 198.51.100.2 +1 2',
    'TCP4 example.com 198.51.100.2 1 2',
    'UNKNOWNS',
    'unknown',
    'UDP4 192.0.2.1 198.51.100.2 1 2',
    `UNKNOWN ${'f'.repeat(107 - 15)}`,
    'UNKNOWN\n',
    'UNKNOWN\r',
    'UNKNOWN \r x',
  ].map((words): [string, Uint8Array] => [`v1 ${JSON.stringify(words)}`, line(words)]),
  ['v1 with LF alone', asciiBytes('PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n')],
  ['v1 with CR and no LF', asciiBytes('PROXY UNKNOWN\rG')],
  ['v1 without an end', asciiBytes(`PROXY UNKNOWN ${'f'.repeat(200)}`)],
  ['v2 of version 1', v2(0x11, 0x11, IPV4)],
  ['v2 of version 3', v2(0x31, 0x11, IPV4)],
  ['v2 with a command that is none', v2(0x22, 0x11, IPV4)],
  ['v2 of a family that is none', v2(0x21, 0x41, UNIX)],
  ['v2 of a transport that is none', v2(0x21, 0x13, IPV4)],
  ['v2 with half an IPv4 block', v2(0x21, 0x11, IPV4.slice(0, 11))],
  ['v2 with an IPv4 block for IPv6', v2(0x21, 0x21, IPV4)],
  ['v2 with half a unix block', v2(0x21, 0x31, UNIX.slice(1))],
  ['v2 without the block it announces', v2(0x21, 0x11)],
  ['v2 with two bytes of an extension', v2(0x21, 0x11, [...IPV4, 4, 0])],
  ['v2 with an extension beyond the end', v2(0x21, 0x11, [...IPV4, ...tlv(4, [1], 2)])],
  ['v2 with an extension far beyond the end', v2(0x21, 0x11, [...IPV4, ...tlv(4, [1], 0xffff)])],
  ['v2 with a byte behind its extensions', v2(0x21, 0x11, [...IPV4, ...tlv(4, [1]), 0])],
  ['v2 with a wrong checksum', withChecksum([], 1)],
  ['v2 with a short checksum', v2(0x21, 0x11, [...IPV4, ...tlv(3, [0, 0])])],
  ['v2 that is too long', v2(0x21, 0x11, IPV4, V2_MAX_BYTES - 15)],
];

describe('a header that is none', () => {
  test.each(MALFORMED)('%s is malformed', (_name, bytes) => {
    expect(read(bytes)).toEqual([PROXY_MALFORMED]);
    expect(header.hasAddresses && read(bytes)[0]! > 0).toBe(false);
  });

  test.each(MALFORMED)('%s is never taken for one on the way', (_name, bytes) => {
    let verdict = PROXY_NEEDS_MORE;
    for (let length = 0; length <= bytes.length; length++) {
      const [result] = read(bytes.subarray(0, length));
      if (verdict === PROXY_NEEDS_MORE) verdict = result;
      // Once wrong, always wrong; and never right.
      expect([length, result]).toEqual([length, verdict]);
    }
    expect(verdict).toBe(PROXY_MALFORMED);
  });

  test.each([
    'GET / HTTP/1.1\r\n',
    'PROXIES',
    'PROXY\r\n',
    'proxy TCP4',
    '\r\n\r\nGET',
    '\r\n\r\n\0\r\nQUIX',
    '\x16\x03\x01',
    ' PROXY ',
  ])('%j is something else', (something) => {
    expect(read(asciiBytes(something))).toEqual([PROXY_ABSENT]);
  });
});

test('whatever one byte is changed to, the header is refused or as long as before, and nothing throws', () => {
  fc.assert(
    fc.property(fc.constantFrom(...WHOLE), fc.nat(300), fc.nat(255), ([, whole], at, byte) => {
      const bytes = Uint8Array.from(whole);
      bytes[at % bytes.length] = byte;
      const [result] = read(Uint8Array.of(...bytes, ...Array(300).fill(0x20)));
      expect(result).toBeGreaterThanOrEqual(PROXY_MALFORMED);
      expect(result).toBeLessThanOrEqual(V2_MAX_BYTES);
    }),
    { numRuns: 3000 },
  );
});

test('the checksum is that of RFC 9260', () => {
  const bytes = asciiBytes('123456789');
  expect(crc32cWithHole(bytes, 0, bytes.length, 0, 0)).toBe(0xe306_9283);
});
