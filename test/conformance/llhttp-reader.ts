/**
 * Node's own parser, llhttp, in its strict mode: the second opinion. It is the parser under node:http, driven directly, because a server
 * would cost a socket and some turns of the event loop per message, and hide where it stopped.
 *
 * llhttp knows a fixed list of methods where RFC 9110 section 9.1 allows any token. A method that it does not know is read as one that
 * it does, and given back as it was: see `withKnownMethod`.
 */
import { METHODS } from 'node:http';
import { createRequire } from 'node:module';
import type { Field, Message, Reading } from './message.ts';

/** The part of node's internal HTTPParser that is used here. */
interface HttpParser {
  [callback: number]: (...values: never[]) => unknown;
  initialize(type: number, resource: object, maxHeaderSize: number, lenientFlags: number): void;
  execute(bytes: Buffer): number | (Error & { code: string });
  finish(): undefined | (Error & { code: string });
}

interface HttpParserClass {
  new (): HttpParser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}

const { HTTPParser } = createRequire(import.meta.url)('_http_common') as { readonly HTTPParser: HttpParserClass };

const HEAD_MAX_BYTES = 1 << 20;
const STRICT = 0;
/** What `kOnHeadersComplete` returns: read on, or read on and expect no body. */
const READ_BODY = 0;
const NO_BODY = 1;
const TOKEN = /^(?:\r\n)?([!#$%&'*+\-.^_`|~0-9A-Za-z]+) /;
/** The methods that it knows, each at the place that is its number. The parser tells numbers only, and gives nobody the list. */
const KNOWN = METHODS.reduce<string[]>((known, name) => {
  const parser = new HTTPParser();
  parser.initialize(HTTPParser.REQUEST, {}, HEAD_MAX_BYTES, STRICT);
  parser[HTTPParser.kOnHeadersComplete] = (...[, , , number]: [number, number, string[], number]) => {
    known[number] = name;
    return READ_BODY;
  };
  parser.execute(Buffer.from(`${name} ${name === 'CONNECT' ? 'a:1' : '/'} HTTP/1.1\r\n\r\n`));
  return known;
}, []);
const CUT = new Set(['HPE_INVALID_EOF_STATE']);

interface Draft {
  message: Message | undefined;
  fields: string[];
  url: string;
  body: string;
}

function newDraft(): Draft {
  return { message: undefined, fields: [], url: '', body: '' };
}

/** Reads the requests in `bytes`, as if the connection had ended behind them. */
export function readRequestsStrictly(bytes: Buffer): Reading {
  const messages: Message[] = [];
  for (let rest = bytes; ; ) {
    const { bytes: known, method } = withKnownMethod(rest);
    const { consumed, ...reading } = readOnce(known, HTTPParser.REQUEST, READ_BODY);
    const found = reading.messages.map((message, index) => (index === 0 && method ? { ...message, method } : message));
    messages.push(...found);
    if (reading.refusal === 'HPE_INVALID_METHOD' && found.length > 0) rest = known.subarray(endOf(known, found.length));
    // It stops behind a message that asks for an upgrade, as if the rest were another protocol.
    else if (reading.refusal === undefined && !reading.isCut && consumed < known.length)
      rest = known.subarray(consumed);
    else return { ...reading, messages };
  }
}

/** Where the message number `count` ends: the parser does not tell, so it is fed byte by byte until it has seen that many. */
function endOf(bytes: Buffer, count: number): number {
  const messages: Message[] = [];
  const parser = new HTTPParser();
  parser.initialize(HTTPParser.REQUEST, {}, HEAD_MAX_BYTES, STRICT);
  listen(parser, newDraft(), messages, READ_BODY);
  let at = 0;
  while (messages.length < count && at < bytes.length) {
    parser.execute(bytes.subarray(at, at + 1));
    at++;
  }
  return at;
}

/** Reads the final response to `method` in `bytes`, interim ones before it, and whatever follows. `ended`: the connection has ended there. */
export function readResponsesStrictly(bytes: Buffer, method = 'GET', ended = true): Reading {
  const { consumed: _, ...reading } = readOnce(
    bytes,
    HTTPParser.RESPONSE,
    method === 'HEAD' ? NO_BODY : READ_BODY,
    ended,
  );
  return reading;
}

/** The bytes with a method that llhttp knows in place of one that it does not; `method` is the one that was there. */
function withKnownMethod(bytes: Buffer): { bytes: Buffer; method?: string } {
  const match = TOKEN.exec(bytes.toString('latin1', 0, 16_384));
  const method = match?.[1];
  if (method === undefined || (KNOWN.includes(method) && method !== 'CONNECT')) return { bytes };
  const start = match![0].length - 1 - method.length;
  return {
    bytes: Buffer.concat([bytes.subarray(0, start), Buffer.from('PUT'), bytes.subarray(start + method.length)]),
    method,
  };
}

function readOnce(bytes: Buffer, type: number, afterHead: number, ended = true): Reading & { consumed: number } {
  const messages: Message[] = [];
  const draft = newDraft();
  const parser = new HTTPParser();
  parser.initialize(type, {}, HEAD_MAX_BYTES, STRICT);
  listen(parser, draft, messages, afterHead);
  const result = parser.execute(bytes);
  if (result instanceof Error) {
    const consumed = (result as Error & { bytesParsed?: number }).bytesParsed ?? 0;
    return { messages, refusal: result.code, isCut: false, consumed };
  }
  const end = ended ? parser.finish() : undefined;
  const isCut = end !== undefined && CUT.has(end.code);
  return { messages, refusal: end === undefined || isCut ? undefined : end.code, isCut, consumed: result };
}

function listen(parser: HttpParser, draft: Draft, messages: Message[], afterHead: number): void {
  parser[HTTPParser.kOnHeaders] = (fields: string[], url: string) => {
    draft.fields.push(...fields);
    draft.url += url;
  };
  parser[HTTPParser.kOnHeadersComplete] = (
    _major: number,
    versionMinor: number,
    fields: string[] | undefined,
    method: number,
    url: string | undefined,
    status: number | null,
  ) => {
    const found = pairs(fields ?? draft.fields);
    const target = url ?? draft.url;
    const name = KNOWN[method] ?? '';
    draft.message = { method: name, target, status: status ?? 0, versionMinor, fields: found, body: '', trailers: [] };
    draft.fields = [];
    draft.url = '';
    draft.body = '';
    return afterHead;
  };
  parser[HTTPParser.kOnBody] = (bytes: Buffer) => {
    draft.body += Buffer.from(bytes).toString('latin1');
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    messages.push({ ...draft.message!, body: draft.body, trailers: pairs(draft.fields) });
    draft.fields = [];
    draft.url = '';
  };
}

function pairs(flat: readonly string[]): Field[] {
  return Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index]!, flat[2 * index + 1]!]);
}
