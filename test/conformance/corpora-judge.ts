/** What the policies of the corpora ask for. Each judge says what is wrong, or ''. */
import { normalizePath, PATH_REFUSED, PATH_UNCHANGED } from '../../src/l7/path.ts';
import type { CorpusCase, RequestPolicy, ResponsePolicy } from './corpora.ts';
import { type RequestOutcome, type ResponseOutcome, readAnswers } from './lane.ts';
import { readRequestsStrictly, readResponsesStrictly } from './llhttp-reader.ts';
import type { Field, Message } from './message.ts';
import { readRequests } from './our-reader.ts';
import { ambiguity, isRefused, requestsSeen } from './verdict.ts';

/** What does not travel from one connection to the next: RFC 9110 section 7.6.1, and what only the proxy may say. */
const NOT_FORWARDED =
  /^(?:connection|keep-alive|proxy-connection|te|upgrade|transfer-encoding|http2-settings|proxy|proxy-authenticat(?:e|ion)|proxy-authorization|forwarded|x-forwarded-.*|x-real-ip|x-request-id|.*_.*)$/i;
const HTTP_0_HOST = /^host$/i;

export function judgeRequest({ bytes, policy }: CorpusCase<RequestPolicy>, outcome: RequestOutcome): string {
  if (outcome.isStuck) return 'the connection did not end';
  const twofold = ambiguity(outcome);
  if (twofold !== '') return twofold;
  switch (policy) {
    case 'must_reject':
      return mustReject(outcome);
    case 'must_accept':
      return mustAccept(bytes, outcome);
    case 'safe':
      return mustBeSafe(bytes, outcome);
    case 'no_forward':
      return requestsSeen(outcome).length === 0 && isRefused(outcome) ? '' : 'it was forwarded';
    case 'either':
      return '';
  }
}

function mustReject(outcome: RequestOutcome): string {
  if (!isRefused(outcome)) return 'it was not refused';
  if (outcome.answers.some(({ closes }) => !closes)) return 'the connection was kept';
  // A body that does not come to its end is streamed as far as it came: no request, but bytes.
  const isCut = outcome.answers.some(({ status }) => status === 408);
  return outcome.seen.length === 0 || isCut ? '' : 'the origin got some of it';
}

function mustAccept(bytes: Buffer, outcome: RequestOutcome): string {
  const seen = requestsSeen(outcome).map(meaningOf);
  const wanted = meant(bytes).map(meaningOf);
  if (wanted.length === 0) return 'no reader here understands it';
  const found = JSON.stringify(seen);
  return found === JSON.stringify(wanted) ? '' : `wanted ${JSON.stringify(wanted)}, the origin got ${found}`;
}

/** A PROXY header: one line, or 16 bytes and as many as the last two of them say. */
function withoutProxyHeader(raw: Buffer): Buffer {
  if (raw.toString('latin1', 0, 6) === 'PROXY ') return raw.subarray(raw.indexOf('\r\n') + 2);
  if (raw.toString('latin1', 0, 12) === '\r\n\r\n\0\r\nQUIT\n') return raw.subarray(16 + raw.readUInt16BE(14));
  return raw;
}

/** The requests in it, in the opinion of llhttp; or in ours, where llhttp finds none. */
function meant(raw: Buffer): readonly Message[] {
  const bytes = withoutProxyHeader(raw);
  const { messages } = readRequestsStrictly(bytes);
  return messages.length > 0 ? messages : readRequests(bytes).messages;
}

function mustBeSafe(bytes: Buffer, outcome: RequestOutcome): string {
  if (isRefused(outcome)) return '';
  const seen = requestsSeen(outcome);
  if (seen.length === 1) return '';
  const wanted = meant(bytes).slice(0, seen.length);
  const isAgreed = JSON.stringify(seen.map(meaningOf)) === JSON.stringify(wanted.map(meaningOf));
  return isAgreed ? '' : `the origin got ${seen.length} requests`;
}

/** What must arrive of a request, whatever was written anew on the way. */
function meaningOf({ method, target, fields, body, trailers, versionMinor }: Message) {
  const named = fields.filter(([name]) => /^connection$/i.test(name)).flatMap(([, value]) => value.split(','));
  const nominated = new Set(named.map((option) => option.trim().toLowerCase()));
  const travels = ([name]: Field): boolean =>
    !NOT_FORWARDED.test(name) && (!nominated.has(name.toLowerCase()) || PROTECTED.test(name));
  // A request of HTTP/1.0 may have no Host, and is given one.
  const hasHost = fields.some(([name]) => HTTP_0_HOST.test(name));
  const left = fields.filter((field) => travels(field) && !(field[0] === 'Host' && /^127\.0\.0\.1:/.test(field[1])));
  return {
    method,
    target: normalTarget(target),
    fields: left,
    body,
    trailers: trailers.filter(([name]) => !name.includes('_')),
    needsHost: versionMinor === 1 && !hasHost,
  };
}

const PROTECTED = /^(?:host|content-length|authorization|cookie|expect|content-type)$/i;

/** In origin form, with the path as the proxy spells it: how, has tests of its own. */
function normalTarget(target: string): string {
  const [, path = '', query = ''] = /^(?:http:\/\/[^/?]*)?([^?]*)(.*)$/i.exec(target)!;
  if (path === '*') return target;
  const bytes = Buffer.from(path, 'latin1');
  const out = Buffer.alloc(bytes.length + 1);
  const length = normalizePath(bytes, 0, bytes.length, out, 0);
  if (length === PATH_REFUSED) return target;
  return `${length === PATH_UNCHANGED ? path : out.toString('latin1', 0, length)}${query}`;
}

export function judgeResponse({ bytes, policy }: CorpusCase<ResponsePolicy>, outcome: ResponseOutcome): string {
  if (outcome.isStuck) return 'the connection did not end';
  const statuses = readAnswers(outcome.received.toString('latin1')).map(({ status }) => status);
  const isBadGateway = statuses.length === 1 && statuses[0] === 502;
  const { messages } = readResponsesStrictly(outcome.received);
  const isWhole = messages.some(({ status }) => status >= 200);
  switch (policy) {
    case 'upstream_reject_502':
      return isBadGateway || !isWhole ? '' : 'it was relayed';
    case 'upstream_accept':
      return isRelayed(bytes, messages) ? '' : `the client got ${JSON.stringify(outcome.received.toString('latin1'))}`;
    case 'upstream_incomplete':
      // An endpoint that ends its connection ends a body without length: then it is complete, and llhttp says so too.
      return isBadGateway || !isWhole || isRelayed(bytes, messages) ? '' : 'the client took it for whole';
    case 'upstream_either':
      return isBadGateway || isRelayed(bytes, messages) ? '' : 'neither 502 nor relayed';
  }
}

/** Whether the client got the first final response, as llhttp reads it from the endpoint's own bytes. */
function isRelayed(bytes: Buffer, messages: readonly Message[]): boolean {
  const wanted = readResponsesStrictly(bytes).messages.find(({ status }) => status >= 200);
  const found = messages.find(({ status }) => status >= 200);
  if (wanted === undefined || found === undefined) return false;
  const meaning = ({ status, fields, body, trailers }: Message): string =>
    JSON.stringify({ status, fields: fields.filter(([name]) => !NOT_RELAYED.test(name)), body, trailers });
  return meaning(found) === meaning(wanted);
}

const NOT_RELAYED =
  /^(?:connection|keep-alive|proxy-connection|te|upgrade|transfer-encoding|http2-settings|proxy|proxy-authenticate|proxy-authorization)$/i;

/** Whether the endpoint is to end its connection behind these bytes: as long as it does not, they are no whole response. */
export function needsEnd(bytes: Buffer): boolean {
  return !readResponsesStrictly(bytes, 'GET', false).messages.some(({ status }) => status >= 200);
}
