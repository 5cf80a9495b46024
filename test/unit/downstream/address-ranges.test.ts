import { BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Cidr, formatCidr, maskOf, parseCidr } from '../../../src/core/cidr.ts';
import { AddressRanges } from '../../../src/downstream/address-ranges.ts';
import { ClientAddress } from '../../../src/downstream/client-address.ts';

function clientAt(address: string): ClientAddress {
  const cidr = parseCidr(address) as Cidr;
  const client = new ClientAddress();
  client.read(cidr.family, 1, Int32Array.from(cidr.words), 0);
  return client;
}

const ranges = (...texts: string[]) => new AddressRanges(texts.map((text) => parseCidr(text) as Cidr));

describe('ranges of addresses', () => {
  test('have what is in any of them, up to the last bit', () => {
    const some = ranges('10.0.0.0/8', '192.0.2.128/25', '2001:db8::/33');
    for (const inside of ['10.0.0.0', '10.255.255.255', '192.0.2.128', '2001:db8::1', '2001:db8:7fff:ffff::']) {
      expect([inside, some.has(clientAt(inside))]).toEqual([inside, true]);
    }
    for (const outside of ['9.255.255.255', '11.0.0.0', '192.0.2.127', '2001:db8:8000::', '2001:db7::', '::a00:0']) {
      expect([outside, some.has(clientAt(outside))]).toEqual([outside, false]);
    }
  });

  test('of every address have every address of their family, and no client of a unix socket', () => {
    expect(ranges('0.0.0.0/0').has(clientAt('255.1.2.3'))).toBe(true);
    expect(ranges('0.0.0.0/0').has(clientAt('::1'))).toBe(false);
    expect(ranges('::/0').has(clientAt('ffff::'))).toBe(true);
    expect(ranges('0.0.0.0/0', '::/0').has(new ClientAddress())).toBe(false);
  });

  test('agree with the platform for any range and address', () => {
    const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    const words = fc.tuple(word, word, word, word);
    fc.assert(
      fc.property(fc.boolean(), words, words, fc.integer({ min: 0, max: 128 }), (isV6, one, two, near) => {
        const bits = isV6 ? near : near % 33;
        const family = isV6 ? 6 : 4;
        const take = (all: number[]): Cidr['words'] => (isV6 ? (all as never) : [all[0]!, 0, 0, 0]);
        const prefix = take(one.map((part, index) => part & maskOf(bits - 32 * index)));
        const client = new ClientAddress();
        // Half of the bits beyond the prefix are of another address: inside; or all of them: mostly outside.
        const inside = one.map(
          (part, index) => (part & maskOf(bits - 32 * index)) | (two[index]! & ~maskOf(bits - 32 * index)),
        );
        for (const asked of [take(inside), take(two)]) {
          client.read(family, 1, Int32Array.from(asked), 0);
          const list = new BlockList();
          const [network = ''] = formatCidr({ family, words: prefix, bits }).split('/');
          list.addSubnet(network, bits, isV6 ? 'ipv6' : 'ipv4');
          const [text = ''] = formatCidr({ family, words: asked, bits: isV6 ? 128 : 32 }).split('/');
          const expected = list.check(text, isV6 ? 'ipv6' : 'ipv4');
          expect(new AddressRanges([{ family, words: prefix, bits }]).has(client)).toBe(expected);
        }
      }),
      { numRuns: 1000, seed: 7 },
    );
  });
});
