import { isIPv4, isIPv6 } from 'node:net';
import type { SocketAddress } from '../core/address.ts';
import type { DialTarget } from './node-transport.ts';

const V6_GROUPS = 8;
const MAPPED_PREFIX = /^::ffff:(?=[0-9]+\.)/i;

/** A peer as ACCEPTED tells it. */
export interface PeerAddress {
  /** 0: unix. */
  readonly family: 4 | 6 | 0;
  /** The first octet is the highest byte; v4 is in the first word. */
  readonly address: readonly [number, number, number, number];
}

/** `host` as Node writes it, or empty for unix. A v4-mapped v6 address becomes v4, a zone ("%eth0") is dropped. */
export function peerAddress(host: string): PeerAddress {
  const bare = host.replace(MAPPED_PREFIX, '').replace(/%.*$/, '');
  if (isIPv4(bare)) {
    const [high, low] = groupsOf(bare);
    return { family: 4, address: [word(high!, low!), 0, 0, 0] };
  }
  if (!isIPv6(bare)) return { family: 0, address: [0, 0, 0, 0] };
  const [a, b, c, d, e, f, g, h] = v6Groups(bare);
  return { family: 6, address: [word(a!, b!), word(c!, d!), word(e!, f!), word(g!, h!)] };
}

function word(high: number, low: number): number {
  return (high << 16) | low;
}

/** `::` stands for as many zero groups as are missing (RFC 4291 section 2.2). */
function v6Groups(text: string): number[] {
  const [left, right] = text.split('::');
  const before = groupsOf(left!);
  if (right === undefined) return before;
  const after = groupsOf(right);
  return [...before, ...new Array<number>(V6_GROUPS - before.length - after.length).fill(0), ...after];
}

/** 16-bit groups; the last two of an IPv6 address may be written as IPv4. */
function groupsOf(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a, b, c, d] = group.split('.').map(Number);
    return [a! * 256 + b!, c! * 256 + d!];
  });
}

export function dialTarget(address: SocketAddress): DialTarget['to'] {
  return address.family === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
}
