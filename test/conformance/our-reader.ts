/** Our own parsers, put together to readers of whole messages: what an endpoint with our strictness would make of some bytes. */
import { Chunked, ChunkedDecoder } from '../../src/l7/h1/chunked-decoder.ts';
import { BodyKind, HEADER_WORDS, type HeadFields, type HeadLimits } from '../../src/l7/h1/head-fields.ts';
import { Method, RequestHead } from '../../src/l7/h1/request-head.ts';
import { parseRequestHead } from '../../src/l7/h1/request-parser.ts';
import { REQUEST_REFUSALS } from '../../src/l7/h1/request-refusals.ts';
import { ResponseHead } from '../../src/l7/h1/response-head.ts';
import { parseResponseHead } from '../../src/l7/h1/response-parser.ts';
import type { Field, Message, Reading } from './message.ts';

/** Wide enough for everything in the tables: what is looked at here is grammar, not size. */
const LIMITS: HeadLimits = { headMaxBytes: 256 * 1024, headersMaxCount: 256, lineMaxBytes: 128 * 1024 };
const CHUNKED_LIMITS = { trailersMaxBytes: 8192, trailersMaxCount: 100, dropsUnderscores: false };

interface Body {
  readonly body: string;
  readonly trailers: readonly Field[];
  readonly end: number;
}

/**
 * Reads the requests in `bytes`, as if the connection had ended behind them. `ends` are the places, in order, up to which the bytes had come
 * each time that they were looked at; the last is their length.
 */
export function readRequests(bytes: Buffer, ends: readonly number[] = [bytes.length]): Reading {
  const messages: Message[] = [];
  for (let at = 0; at < bytes.length; ) {
    const head = new RequestHead(LIMITS.headersMaxCount);
    const length = firstVerdict(ends, at, (end) => parseRequestHead(bytes, at, end, LIMITS, head));
    if (length < 0) return { messages, refusal: REQUEST_REFUSALS[-length], isCut: false };
    if (length === 0) return { messages, refusal: undefined, isCut: true };
    const body = readBody(bytes, at + length, head, ends);
    if (typeof body === 'string') return stopped(messages, body);
    messages.push({
      method: bytes.toString('latin1', head.methodStart, head.methodEnd),
      target: bytes.toString('latin1', head.targetStart, head.targetEnd),
      status: 0,
      versionMinor: head.versionMinor,
      fields: fieldsOf(bytes, head),
      body: body.body,
      trailers: body.trailers,
    });
    at = body.end;
  }
  return { messages, refusal: undefined, isCut: false };
}

/** What the parser said when it first said something. */
function firstVerdict(ends: readonly number[], at: number, parse: (end: number) => number): number {
  for (const end of ends) {
    const result = end > at ? parse(end) : 0;
    if (result !== 0) return result;
  }
  return 0;
}

/** Reads the responses to `method` in `bytes`. `ended`: the connection has ended there, which is the end of a body without length. */
export function readResponses(
  bytes: Buffer,
  method = 'GET',
  ended = true,
  ends: readonly number[] = [bytes.length],
): Reading {
  const messages: Message[] = [];
  const asked = method === 'HEAD' ? Method.HEAD : Method.GET;
  for (let at = 0; at < bytes.length; ) {
    const head = new ResponseHead(LIMITS.headersMaxCount);
    const length = firstVerdict(ends, at, (end) => parseResponseHead(bytes, at, end, LIMITS, head, asked));
    if (length < 0) return { messages, refusal: 'malformed_response', isCut: false };
    if (length === 0) return { messages, refusal: undefined, isCut: true };
    if (head.bodyKind === BodyKind.UNTIL_CLOSE && !ended) return { messages, refusal: undefined, isCut: true };
    const body = readBody(bytes, at + length, head, ends);
    if (typeof body === 'string') return stopped(messages, body);
    const { status, versionMinor } = head;
    const fields = fieldsOf(bytes, head);
    messages.push({ method: '', target: '', status, versionMinor, fields, body: body.body, trailers: body.trailers });
    // What follows is another protocol (RFC 9110 section 15.2.2).
    if (status === 101) break;
    at = body.end;
  }
  return { messages, refusal: undefined, isCut: false };
}

function stopped(messages: readonly Message[], why: 'cut' | 'malformed_body'): Reading {
  return { messages, refusal: why === 'cut' ? undefined : why, isCut: why === 'cut' };
}

function readBody(
  bytes: Buffer,
  start: number,
  head: HeadFields,
  ends: readonly number[],
): Body | 'cut' | 'malformed_body' {
  if (head.bodyKind === BodyKind.CHUNKED) return readChunks(bytes, start, ends);
  const length = head.bodyKind === BodyKind.LENGTH ? head.contentLength : 0;
  const end = head.bodyKind === BodyKind.UNTIL_CLOSE ? bytes.length : start + length;
  if (end > bytes.length) return 'cut';
  return { body: bytes.toString('latin1', start, end), trailers: [], end };
}

function readChunks(bytes: Buffer, start: number, ends: readonly number[]): Body | 'cut' | 'malformed_body' {
  const decoder = new ChunkedDecoder(CHUNKED_LIMITS);
  let body = '';
  let trailers = '';
  let at = start;
  for (const end of ends) {
    if (end < start) continue;
    for (let found = -1; found !== Chunked.NEED_MORE; at = decoder.consumed) {
      found = decoder.next(bytes, at, end);
      if (found === Chunked.ERROR) return 'malformed_body';
      if (found === Chunked.DATA) body += bytes.toString('latin1', decoder.dataStart, decoder.dataEnd);
      if (found === Chunked.TRAILERS) {
        trailers += bytes.toString('latin1', decoder.trailersStart, decoder.trailersEnd);
      }
      if (found === Chunked.DONE) return { body, trailers: readLines(trailers), end: decoder.consumed };
    }
    if (decoder.heldFrom >= 0) at = decoder.heldFrom;
  }
  return 'cut';
}

function readLines(text: string): Field[] {
  return text
    .split('\r\n')
    .filter((line) => line !== '')
    .map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')];
    });
}

function fieldsOf(bytes: Buffer, head: HeadFields): Field[] {
  return Array.from({ length: head.headerCount }, (_, index) => {
    const [nameStart, nameEnd, valueStart, valueEnd] = head.headers.subarray(index * HEADER_WORDS);
    return [bytes.toString('latin1', nameStart, nameEnd), bytes.toString('latin1', valueStart, valueEnd)];
  });
}
