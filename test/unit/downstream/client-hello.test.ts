import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ClientHello,
  HELLO_ABSENT,
  HELLO_NEEDS_MORE,
  HELLO_REFUSED,
  readClientHello,
} from '../../../src/downstream/client-hello.ts';
import { extension, hello, helloMessage, inRecords, serverNameExtension, vector } from '../../tls/hello-builder.ts';

function read(bytes: Uint8Array) {
  const found = new ClientHello();
  // Where it lies must not matter.
  const slab = Buffer.concat([Buffer.alloc(3, 22), bytes, Buffer.alloc(3, 22)]);
  const result = readClientHello(slab, 3, 3 + bytes.length, found);
  return { result, serverName: found.serverName, protocols: found.protocols };
}

describe('a ClientHello', () => {
  test('says its server name and its protocols', () => {
    const bytes = hello({ serverName: 'A.Example.Test.', protocols: ['h2', 'http/1.1'], grease: true });
    expect(read(bytes)).toEqual({ result: bytes.length, serverName: 'a.example.test', protocols: ['h2', 'http/1.1'] });
  });

  test.each([
    ['without a name', hello()],
    ['without extensions', hello({ withoutExtensions: true })],
  ])('may be %s', (_, bytes) => {
    expect(read(bytes)).toEqual({ result: bytes.length, serverName: '', protocols: [] });
  });

  test.each([1, 2, 3, 4, 5, 37, 200])('may be split over records of %d bytes', (recordBytes) => {
    const bytes = hello({ serverName: 'split.test', protocols: ['x'], padding: 500 }, recordBytes);
    expect(read(bytes)).toMatchObject({ result: bytes.length, serverName: 'split.test', protocols: ['x'] });
  });

  test('may be as large as 16 KiB, and no larger', () => {
    const room = 16_384 - helloMessage({ serverName: 'large.test', padding: 1 }).length;
    expect(read(hello({ serverName: 'large.test', padding: 1 + room }, 8_000)).serverName).toBe('large.test');
    expect(read(hello({ serverName: 'large.test', padding: 2 + room }, 8_000)).result).toBe(HELLO_REFUSED);
  });

  test.each([
    hello({ serverName: 'piece.test', protocols: ['x'], padding: 40 }),
    hello({ serverName: 'piece.test' }, 11),
  ])('is waited for until it is whole (%#)', (bytes) => {
    for (let length = 0; length < bytes.length; length++) {
      expect([length, read(bytes.subarray(0, length)).result]).toEqual([length, HELLO_NEEDS_MORE]);
    }
    expect(read(bytes).serverName).toBe('piece.test');
  });

  test('leaves alone what comes behind it', () => {
    const bytes = hello({ serverName: 'a.test' });
    expect(read(Buffer.concat([bytes, Buffer.from('more')])).result).toBe(bytes.length);
  });

  test.each([['GET / HTTP/1.1\r\n\r\n'], ['SSH-2.0-x'], ['\x80\x2e\x01\x03\x01'], ['\x15\x03\x01\x00\x02\x01\x00']])(
    'is not there where %j is',
    (text) => {
      expect(read(Buffer.from(text, 'latin1')).result).toBe(HELLO_ABSENT);
    },
  );

  const message = helloMessage({ serverName: 'a.test' });
  const cut = (name: string, body: Buffer) => [name, body] as const;
  test.each([
    cut('another version', Buffer.of(22, 2, 1, 0, 1, 1)),
    cut('an empty record', Buffer.of(22, 3, 1, 0, 0)),
    cut('a record that is too long', Buffer.of(22, 3, 1, 0x40, 1)),
    cut('another message', inRecords(Buffer.concat([Buffer.of(2), message.subarray(1)]))),
    cut(
      'another record in the middle',
      Buffer.concat([hello({ serverName: 'a.test' }, 20).subarray(0, 25), Buffer.of(23, 3, 1)]),
    ),
    cut('more in its record than the message', inRecords(Buffer.concat([message, Buffer.of(0)]))),
    cut('a length beyond 16 KiB', inRecords(Buffer.of(1, 1, 0, 0, 3, 3))),
    cut('an empty message', inRecords(Buffer.of(1, 0, 0, 0))),
    cut('extensions that are cut', inRecords(Buffer.concat([Buffer.of(1), vector(3, message.subarray(4, -3))]))),
    cut('two names', hello({ extensions: [serverNameExtension('a.test'), serverNameExtension('b.test')] })),
    cut('a name of another type', hello({ extensions: [serverNameExtension('a.test', 1)] })),
    cut('an empty name', hello({ extensions: [serverNameExtension('')] })),
    cut('a name with NUL', hello({ serverName: 'a.test\0.b' })),
    cut('a name with a space', hello({ serverName: 'a test' })),
    cut('a name with a slash', hello({ serverName: 'a/../b' })),
    cut('a name that is too long', hello({ serverName: 'a'.repeat(256) })),
    cut('a list of names that is cut', hello({ extensions: [extension(0, Buffer.of(0, 9, 0, 0, 1, 97))] })),
    cut('an empty list of protocols', hello({ extensions: [extension(16, Buffer.of(0, 0))] })),
    cut('an empty protocol', hello({ extensions: [extension(16, Buffer.of(0, 1, 0))] })),
    cut('a protocol that is cut', hello({ extensions: [extension(16, Buffer.of(0, 2, 9, 97))] })),
    cut('too many protocols', hello({ protocols: Array.from({ length: 65 }, (_, index) => `p${index}`) })),
  ])('with %s is refused', (_, bytes) => {
    expect(read(bytes).result).toBe(HELLO_REFUSED);
  });

  test('whose record says that it goes on is refused, whether the rest has come or not', () => {
    const bytes = Buffer.from(hello({ serverName: 'a.test' }));
    bytes.writeUInt16BE(bytes.readUInt16BE(3) + 256, 3);
    expect(read(bytes).result).toBe(HELLO_REFUSED);
    expect(read(Buffer.concat([bytes, Buffer.alloc(256)])).result).toBe(HELLO_REFUSED);
  });

  test('that is mutated is read, waited for or refused, and never read beyond its end', () => {
    const original = hello({ serverName: 'fuzz.test', protocols: ['h2', 'http/1.1'], padding: 30, grease: true });
    const change = fc.record({ at: fc.nat(original.length - 1), to: fc.nat(255) });
    const run = ({
      changes,
      length,
      recordBytes,
    }: {
      changes: { at: number; to: number }[];
      length: number;
      recordBytes: number;
    }) => {
      const bytes = Buffer.from(inRecords(original.subarray(5), recordBytes));
      for (const { at, to } of changes) bytes[at] = to;
      const { result, serverName, protocols } = read(bytes.subarray(0, length));
      expect(result).toBeLessThanOrEqual(length);
      expect(result).toBeGreaterThanOrEqual(HELLO_ABSENT);
      expect(serverName).toMatch(/^[ -~]*$/s);
      expect(protocols.length).toBeLessThanOrEqual(64);
    };
    fc.assert(
      fc.property(
        fc.record({
          changes: fc.array(change, { maxLength: 6 }),
          length: fc.integer({ min: 0, max: original.length }),
          recordBytes: fc.integer({ min: 1, max: 400 }),
        }),
        run,
      ),
      { numRuns: 3_000 },
    );
  });
});
