import { type Cidr, parseCidr } from '../core/cidr.ts';
import { quote } from './quote.ts';
import type { Reading } from './reading.ts';

/** `2001:db8:...:255.255.255.255/128` and more. */
const CIDR_MAX_LENGTH = 64;

/** Reads a range of addresses, `10.0.0.0/8` or `2001:db8::/32`, or one address. */
export function readCidr(text: string): Reading<Cidr> {
  const reading = text.length > CIDR_MAX_LENGTH ? undefined : parseCidr(text);
  if (typeof reading === 'object') return { value: reading };
  const [, remedy = 'write it as 10.0.0.0/8 or 2001:db8::/32'] = reading?.split('; ') ?? [];
  const cause = reading?.split('; ')[0]?.replace(/^".*" (?=is |has )/s, `${quote(text)} `);
  return { cause: cause ?? `${quote(text)} is too long for a range of addresses`, remedy };
}
