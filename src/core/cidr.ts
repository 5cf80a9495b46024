import { isIP } from 'node:net';

/** A range of addresses: those that share the first `bits` bits with `words`. Plain data. */
export interface Cidr {
  readonly family: 4 | 6;
  /** 32 bits each, the first byte of the address on top of the first word; IPv4 in the first word alone. Bits beyond `bits` are 0. */
  readonly words: readonly [number, number, number, number];
  /** 0 to 32, or to 128. */
  readonly bits: number;
}

const WORD_BITS = 32;

/**
 * Reads `10.0.0.0/8`, `2001:db8::/32`, or an address alone, which is a range of one. Returns a sentence that says what is wrong, with
 * `; write ...` at its end, if it cannot be read; never throws.
 */
export function parseCidr(text: string): Cidr | string {
  const slash = text.indexOf('/');
  const host = slash < 0 ? text : text.slice(0, slash);
  const version = isIP(host);
  if (version === 0 || host.includes('%'))
    return `"${text}" is not a range of addresses; write it as 10.0.0.0/8 or 2001:db8::/32`;
  const family = version === 4 ? 4 : 6;
  const bitsMax = family === 4 ? WORD_BITS : 4 * WORD_BITS;
  const length = slash < 0 ? String(bitsMax) : text.slice(slash + 1);
  const bits = /^[0-9]{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (!(bits <= bitsMax)) return `"${text}" has no prefix length; write a number from 0 to ${bitsMax} after the /`;
  const words = family === 4 ? ([readIpv4(host), 0, 0, 0] as const) : readIpv6(host);
  const kept = words.map((word, index) => word & maskOf(bits - index * WORD_BITS));
  if (kept.some((word, index) => word !== (words[index]! | 0))) {
    return `"${text}" has bits set beyond its prefix; write ${formatCidr({ family, words: kept as unknown as Cidr['words'], bits })}`;
  }
  // A client that reaches us so is reported by its IPv4 address, so that the range would never match.
  if (family === 6 && kept[0] === 0 && kept[1] === 0 && kept[2] === 0xffff) {
    return `"${text}" is a range of mapped IPv4 addresses; write it as IPv4`;
  }
  return { family, words: kept as unknown as Cidr['words'], bits };
}

/** The first `bits` bits of a word: none below 1, all from 32 on. */
export function maskOf(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= WORD_BITS ? -1 : -1 << (WORD_BITS - bits);
}

export function formatCidr({ family, words, bits }: Cidr): string {
  if (family === 4) return `${[24, 16, 8, 0].map((shift) => (words[0] >>> shift) & 0xff).join('.')}/${bits}`;
  const groups = words.flatMap((word) => [(word >>> 16).toString(16), (word & 0xffff).toString(16)]);
  return `${new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)}/${bits}`;
}

function readIpv4(host: string): number {
  return host.split('.').reduce((word, part) => (word << 8) | Number(part), 0);
}

function readIpv6(host: string): readonly [number, number, number, number] {
  // The URL parser writes every form as groups of hexadecimal digits, with at most one `::` (WHATWG URL section 3.5).
  const canonical = new URL(`http://[${host}]`).hostname.slice(1, -1);
  const [before = '', after] = canonical.split('::');
  const head = before === '' ? [] : before.split(':');
  const tail = after === undefined || after === '' ? [] : after.split(':');
  const groups = [...head, ...Array(8 - head.length - tail.length).fill('0'), ...tail].map((group) =>
    Number.parseInt(group, 16),
  );
  const word = (index: number) => (groups[index * 2]! << 16) | groups[index * 2 + 1]!;
  return [word(0), word(1), word(2), word(3)];
}
