import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asciiBytes } from '../../../src/core/bytes.ts';
import { type Cidr, formatCidr, parseCidr } from '../../../src/core/cidr.ts';
import { type IpWords, readIpAddress } from '../../../src/core/ip-address.ts';

function read(text: string): IpWords | undefined {
  const address = { family: -1, word0: 1, word1: 2, word2: 3, word3: 4 };
  const bytes = asciiBytes(`1.2.3.4${text}5:6`);
  const isRead = readIpAddress(bytes, 7, 7 + text.length, address);
  if (!isRead) expect(address).toEqual({ family: -1, word0: 1, word1: 2, word2: 3, word3: 4 });
  return isRead ? address : undefined;
}

/** The same through the reader of the configuration, which asks the platform. */
function platform(text: string): IpWords {
  const { family, words } = parseCidr(text) as Cidr;
  return { family, word0: words[0], word1: words[1], word2: words[2], word3: words[3] };
}

describe('an address in bytes', () => {
  test('is read as the platform reads it', () => {
    const texts = [
      '0.0.0.0',
      '255.255.255.255',
      '127.0.0.1',
      '::',
      '::1',
      '1::',
      '2001:db8::1',
      'fe80::1:2:3:4',
      '::1.2.3.4',
    ];
    texts.push(
      '1:2:3:4:5:6:7:8',
      'ABCD::ef01',
      '1::2:3:4:5:6:7',
      '1:2:3:4:5:6:7::',
      '::2:3:4:5:6:7:8',
      '1:2:3:4:5:6:1.2.3.4',
    );
    for (const text of texts) expect([text, read(text)]).toEqual([text, platform(text)]);
  });

  test('that is IPv4 mapped into IPv6 is the IPv4 address', () => {
    expect(read('::ffff:10.1.2.3')).toEqual(platform('10.1.2.3'));
    expect(read('::FFFF:a01:203')).toEqual(platform('10.1.2.3'));
  });

  test('is refused in any other form', () => {
    const texts = [
      '',
      '1',
      '1.2.3',
      '1.2.3.4.5',
      '1.2.3.',
      '.1.2.3',
      '01.2.3.4',
      '1.2.3.256',
      '1.2.3.1000',
      '1.2.3.4 ',
      '0x1.2.3.4',
    ];
    texts.push(
      ':',
      ':::',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '1:2:3:4:5:6:7:8::',
      '1::2::3',
      '12345::',
      ':1::2',
      '1:',
      '1::2:',
    );
    texts.push(
      '[::1]',
      '::1%lo',
      '::g',
      '1:2:3:4:5:6:7:1.2.3.4',
      '::1.2.3',
      '::1.2.3.4:5',
      '::01.2.3.4',
      '::1.2.3.4.5',
      'unix',
      '1.2.3.4:80',
    );
    for (const text of texts) expect([text, read(text)]).toEqual([text, undefined]);
  });

  test('agrees with the platform on any text of its characters', () => {
    const characters = fc.constantFrom(...'0123456789abcdefABCDEF:::..'.split(''));
    const near = fc
      .tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(40), characters)
      .map(([text, at, character]) => text.slice(0, at) + character + text.slice(at + 1));
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), near, fc.string({ unit: characters, maxLength: 45 })), (text) => {
        const address = read(text);
        expect([text, address !== undefined]).toEqual([text, isIP(text) !== 0]);
        if (address === undefined || address.family !== isIP(text)) return;
        expect(formatCidr({ ...(parseCidr(text) as Cidr) })).toBe(
          formatCidr({
            family: address.family as 4 | 6,
            words: [address.word0, address.word1, address.word2, address.word3],
            bits: address.family === 4 ? 32 : 128,
          }),
        );
      }),
      { numRuns: 2000 },
    );
  });
});
