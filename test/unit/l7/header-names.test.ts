import { describe, expect, it } from 'vitest';
import { asciiBytes, viewOf } from '../../../src/core/bytes.ts';
import { NAME_END, NAME_START, VALUE_END, VALUE_START } from '../../../src/l7/h1/head-fields.ts';
import {
  findHeader,
  HEADER_TRAITS,
  HEADER_UNKNOWN,
  Header,
  KNOWN_HEADERS,
  NAME_MAX_BYTES,
  NOT_RECOGNIZED,
  recognizeHeader,
  TRAIT_HOP_BY_HOP,
  TRAIT_PROTECTED,
  TRAIT_UNDERSCORE,
  USUAL_HEADERS,
} from '../../../src/l7/h1/header-names.ts';
import { ResponseHead } from '../../../src/l7/h1/response-head.ts';
import { parseResponseHead } from '../../../src/l7/h1/response-parser.ts';
import { LIMITS, parseRequestEverywhere } from './parse-everywhere.ts';

const find = (name: string) => findHeader(asciiBytes(`?${name}:`), 1, 1 + name.length);
const recognize = (name: string) => recognizeHeader(viewOf(asciiBytes(`?${name}:  `)), 1, 1 + name.length);
const RECOGNIZED = [...KNOWN_HEADERS, ...USUAL_HEADERS.map((name) => [HEADER_UNKNOWN, name] as const)];

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

  it.each(RECOGNIZED)('recognizes %i in %s, in any case, and in nothing that differs in one byte', (id, name) => {
    expect(name.length).toBeLessThanOrEqual(NAME_MAX_BYTES);
    for (const known of [name, name.toUpperCase()]) expect(recognize(known)).toBe(id);
    for (let index = 0; index < name.length; index++) {
      const asIs = new Set([name[index], name[index]!.toUpperCase()]);
      for (let byte = 0; byte < 256; byte++) {
        const other = String.fromCharCode(byte);
        if (asIs.has(other)) continue;
        if (recognize(name.slice(0, index) + other + name.slice(index + 1)) === id) expect.fail(`${byte} at ${index}`);
      }
    }
    for (const other of [`${name}x`, `${name} `, ` ${name}`, name.slice(1), name.slice(0, -1)])
      if (!RECOGNIZED.some(([, known]) => known === other)) expect(recognize(other), other).toBe(NOT_RECOGNIZED);
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

describe('field lines', () => {
  /** As RFC 9112 section 5 has it, byte by byte: what a parser that takes several at once must not read otherwise. */
  const isGrammatical = (line: string) => /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*$/.test(line);
  const head = new ResponseHead();
  const parse = (line: string) => {
    const bytes = asciiBytes(`HTTP/1.1 304 \r\n${line}\r\nA: b\r\n\r\n`);
    return parseResponseHead(bytes, 0, bytes.length, LIMITS, head);
  };

  it.each(RECOGNIZED)('are read as the grammar has them, whatever byte stands in a name like %i %s', (_, name) => {
    if (name === 'content-length' || name === 'transfer-encoding') return;
    for (let index = 0; index <= name.length; index++) {
      for (let byte = 0; byte < 256; byte++) {
        const line = `${name.slice(0, index)}${String.fromCharCode(byte)}${name.slice(index + 1)}: value`;
        const isAccepted = parse(line) > 0;
        if (isAccepted !== isGrammatical(line)) expect.fail(JSON.stringify(line));
        if (isAccepted) expect(head.headers[NAME_END]! - head.headers[NAME_START]!).toBe(line.indexOf(':'));
      }
    }
  });

  it('are read as the grammar has them, whatever byte stands in a value', () => {
    for (let index = 0; index < 12; index++) {
      for (let byte = 0; byte < 256; byte++) {
        const line = `ETag: ${'v'.repeat(index)}${String.fromCharCode(byte)}${'w'.repeat(11 - index)}`;
        expect(parse(line) > 0, JSON.stringify(line)).toBe(isGrammatical(line));
      }
    }
    expect(parse('ETag: a\tb \xff\x80 c\t ')).toBeGreaterThan(0);
    expect(head.headers[VALUE_END]! - head.headers[VALUE_START]!).toBe('a\tb \xff\x80 c'.length);
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
