import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asciiBytes } from '../../../src/core/bytes.ts';
import { readIpAddress } from '../../../src/core/ip-address.ts';
import { ClientAddress } from '../../../src/downstream/client-address.ts';
import { ProxyHeader, readProxyHeader } from '../../../src/downstream/proxy-protocol.ts';
import { PROXY_HEADER_MAX_BYTES, sendProxyHeader, writeProxyHeader } from '../../../src/upstream/proxy-header.ts';
import { UpstreamFixture } from './upstream-fixture.ts';

function end(host: string, port: number): ClientAddress {
  const address = new ClientAddress();
  const bytes = asciiBytes(host);
  readIpAddress(bytes, 0, bytes.length, address);
  address.port = port;
  return address;
}

function written(version: 'v1' | 'v2', source: ClientAddress, destination: ClientAddress): Buffer {
  const bytes = Buffer.alloc(200, 0xee);
  const length = writeProxyHeader(bytes, 10, version, source, destination);
  expect(bytes.subarray(10 + length).every((byte) => byte === 0xee)).toBe(true);
  return bytes.subarray(10, 10 + length);
}

const UNIX = new ClientAddress();

describe('a PROXY header for an endpoint', () => {
  test.each([
    [end('192.0.2.1', 49152), end('198.51.100.2', 443), 'PROXY TCP4 192.0.2.1 198.51.100.2 49152 443\r\n'],
    [end('2001:db8::1', 1), end('::1', 65535), 'PROXY TCP6 2001:db8::1 ::1 1 65535\r\n'],
    [end('192.0.2.1', 1), end('::1', 2), 'PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n'],
    [end('2001:db8::1', 1), end('198.51.100.2', 2), 'PROXY TCP6 2001:db8::1 ::ffff:198.51.100.2 1 2\r\n'],
    [UNIX, end('::1', 2), 'PROXY UNKNOWN\r\n'],
    [end('192.0.2.1', 1), UNIX, 'PROXY UNKNOWN\r\n'],
  ])('of version 1 is a line', (source, destination, line) => {
    expect(written('v1', source, destination).toString('latin1')).toBe(line);
  });

  test.each([
    [end('192.0.2.1', 0xc000), end('198.51.100.2', 443), '2111000cc0000201c6336402c00001bb'],
    [end('192.0.2.1', 1), end('::1', 2), `21210024${'0'.repeat(20)}ffffc0000201${'0'.repeat(31)}100010002`],
    [UNIX, end('::1', 2), '20000000'],
  ])('of version 2 is binary', (source, destination, hex) => {
    expect(written('v2', source, destination).toString('hex')).toBe(`0d0a0d0a000d0a515549540a${hex}`);
  });

  test('is read back as it was written', () => {
    const address = fc.tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(65_535)).map(([host, port]) => end(host, port));
    fc.assert(
      fc.property(fc.constantFrom('v1' as const, 'v2' as const), address, address, (version, source, destination) => {
        const bytes = written(version, source, destination);
        const header = new ProxyHeader();
        expect(bytes.length).toBeLessThanOrEqual(PROXY_HEADER_MAX_BYTES);
        expect(readProxyHeader(bytes, 0, bytes.length, header)).toBe(bytes.length);
        expect([header.hasAddresses, header.source, header.destination]).toEqual([true, source, destination]);
      }),
    );
  });

  test.each([
    [{ family: 4, host: '127.0.0.1', port: 80 }, 'PROXY TCP4 192.0.2.1 127.0.0.1 7 80\r\n'],
    [{ family: 6, host: '::ffff:127.0.0.1', port: 80 }, 'PROXY TCP4 192.0.2.1 127.0.0.1 7 80\r\n'],
    [{ family: 6, host: '::1', port: 80 }, 'PROXY TCP6 ::ffff:192.0.2.1 ::1 7 80\r\n'],
    [{ family: 'unix', path: '/run/a' }, 'PROXY UNKNOWN\r\n'],
    [undefined, 'PROXY UNKNOWN\r\n'],
  ] as const)('says where the client came in: %j', (local, line) => {
    const { dispatcher, engine, orders } = new UpstreamFixture();
    Object.assign(engine, { localAddress: (id: number) => (id === 5 ? local : undefined) });
    sendProxyHeader(dispatcher, 9, 'v1', { source: end('192.0.2.1', 7), destination: undefined, downstream: 5 });
    dispatcher.commands.flush();
    expect(engine.takeOrders()).toEqual([`send 9 ${JSON.stringify(line)}`]);
    expect(orders).toBeDefined();
  });
});
