/** What endpoints may answer, and what of it a client gets: RFC 9112 sections 4 to 9, RFC 9110 section 15. Nothing is repaired. */
import { badGateway, cutOff, type ResponseRow, relayed } from './requirement.ts';

const LENGTH = 'Content-Length: 2\r\n';
const CODED = 'Transfer-Encoding: chunked\r\n';
const END = '0\r\n\r\n';
const ok = (fields: string, body = ''): string => `HTTP/1.1 200 OK\r\n${fields}\r\n${body}`;
const sized = (fields = ''): string => ok(`${fields}${LENGTH}`, 'ok');
const coded = (body: string): string => ok(CODED, body);
const line = (statusLine: string): string => `${statusLine}\r\n${LENGTH}\r\nok`;
const same = (requirement: string, response: string): ResponseRow => [requirement, response, relayed(response)];
const bad = (requirement: string, response: string): ResponseRow => [requirement, response, badGateway];
const cut = (requirement: string, response: string): ResponseRow => [requirement, response, cutOff];
const dropped = (requirement: string, fields: string): ResponseRow => [requirement, sized(fields), relayed(sized())];
/** The origin ends its connection behind these bytes. */
const ended = (row: ResponseRow): ResponseRow => [row[0], row[1], row[2], { ...row[3], ends: true }];
const head = (row: ResponseRow): ResponseRow => [row[0], row[1], row[2], { ...row[3], method: 'HEAD' }];

const CONTROLS = [...Array(32).keys(), 0x7f].filter((byte) => byte !== 0x09);

export const RESPONSE_LINE_ROWS: readonly ResponseRow[] = [
  same('RFC 9112 section 4: the least response with a body', sized()),
  same('RFC 9112 section 4: an empty reason', line('HTTP/1.1 200 ')),
  same('RFC 9112 section 4: no reason and no space', line('HTTP/1.1 200')),
  same('RFC 9112 section 4: a reason of many words', line('HTTP/1.1 299 It is: fine\t\xff')),
  ['RFC 9112 section 2.2: an empty line before it', `\r\n${sized()}`, relayed(sized())],
  ['RFC 9112 section 2.3: HTTP/1.0 is answered as HTTP/1.1', line('HTTP/1.0 200 OK'), relayed(sized())],
  bad('RFC 9112 section 2.3: HTTP/2.0', line('HTTP/2.0 200 OK')),
  bad('RFC 9112 section 2.3: HTTP/1.2', line('HTTP/1.2 200 OK')),
  bad('RFC 9112 section 2.3: HTTP/0.9', line('HTTP/0.9 200 OK')),
  bad('RFC 9112 section 2.3: lower case', line('http/1.1 200 OK')),
  bad('RFC 9112 section 4: another protocol', line('ICY 200 OK')),
  bad('RFC 9112 section 4: no status line at all', '<html></html>\r\n\r\n'),
  bad('RFC 9112 section 4: a bare LF before it', `\n${sized()}`),
  bad('RFC 9112 section 4: garbage before it', `ok${sized()}`),
  bad('RFC 9112 section 4: NUL before it', `\0${sized()}`),
  bad('RFC 9112 section 4: two digits', line('HTTP/1.1 20 OK')),
  bad('RFC 9112 section 4: four digits', line('HTTP/1.1 2000 OK')),
  bad('RFC 9112 section 4: a letter', line('HTTP/1.1 2x0 OK')),
  bad('RFC 9112 section 4: a sign', line('HTTP/1.1 +20 OK')),
  bad('RFC 9112 section 4: no status', line('HTTP/1.1 OK')),
  bad('RFC 9112 section 4: two spaces', line('HTTP/1.1  200 OK')),
  bad('RFC 9112 section 4: a tab for a space', line('HTTP/1.1\t200 OK')),
  bad('RFC 9112 section 4: a tab behind the status', line('HTTP/1.1 200\tOK')),
  bad('RFC 9110 section 15: a status below 100', line('HTTP/1.1 099 OK')),
  bad('RFC 9110 section 15: a status above 599', line('HTTP/1.1 600 OK')),
  bad('RFC 9110 section 15: status 000', line('HTTP/1.1 000 OK')),
  ...[0x00, 0x01, 0x0b, 0x7f].map((byte) =>
    bad(`RFC 9112 section 4: byte ${byte} in a reason`, line(`HTTP/1.1 200 O${String.fromCharCode(byte)}K`)),
  ),
  bad('RFC 9112 section 2.2: a bare CR in a reason', line('HTTP/1.1 200 O\rK')),
  bad('RFC 9112 section 2.2: a bare LF behind the status line', `HTTP/1.1 200 OK\n${LENGTH}\r\nok`),
  bad('RFC 9112 section 2.2: a bare LF behind a field', 'HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\nok'),
  bad('RFC 9112 section 2.2: bare LFs throughout', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'),
  bad('RFC 9112 section 2.2: a bare CR behind a field', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\r\nok'),
  bad('RFC 9112 section 2.2: a bare LF for the empty line', `HTTP/1.1 200 OK\r\n${LENGTH}\nok`),
  ended(bad('RFC 9112 section 8: ended before a byte', '')),
  ended(bad('RFC 9112 section 8: ended within the status line', 'HTTP/1.1 200')),
  ended(bad('RFC 9112 section 8: ended within the fields', `HTTP/1.1 200 OK\r\n${LENGTH}`)),
];

export const RESPONSE_FIELD_ROWS: readonly ResponseRow[] = [
  same('RFC 9110 section 5.5: a value of any sound bytes', sized('X: a\tb \x80\xff\r\n')),
  same('RFC 9110 section 5.5: an empty value', sized('X:\r\n')),
  same('6.5: names with _ are the endpoint’s own affair'.replace('’', "'"), sized('X_Y: z\r\n')),
  same('RFC 9110 section 5.3: lines of one name keep their order', sized('Set-Cookie: a\r\nX: y\r\nSet-Cookie: b\r\n')),
  bad('RFC 9112 section 5.1: white space before the colon', sized('X : y\r\n')),
  bad('RFC 9112 section 5.1: white space before the colon of a length', ok('Content-Length : 2\r\n', 'ok')),
  bad('RFC 9112 section 5.2: a folded line', sized('X: a\r\n b\r\n')),
  bad('RFC 9112 section 2.2: white space before the first field', sized(' X: y\r\n')),
  bad('RFC 9112 section 5: an empty name', sized(': y\r\n')),
  bad('RFC 9112 section 5: no colon', sized('Nonsense\r\n')),
  bad('RFC 9110 section 5.1: a name that is no token', sized('X(Y: z\r\n')),
  bad('RFC 9110 section 5.1: a byte above 127 in a name', sized('X\xe9: z\r\n')),
  ...CONTROLS.map((byte) =>
    bad(
      `RFC 9110 section 5.5: byte ${byte.toString(16).padStart(2, '0')} in a value`,
      sized(`X: a${String.fromCharCode(byte)}b\r\n`),
    ),
  ),
  dropped('RFC 9110 section 7.6.1: Connection and what it names', 'Connection: X\r\nX: y\r\n'),
  dropped('RFC 9110 section 7.6.1: Keep-Alive', 'Keep-Alive: timeout=5, max=2\r\n'),
  dropped('RFC 9110 section 7.6.1: Proxy-Connection', 'Proxy-Connection: keep-alive\r\n'),
  dropped('RFC 9110 section 7.8: Upgrade that nobody asked for', 'Upgrade: h2\r\nConnection: Upgrade\r\n'),
  dropped('RFC 9112 section 9.3: close is between the endpoint and us', 'Connection: close\r\n'),
  bad('6.5: more fields than there is room for', sized('X: y\r\n'.repeat(300))),
  bad('6.5: a line beyond its limit', sized(`X: ${'y'.repeat(16 * 1024)}\r\n`)),
];

export const RESPONSE_FRAMING_ROWS: readonly ResponseRow[] = [
  same('RFC 9112 section 6.3: a length of 0', ok('Content-Length: 0\r\n')),
  same('RFC 9112 section 6.3: chunks', coded(`2\r\nok\r\n${END}`)),
  [
    'RFC 9112 section 7.1: sizes are written anew, extensions go no further',
    coded(`002;a="b"\r\nok\r\n0;c\r\n\r\n`),
    relayed(coded(`2\r\nok\r\n${END}`)),
  ],
  same('RFC 9112 section 7.1.2: trailers', coded('2\r\nok\r\n0\r\nX: y\r\n\r\n')),
  ended([
    'RFC 9112 section 6.3: a body that ends with the connection goes on in chunks',
    ok('', 'ok'),
    relayed(coded(`2\r\nok\r\n${END}`)),
  ]),
  ['RFC 9112 section 6.3: bytes behind the length are nobody’s'.replace('’', "'"), `${sized()}EXTRA`, relayed(sized())],
  ['CVE-2016-8743: a second response behind the first', sized() + sized(), relayed(sized())],
  [
    'RFC 9112 section 6.3: bytes behind the last chunk',
    `${coded(`2\r\nok\r\n${END}`)}${sized()}`,
    relayed(coded(`2\r\nok\r\n${END}`)),
  ],
  same('RFC 9110 section 15.3.5: 204 has no body', 'HTTP/1.1 204 No Content\r\n\r\n'),
  [
    'RFC 9110 section 15.3.5: bytes behind 204 are no body',
    'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    relayed('HTTP/1.1 204 No Content\r\n\r\n'),
  ],
  same(
    'RFC 9110 section 15.4.5: 304 has no body, whatever its length',
    'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n',
  ),
  head(
    same('RFC 9110 section 9.3.2: the answer to HEAD has no body, whatever its length', ok('Content-Length: 9\r\n')),
  ),
  head([
    'RFC 9110 section 9.3.2: bytes behind the answer to HEAD are no body',
    `${ok('Content-Length: 9\r\n')}HTTP/1.1 200 OK\r\n\r\n`,
    relayed(ok('Content-Length: 9\r\n')),
  ]),
  bad('RFC 9112 section 6.1: a length and a coding', ok(`${LENGTH}${CODED}`, `2\r\nok\r\n${END}`)),
  bad('RFC 9112 section 6.1: a coding and a length', ok(`${CODED}${LENGTH}`, `2\r\nok\r\n${END}`)),
  bad('RFC 9112 section 6.1: a coding in HTTP/1.0', `HTTP/1.0 200 OK\r\n${CODED}\r\n${END}`),
  bad('RFC 9112 section 6.1: a coding that we do not know', ok('Transfer-Encoding: gzip\r\n', 'ok')),
  bad('RFC 9112 section 6.1: two codings', ok('Transfer-Encoding: gzip, chunked\r\n', END)),
  bad('RFC 9112 section 6.1: two lines of codings', ok(`${CODED}${CODED}`, END)),
  bad('RFC 9112 section 6.3: two lengths', ok(`${LENGTH}Content-Length: 3\r\n`, 'ok')),
  bad('RFC 9112 section 6.3: two equal lengths', ok(`${LENGTH}${LENGTH}`, 'ok')),
  ...['', '+2', '-2', '0x2', '2, 2', '2;a', '"2"', '2 2', '2.0', '18446744073709551618', 'two'].map((value) =>
    bad(`RFC 9110 section 8.6: ${JSON.stringify(value)} is no length`, ok(`Content-Length: ${value}\r\n`, 'ok')),
  ),
  bad(
    'RFC 9110 section 8.6: a length that is none, in a response without a body',
    'HTTP/1.1 204 No\r\nContent-Length: x\r\n\r\n',
  ),
  ended(cut('RFC 9112 section 8: ended within a length', ok('Content-Length: 9\r\n', 'ok'))),
  ended(cut('RFC 9112 section 8: ended within a chunk', coded('9\r\nok'))),
  ended(cut('RFC 9112 section 8: ended between chunks', coded('2\r\nok\r\n'))),
  ended(cut('RFC 9112 section 8: ended behind the last chunk', coded('2\r\nok\r\n0\r\n'))),
  ended(cut('RFC 9112 section 8: ended within the trailers', coded('2\r\nok\r\n0\r\nX: y\r\n'))),
  ...[
    ['a size that is none', 'zz\r\nok\r\n'],
    ['a size with 0x', '0x2\r\nok\r\n'],
    ['a size with a sign', '+2\r\nok\r\n'],
    ['a size that wraps 64 bits', '10000000000000002\r\nok\r\n'],
    ['white space behind a size', '2 \r\nok\r\n'],
    ['a bare LF behind a size', '2\nok\r\n'],
    ['a bare LF behind a chunk', '2\r\nok\n0\r\n\r\n'],
    ['a chunk longer than its size', '2\r\nokay\r\n0\r\n\r\n'],
    ['a bare LF in an extension', '2;a\nok\r\n0\r\n\r\n'],
    ['a length among the trailers', '2\r\nok\r\n0\r\nContent-Length: 9\r\n\r\n'],
    ['a coding among the trailers', '2\r\nok\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['Set-Cookie among the trailers', '2\r\nok\r\n0\r\nSet-Cookie: a\r\n\r\n'],
    ['white space before a colon in the trailers', '2\r\nok\r\n0\r\nX : y\r\n\r\n'],
    ['a fold in the trailers', '2\r\nok\r\n0\r\nX: y\r\n z\r\n\r\n'],
  ].map(([what, body]) => cut(`RFC 9112 section 7.1: ${what}`, coded(body!))),
  [
    'RFC 9110 section 15.2: interim responses are relayed',
    `HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n${sized()}`,
    relayed(`HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n${sized()}`),
  ],
  ['RFC 9110 section 15.2.1: 100 that nobody waits for', `HTTP/1.1 100 Continue\r\n\r\n${sized()}`, relayed(sized())],
  bad('RFC 9110 section 15.2.2: 101 that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'),
  bad('6.5: a storm of interim responses', `${'HTTP/1.1 100 Continue\r\n\r\n'.repeat(100)}${sized()}`),
];
