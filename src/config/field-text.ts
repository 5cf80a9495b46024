/** Texts that become parts of messages, or are compared with them: what could not be sent, or never be met, is refused here. */
import { patternFault } from '../core/pattern/pattern.ts';
import type { HashOn } from './cluster-config.ts';
import { quote } from './quote.ts';
import type { Fault, Reading } from './reading.ts';

const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const NAME_MAX_LENGTH = 128;
const VALUE_MAX_LENGTH = 4_096;
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'];

/** What frames a message or is about one connection: the proxy's own business (RFC 9110 section 7.6.1). In lower case. */
const OF_THE_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const CLAIM = /^(?:x-forwarded-.*|forwarded|x-real-ip)$/;

/** A method is any token, and case matters (RFC 9110 section 9.1). */
export function readMethod(text: string): Reading<string> {
  if (text === 'CONNECT') return { cause: 'CONNECT is always refused', remedy: 'leave it out' };
  if (METHODS.includes(text.toUpperCase()) && !METHODS.includes(text)) {
    return {
      cause: `${quote(text)} is not in capitals, and methods are compared with their case`,
      remedy: `write ${text.toUpperCase()}`,
    };
  }
  if (TOKEN.test(text) && text.length <= NAME_MAX_LENGTH) return { value: text };
  return { cause: `${quote(text)} is not a method`, remedy: 'write it as in GET or PROPFIND' };
}

/** The name of a field that a route asks for. In lower case. */
export function readMatchedHeader(text: string): Reading<string> {
  const name = readToken(text, 'header field');
  if (typeof name !== 'string') return name;
  if (name === 'host') return { cause: 'the host is not matched as a header', remedy: 'use `hosts`' };
  if (CLAIM.test(name))
    return { cause: `${quote(text)} is what clients say about themselves`, remedy: 'use `sources`' };
  if (OF_THE_CONNECTION.has(name) && name !== 'upgrade' && name !== 'content-length') {
    return { cause: `${quote(text)} is about a single connection, and not passed on`, remedy: 'match something else' };
  }
  return { value: name };
}

/** What the policies that go by a hash go by. */
export function readHashOn(text: string): Reading<HashOn> {
  if (text === 'source' || text === 'path') return { value: { kind: text } };
  const [kind = '', ...rest] = text.split(':');
  const name = rest.join(':');
  if (kind === 'header') return named('header', readMatchedHeader(name));
  if (kind === 'cookie') return named('cookie', readCookieName(name));
  if (kind === 'query') return named('query', readQueryName(name));
  const cause = `${quote(text)} is nothing to hash`;
  return { cause, remedy: 'write source, path, header:NAME, cookie:NAME or query:NAME' };
}

function named(kind: 'header' | 'cookie' | 'query', reading: Reading<string>): Reading<HashOn> {
  return 'value' in reading ? { value: { kind, name: reading.value } } : reading;
}

/** The name of a field that a route sets, adds or removes. As written. */
export function readEditedHeader(text: string): Reading<string> {
  const name = readToken(text, 'header field');
  if (typeof name !== 'string') return name;
  if (name === 'host') return { cause: 'Host cannot be edited', remedy: 'use `rewrite: { host: … }`' };
  if (CLAIM.test(name))
    return { cause: `${quote(text)} is written by the proxy itself`, remedy: 'use a name of your own' };
  if (OF_THE_CONNECTION.has(name)) {
    return { cause: `${quote(text)} frames messages or is about a single connection`, remedy: 'leave it to the proxy' };
  }
  return { value: text };
}

function readToken(text: string, what: string): string | Fault {
  if (TOKEN.test(text) && text.length <= NAME_MAX_LENGTH) return text.toLowerCase();
  const remedy = `write letters, digits and -, at most ${NAME_MAX_LENGTH}`;
  return { cause: `${quote(text)} is not the name of a ${what}`, remedy };
}

/** RFC 6265 section 4.1.1: a token. With its case. */
export function readCookieName(text: string): Reading<string> {
  const name = readToken(text, 'cookie');
  return typeof name === 'string' ? { value: text } : name;
}

export function readQueryName(text: string): Reading<string> {
  if (text.length <= VALUE_MAX_LENGTH && text !== '') return { value: text };
  return { cause: `${quote(text)} is not the name of a parameter`, remedy: 'write the name as it is, not encoded' };
}

/** A value of a header field or of a cookie: printable ASCII (RFC 9110 section 5.5 advises against anything else). */
export function readFieldValue(text: string): Reading<string> {
  if (text.length > VALUE_MAX_LENGTH) {
    return { cause: `the value has ${text.length} characters`, remedy: `write at most ${VALUE_MAX_LENGTH}` };
  }
  if (!/^[\t -~]*$/.test(text)) {
    return { cause: `${quote(text)} has characters that no header field may have`, remedy: 'write printable ASCII' };
  }
  if (text === text.trim()) return { value: text };
  return {
    cause: `${quote(text)} has blanks around it, which are not part of a value`,
    remedy: `write ${quote(text.trim())}`,
  };
}

export function readQueryValue(text: string): Reading<string> {
  if (text.length <= VALUE_MAX_LENGTH) return { value: text };
  return { cause: `the value has ${text.length} characters`, remedy: `write at most ${VALUE_MAX_LENGTH}` };
}

/** A pattern that can be matched in linear time. */
export function readPattern(text: string): Reading<string> {
  return patternFault(text) ?? { value: text };
}
