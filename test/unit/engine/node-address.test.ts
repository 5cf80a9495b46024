import { expect, it } from 'vitest';
import { peerAddress } from '../../../src/engine/node-address.ts';

it.each([
  ['127.0.0.1', 4, [0x7f000001, 0, 0, 0]],
  ['255.254.253.252', 4, [0xfffefdfc | 0, 0, 0, 0]],
  ['::ffff:10.1.2.3', 4, [0x0a010203, 0, 0, 0]],
  ['::FFFF:10.1.2.3', 4, [0x0a010203, 0, 0, 0]],
  ['::', 6, [0, 0, 0, 0]],
  ['::1', 6, [0, 0, 0, 1]],
  ['1::', 6, [0x10000, 0, 0, 0]],
  ['2001:db8::8:800:200c:417a', 6, [0x20010db8, 0, 0x00080800, 0x200c417a]],
  ['2001:db8:1:2:3:4:5:6', 6, [0x20010db8, 0x00010002, 0x00030004, 0x00050006]],
  ['64:ff9b::192.0.2.33', 6, [0x0064ff9b, 0, 0, 0xc0000221 | 0]],
  ['fe80::1%eth0', 6, [0xfe800000 | 0, 0, 0, 1]],
  ['', 0, [0, 0, 0, 0]],
])('reads %s as family %i', (host, family, address) => {
  expect(peerAddress(host)).toEqual({ family, address });
});
