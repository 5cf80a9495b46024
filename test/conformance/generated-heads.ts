/** Heads as fast-check makes them: sound ones, ones with a fault of every kind, and sound ones with a few bytes changed. */
import fc from 'fast-check';

const TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const token = fc.string({ unit: fc.constantFrom(...TOKEN), minLength: 1, maxLength: 12 });
const byte = fc.integer({ min: 0, max: 255 }).map((value) => String.fromCharCode(value));
const valueByte = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: 0x20, max: 0x7e }).map((value) => String.fromCharCode(value)) },
  { weight: 1, arbitrary: fc.constantFrom('\t', '\x80', '\xff') },
);
const value = fc.string({ unit: valueByte, maxLength: 20 });
const blanks = fc.constantFrom('', ' ', '  ', '\t', ' \t ');
const usually = <T>(usual: T, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });

const lineEnd = usually('\r\n', '\n', '\r', '\n\r', '\r\r\n', '\r\n ', '');
const colon = usually(':', ' :', '\t:', '', '::', '\0:');

/** Fields whose meaning matters, with values that are nearly right. */
const known = fc.constantFrom(
  'Host: a.test',
  'Host: b.test:80',
  'Host: [::1]:1',
  'Content-Length: 0',
  'Content-Length: 3',
  'Content-Length: 03',
  'Content-Length: +3',
  'Content-Length: 3, 3',
  'Content-Length: 0x3',
  'Content-Length:\t3',
  'Content-Length: 99999999999999999999',
  'Content-Length: 184467440737095516160',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: Chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, gzip',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding:\tchunked ',
  'Connection: close',
  'Connection: keep-alive, Upgrade',
  'Connection: , ,',
  'Proxy-Connection: close',
  'Upgrade: websocket',
  'Expect: 100-continue',
  'Keep-Alive: timeout=5',
);

const field = fc.oneof(
  { weight: 3, arbitrary: known },
  {
    weight: 3,
    arbitrary: fc.tuple(token, colon, blanks, value, blanks).map((parts) => parts.join('')),
  },
  { weight: 1, arbitrary: fc.constantFrom('', ' folded', '\tfolded', ': empty', 'no colon', 'X: a\0b', 'X: a\rb') },
);

const fields = fc
  .array(fc.tuple(field, lineEnd), { maxLength: 6 })
  .map((lines) => lines.map((line) => line.join('')).join(''));
const headEnd = usually('\r\n', '\n', '\r', '\r\n\r\n', '');

const method = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'OPTIONS', 'CONNECT') },
  token,
);
const target = fc.oneof(
  fc.constantFrom(
    '/',
    '/a/b?c',
    '/a?b?c',
    '*',
    'http://a.test/',
    'http://b.test',
    'a.test:80',
    'ftp://a',
    '/a#b',
    '//',
    '/%zz',
  ),
  fc.string({ unit: fc.oneof({ weight: 30, arbitrary: valueByte }, byte), maxLength: 12 }).map((text) => `/${text}`),
);
const version = usually(
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'HTTP/0.9',
  'http/1.1',
  'HTTP/1.1 ',
  'HTTP/11',
  'HTTP/1.10',
  'RTSP/1.0',
  '',
);
const gap = usually(' ', '  ', '\t', '\v', '');
const beginning = usually('', '\r\n', '\n', '\r', ' ', '\r\n\r\n', '\0');
const host = usually('Host: a.test\r\n', '');

const requestHead = fc
  .tuple(beginning, method, gap, target, gap, version, lineEnd, host, fields, headEnd)
  .map((parts) => parts.join(''));

const status = usually(
  '200',
  '100',
  '101',
  '103',
  '204',
  '304',
  '404',
  '599',
  '600',
  '099',
  '20',
  '2000',
  '+20',
  '2x0',
  '',
);
const reason = fc.oneof({ weight: 6, arbitrary: fc.constantFrom(' OK', ' ', '', ' Not Found', '  OK', '\tOK') }, value);
const responseHead = fc
  .tuple(beginning, version, gap, status, reason, lineEnd, fields, headEnd)
  .map((parts) => parts.join(''));

const chunk = fc.constantFrom(
  '3\r\nabc\r\n',
  '03\r\nabc\r\n',
  '3;a=b\r\nabc\r\n',
  '3;a="b"\r\nabc\r\n',
  '3 \r\nabc\r\n',
  '3;\r\nabc\r\n',
  '3;a\nabc\r\n',
  '3\nabc\r\n',
  '3\r\nabc\n',
  '3\r\nabcd\r\n',
  '0x3\r\nabc\r\n',
  '+3\r\nabc\r\n',
  '10000000000000003\r\nabc\r\n',
  'A\r\n0123456789\r\n',
);
const lastChunk = usually(
  '0\r\n\r\n',
  '0\r\nX: y\r\n\r\n',
  '0\r\nX : y\r\n\r\n',
  '0\n\n',
  '0\r\n\n',
  '00\r\n\r\n',
  '0;a\r\n\r\n',
  '',
);
const chunks = fc.tuple(fc.array(chunk, { maxLength: 3 }), lastChunk).map(([some, last]) => some.join('') + last);
const body = fc.oneof({ weight: 2, arbitrary: fc.constantFrom('', 'abc') }, chunks);

interface Change {
  readonly at: number;
  readonly kind: 'replace' | 'insert' | 'remove' | 'repeat';
  readonly byte: string;
}

const changes = fc.array(
  fc.record<Change>({
    at: fc.nat(200),
    kind: fc.constantFrom('replace', 'insert', 'remove', 'repeat'),
    byte: fc.oneof(fc.constantFrom('\r', '\n', ' ', '\t', '\0', ':', ',', ';', '0', '_'), byte),
  }),
  { maxLength: 3 },
);

function change(text: string, list: readonly Change[]): string {
  let changed = text;
  for (const { at: place, kind, byte: what } of list) {
    const at = place % (changed.length + 1);
    const before = changed.slice(0, at);
    if (kind === 'insert') changed = before + what + changed.slice(at);
    else if (kind === 'remove') changed = before + changed.slice(at + 1);
    else if (kind === 'repeat') changed = before + changed.slice(Math.max(0, at - 8), at) + changed.slice(at);
    else changed = before + what + changed.slice(at + 1);
  }
  return changed;
}

const changed = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof(
    text,
    fc.tuple(text, changes).map(([sound, list]) => change(sound, list)),
  );

/** A request with whatever follows it, as latin1. */
export const requests: fc.Arbitrary<string> = changed(fc.tuple(requestHead, body).map((parts) => parts.join('')));

/** The same for responses. */
export const responses: fc.Arbitrary<string> = changed(fc.tuple(responseHead, body).map((parts) => parts.join('')));
