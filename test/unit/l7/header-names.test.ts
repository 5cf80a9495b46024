import { describe, expect, it } from 'vitest';
import { asciiBytes } from '../../../src/core/bytes.ts';
import {
  findHeader,
  HEADER_TRAITS,
  HEADER_UNKNOWN,
  Header,
  KNOWN_HEADERS,
  TRAIT_HOP_BY_HOP,
  TRAIT_PROTECTED,
  TRAIT_UNDERSCORE,
} from '../../../src/l7/h1/header-names.ts';
import { parseRequestEverywhere } from './parse-everywhere.ts';

const find = (name: string) => findHeader(asciiBytes(`?${name}:`), 1, 1 + name.length);

describe('the table of header names', () => {
  it.each(KNOWN_HEADERS)('finds %i for %s in any case', (id, name) => {
    expect(find(name)).toBe(id);
    expect(find(name.toUpperCase())).toBe(id);
  });

  it.each(KNOWN_HEADERS)('does not find %i for what differs from %s in one byte', (id, name) => {
    for (let index = 0; index < name.length; index++) {
      // The second is what a careless `| 0x20` would take for the same.
      for (const other of ['~', String.fromCharCode(name.charCodeAt(index) ^ 0x40)]) {
        expect(find(name.slice(0, index) + other + name.slice(index + 1))).not.toBe(id);
      }
    }
    expect(find(`${name}x`)).not.toBe(id);
    expect(find(name.slice(0, -1))).not.toBe(id);
  });

  it('has every id but those of whole families of names', () => {
    const families: number[] = [
      Header.X_FORWARDED_OTHER,
      Header.CLIENT_CERTIFICATE,
      Header.UNDERSCORED,
      Header.LOOKALIKE,
    ];
    const ids = Object.values(Header).filter((id) => !families.includes(id));
    expect(KNOWN_HEADERS.map(([id]) => id)).toEqual(ids);
  });

  it('knows every x-forwarded- name', () => {
    expect(find('X-Forwarded-Port')).toBe(Header.X_FORWARDED_OTHER);
    expect(find('x-forwarded-')).toBe(HEADER_UNKNOWN);
    expect(find('x-forwardedx-port')).toBe(HEADER_UNKNOWN);
    expect(find('x')).toBe(HEADER_UNKNOWN);
  });

  it('lets Connection remove nothing that is never forwarded anyway', () => {
    for (const [id] of KNOWN_HEADERS) {
      if ((HEADER_TRAITS[id]! & TRAIT_HOP_BY_HOP) !== 0) expect(HEADER_TRAITS[id]! & TRAIT_PROTECTED).not.toBe(0);
    }
  });
});

describe('names with an underscore', () => {
  it('are apart from all others, and those that resemble a known one apart from the rest', () => {
    const { head } = parseRequestEverywhere(
      'GET / HTTP/1.1\r\nHost: a\r\nContent_Length: 1\r\nX-Forwarded_For: x\r\n_: 1\r\na_b: 1\r\nX_FORWARDED_ANY: 1\r\n' +
        `x_${'y'.repeat(100)}: 1\r\nx_forwarded_${'y'.repeat(100)}: 1\r\n\r\n`,
    );
    const ids = [1, 2, 3, 4, 5, 6, 7].map((index) => head.headers[index * 5 + 4]);
    const { LOOKALIKE, UNDERSCORED } = Header;
    expect(ids).toEqual([LOOKALIKE, LOOKALIKE, UNDERSCORED, UNDERSCORED, LOOKALIKE, UNDERSCORED, LOOKALIKE]);
    expect(head.contentLengthIndex).toBe(-1);
    expect(head.traits & TRAIT_UNDERSCORE).not.toBe(0);
  });
});
