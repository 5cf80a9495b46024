/** Fields and what a proxy does with them: RFC 9112 section 5, RFC 9110 sections 5, 7 and 10. */
import { forwarded, forwardedLast, get, HOST, line, post, type RequestRow, refused } from './requirement.ts';

const same = (fields: string): RequestRow[1] => get(fields);
const kept = (requirement: string, fields: string): RequestRow => [requirement, same(fields), forwarded(same(fields))];
const dropped = (requirement: string, fields: string, left = ''): RequestRow => [
  requirement,
  get(fields),
  forwarded(get(left)),
];
const bad = (requirement: string, fields: string): RequestRow => [requirement, get(fields), refused(400)];

const CONTROLS = [...Array(32).keys(), 0x7f].filter((byte) => byte !== 0x09);
const hex = (byte: number): string => byte.toString(16).padStart(2, '0');
const DELIMITERS = '"(),/;<=>?@[\\]{}';

export const FIELD_ROWS: readonly RequestRow[] = [
  bad('RFC 9112 section 5.1: no white space between name and colon', 'X : y\r\n'),
  bad('RFC 9112 section 5.1: no tab between name and colon', 'X\t: y\r\n'),
  bad('RFC 9112 section 5.1: no white space before the colon of a length', 'Content-Length : 5\r\n'),
  bad('RFC 9112 section 5.1: no white space before the colon of a coding', 'Transfer-Encoding : chunked\r\n'),
  bad('RFC 9112 section 5: a line without a colon', 'Nonsense\r\n'),
  bad('RFC 9112 section 5: an empty name', ': y\r\n'),
  bad('RFC 9112 section 5: a colon alone', ':\r\n'),
  bad('RFC 9112 section 5: white space for a name', ' : y\r\n'),
  bad('RFC 9112 section 5.2: a folded line', 'X: a\r\n b\r\n'),
  bad('RFC 9112 section 5.2: a line folded with a tab', 'X: a\r\n\tb\r\n'),
  bad('RFC 9112 section 5.2: a fold that looks like a field', 'X: a\r\n Content-Length: 5\r\n'),
  bad('RFC 9112 section 5.2: a line of white space', 'X: a\r\n \r\n'),
  bad('RFC 9112 section 5.2: a folded coding', 'Transfer-Encoding:\r\n chunked\r\n'),
  ...[...DELIMITERS].map((character) =>
    bad(`RFC 9110 section 5.6.2: ${character} is not in a token`, `X${character}Y: z\r\n`),
  ),
  bad('RFC 9110 section 5.1: a space within a name', 'X Y: z\r\n'),
  bad('RFC 9110 section 5.1: a byte above 127 in a name', 'X\xe9: z\r\n'),
  ...CONTROLS.map((byte) =>
    bad(`RFC 9110 section 5.5: byte ${hex(byte)} is not in a value`, `X: a${String.fromCharCode(byte)}b\r\n`),
  ),
  ...[0x00, 0x01, 0x0b, 0x7f].map((byte) =>
    bad(`RFC 9110 section 5.1: byte ${hex(byte)} is not in a name`, `X${String.fromCharCode(byte)}Y: z\r\n`),
  ),
  kept('RFC 9110 section 5.5: an empty value', 'X:\r\n'),
  kept('RFC 9110 section 5.5: white space around a value', 'X: \t a \t\r\n'),
  kept('RFC 9110 section 5.5: a tab and spaces within a value', 'X: a\tb  c\r\n'),
  kept('RFC 9110 section 5.5: obs-text in a value', 'X: \x80\xff\r\n'),
  kept('RFC 9110 section 5.5: colons in a value', 'X: :a:b:\r\n'),
  kept('RFC 9110 section 5.3: lines of one name keep their order', 'A: 1\r\nB: 2\r\na: 3\r\n'),
  kept('RFC 9110 section 5.6.2: every token character in a name', "!#$%&'*+-.^`|~09azAZ: x\r\n"),
  dropped('6.5: a name with _ could be taken for one with -', 'X_Y: z\r\nA: b\r\n', 'A: b\r\n'),
  dropped('6.5: a length with _ frames nothing and goes no further', 'Content_Length: 5\r\n'),
  dropped('6.5: a coding with _ frames nothing and goes no further', 'Transfer_Encoding: chunked\r\n'),
  dropped('CVE-2016-5385: Proxy would become HTTP_PROXY', 'Proxy: http://evil.test\r\n'),
];

export const FORWARDING_ROWS: readonly RequestRow[] = [
  dropped('RFC 9110 section 7.6.1: Connection itself', 'Connection: keep-alive\r\n'),
  dropped('RFC 9110 section 7.6.1: what Connection names', 'Connection: X-Hop\r\nX-Hop: 1\r\nA: b\r\n', 'A: b\r\n'),
  dropped('RFC 9110 section 7.6.1: whatever the case', 'connection: x-HOP\r\nX-Hop: 1\r\n'),
  dropped('RFC 9110 section 7.6.1: every one of a list', 'Connection: a ,\tb,,c\r\nA: 1\r\nB: 2\r\nC: 3\r\n'),
  dropped('RFC 9110 section 7.6.1: of every Connection line', 'Connection: a\r\nA: 1\r\nConnection: b\r\nB: 2\r\n'),
  dropped('RFC 9110 section 7.6.1: every line of a name', 'Connection: a\r\nA: 1\r\nX: y\r\nA: 2\r\n', 'X: y\r\n'),
  dropped('RFC 9110 section 7.6.1: Keep-Alive', 'Keep-Alive: timeout=5\r\n'),
  dropped('RFC 9110 section 7.6.1: Proxy-Connection', 'Proxy-Connection: keep-alive\r\n'),
  dropped('RFC 9110 section 7.6.1: TE', 'TE: trailers\r\nConnection: TE\r\n'),
  dropped('RFC 9110 section 11.7.1: Proxy-Authorization', 'Proxy-Authorization: Basic YTpi\r\n'),
  ...['Host', 'Authorization', 'Cookie', 'Content-Type', 'Cache-Control', 'Expect', 'If-Match', 'Range'].map(
    (name): RequestRow => {
      const value = name === 'Host' ? '' : name === 'Expect' ? 'Expect: 100-continue\r\n' : `${name}: a\r\n`;
      return dropped(`CVE-2024-45410: Connection may not name ${name}`, `Connection: ${name}\r\n${value}`, value);
    },
  ),
  ...['X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host']
    .map((name) =>
      dropped(`CVE-2021-32813: Connection may not name ${name}, which is ours`, `Connection: close, ${name}\r\n`),
    )
    .map(([requirement, request, verdict]): RequestRow => [requirement, request, { ...verdict, closes: true }]),
  [
    'CVE-2026-26365: Connection may not name Transfer-Encoding',
    post('Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n', '3\r\nabc\r\n0\r\n\r\n'),
    forwarded(post('Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n0\r\n\r\n')),
  ],
  [
    'CVE-2026-26365: Connection may not name Content-Length',
    post('Connection: Content-Length\r\nContent-Length: 3\r\n', 'abc'),
    forwarded(post('Content-Length: 3\r\n', 'abc')),
  ],
  dropped('6.5: X-Forwarded-For of a stranger', 'X-Forwarded-For: 1.2.3.4\r\n'),
  dropped('6.5: X-Forwarded-Proto of a stranger', 'x-forwarded-proto: https\r\n'),
  dropped('6.5: X-Forwarded-Host of a stranger', 'X-Forwarded-Host: evil.test\r\n'),
  dropped('6.5: every other X-Forwarded of a stranger', 'X-Forwarded-Port: 1\r\nX-Forwarded-Prefix: /\r\n'),
  dropped('6.5: Forwarded of a stranger', 'Forwarded: for=1.2.3.4\r\n'),
  dropped('6.5: X-Real-IP of a stranger', 'X-Real-IP: 1.2.3.4\r\n'),
  dropped(
    'RFC 9113 section 3.1: an upgrade to h2c',
    'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n',
  ),
  dropped('RFC 9113 section 3.1: h2c in a list', 'Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n'),
  dropped('RFC 9110 section 7.8: Upgrade that Connection does not name', 'Upgrade: websocket\r\n'),
  [
    'RFC 9110 section 7.8: an upgrade is asked for again, of the endpoint',
    get('Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n'),
    forwarded(get('Connection: Upgrade\r\nUpgrade: websocket\r\n')),
  ],
  [
    'RFC 9110 section 7.8: Upgrade means nothing in HTTP/1.0',
    `GET / HTTP/1.0\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    forwardedLast(get()),
  ],
  [
    'RFC 9110 section 10.1.1: an expectation is forwarded',
    post('Expect: 100-Continue\r\nContent-Length: 1\r\n', 'a'),
    forwarded(post('Expect: 100-Continue\r\nContent-Length: 1\r\n', 'a')),
  ],
  ['RFC 9110 section 10.1.1: another expectation', get('Expect: miracles\r\n'), refused(417)],
  ['RFC 9110 section 10.1.1: two expectations', get('Expect: 100-continue\r\nExpect: 100-continue\r\n'), refused(417)],
  kept('RFC 9110 section 7.6.3: Via is kept', 'Via: 1.1 other\r\n'),
  ['RFC 9112 section 2.3: the version is our own', line('GET / HTTP/1.0', 'A: b\r\n'), forwardedLast(get('A: b\r\n'))],
  ['RFC 9112 section 9.3: close', get('Connection: close\r\n'), forwardedLast(get())],
  ['RFC 9112 section 9.3: close, whatever the case', get('Connection: foo, CLOSE\r\n'), forwardedLast(get())],
  ['RFC 9112 section 9.3: close wins', get('Connection: keep-alive, close\r\n'), forwardedLast(get())],
  [
    'RFC 9112 section 9.6: nothing behind a close is read',
    `${get('Connection: close\r\n')}${get('', '/2')}`,
    forwardedLast(get()),
  ],
  ['RFC 9112 section 9.3: a name that only begins with close', get('Connection: closed\r\n'), forwarded(get())],
  [
    'RFC 9112 section 9.3: HTTP/1.0 may ask to be kept',
    `GET / HTTP/1.0\r\n${HOST}Connection: Keep-Alive\r\n\r\n`,
    forwarded(get()),
  ],
];
