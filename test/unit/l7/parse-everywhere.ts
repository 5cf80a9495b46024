import { expect } from 'vitest';
import { asciiBytes } from '../../../src/core/bytes.ts';
import type { HeadLimits } from '../../../src/l7/h1/head-fields.ts';
import { HEADER_WORDS, type HeadFields } from '../../../src/l7/h1/head-fields.ts';
import { RequestHead } from '../../../src/l7/h1/request-head.ts';
import { mayBeWholeHead, parseRequestHead } from '../../../src/l7/h1/request-parser.ts';
import { REQUEST_REFUSALS } from '../../../src/l7/h1/request-refusals.ts';
import { ResponseHead } from '../../../src/l7/h1/response-head.ts';
import { parseResponseHead } from '../../../src/l7/h1/response-parser.ts';

export const LIMITS: HeadLimits = { headMaxBytes: 65_536, headersMaxCount: 100, lineMaxBytes: 16_384 };

/** Where the head begins on the pretended slab: nothing may depend on it being 0, and nothing before or after may be read. */
const OFFSET = 7;
/** Bytes around the head that would change the verdict if they were read. */
const POISON = 0x00;

export interface RequestVerdict {
  /** `ok`, `incomplete`, or the error code. */
  readonly result: string;
  readonly head: RequestHead;
  readonly bytes: Uint8Array;
}

/**
 * Parses a request head whole, then as it would arrive byte by byte and cut at every place, and asserts that the verdict is the
 * same: each shorter piece needs more, or is refused for the same reason.
 */
export function parseRequestEverywhere(text: string, limits: HeadLimits = LIMITS, secure = false): RequestVerdict {
  const bytes = surround(text);
  const end = OFFSET + text.length;
  const head = new RequestHead(limits.headersMaxCount);
  const whole = parseRequestHead(bytes, OFFSET, end, limits, head, secure);
  const piece = new RequestHead(limits.headersMaxCount);
  for (let cut = OFFSET; cut < end; cut++) {
    const result = parseRequestHead(bytes, OFFSET, cut, limits, piece, secure);
    if (result !== 0) expect(result, `cut after ${cut - OFFSET} bytes`).toBe(whole);
    if (result > 0) break;
  }
  if (whole > 0) expect(firstHint(bytes, OFFSET, end)).toBe(OFFSET + whole);
  const result = whole > 0 ? 'ok' : whole === 0 ? 'incomplete' : REQUEST_REFUSALS[-whole]!;
  return { result, head, bytes };
}

/** The end of the first piece, of those that grow byte by byte, that `mayBeWholeHead` finds worth parsing. */
function firstHint(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start + 1; at <= end; at++) if (mayBeWholeHead(bytes, start, at - 1, at)) return at;
  return -1;
}

export interface ResponseVerdict {
  readonly result: 'ok' | 'incomplete' | 'refused';
  readonly head: ResponseHead;
  readonly bytes: Uint8Array;
}

/** The same for a response head. */
export function parseResponseEverywhere(text: string, requestMethod = 0, limits: HeadLimits = LIMITS): ResponseVerdict {
  const bytes = surround(text);
  const end = OFFSET + text.length;
  const head = new ResponseHead(limits.headersMaxCount);
  const whole = parseResponseHead(bytes, OFFSET, end, limits, head, requestMethod);
  const piece = new ResponseHead(limits.headersMaxCount);
  for (let cut = OFFSET; cut < end; cut++) {
    const result = parseResponseHead(bytes, OFFSET, cut, limits, piece, requestMethod);
    if (result !== 0) expect(result, `cut after ${cut - OFFSET} bytes`).toBe(whole);
    if (result > 0) break;
  }
  return { result: whole > 0 ? 'ok' : whole === 0 ? 'incomplete' : 'refused', head, bytes };
}

function surround(text: string): Uint8Array {
  const bytes = new Uint8Array(OFFSET + text.length + OFFSET).fill(POISON);
  bytes.set(asciiBytes(text), OFFSET);
  return bytes;
}

export function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.subarray(start, end)).toString('latin1');
}

/** `[name, value]` of every field. */
export function fieldsOf(bytes: Uint8Array, head: HeadFields): [string, string][] {
  return Array.from({ length: head.headerCount }, (_, index) => {
    const [nameStart, nameEnd, valueStart, valueEnd] = head.headers.subarray(index * HEADER_WORDS);
    return [textOf(bytes, nameStart!, nameEnd!), textOf(bytes, valueStart!, valueEnd!)];
  });
}
