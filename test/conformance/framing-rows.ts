/** How long a request is: RFC 9112 sections 6 to 9, RFC 9110 sections 6.5 and 8.6. */
import {
  chunked,
  forwarded,
  forwardedThenRefused,
  get,
  HOST,
  incomplete,
  line,
  post,
  type RequestRow,
  refused,
} from './requirement.ts';

const CODED = 'Transfer-Encoding: chunked\r\n';
const END = '0\r\n\r\n';
const SMUGGLED = get('', '/smuggled');
const length = (value: string, body = 'hello'): string => post(`Content-Length: ${value}\r\n`, body);
const coded = (value: string): string => post(`Transfer-Encoding: ${value}\r\n`, END);
const bad = (requirement: string, request: string, status = 400): RequestRow => [requirement, request, refused(status)];
const same = (requirement: string, request: string): RequestRow => [requirement, request, forwarded(request)];
/** Chunks that are understood, and as what they go on. */
const chunks = (requirement: string, sent: string, out: string): RequestRow => [
  requirement,
  chunked(sent),
  forwarded(chunked(out)),
];
const badChunks = (requirement: string, sent: string): RequestRow => [requirement, chunked(sent), refused(400)];

export const LENGTH_ROWS: readonly RequestRow[] = [
  same('RFC 9110 section 8.6: a length', length('5')),
  same('RFC 9110 section 8.6: a length of 0', length('0', '')),
  same('RFC 9110 section 8.6: leading zeros', length('0005')),
  same('RFC 9110 section 8.6: white space around a length', length('  5  ')),
  same(
    'RFC 9112 section 6.3: a body of a method that usually has none',
    `${line('GET / HTTP/1.1', 'Content-Length: 3\r\n')}abc`,
  ),
  same('RFC 9112 section 6.3: neither length nor coding means no body', line('POST / HTTP/1.1')),
  same('RFC 9112 section 6.3: a body that looks like a request is a body', length(`${SMUGGLED.length}`, SMUGGLED)),
  ['RFC 9112 section 8: a body that does not come to its end', length('9'), incomplete],
  [
    'RFC 9112 section 6.3: what is beyond the length is the next request',
    `${length('5')}${get()}`,
    forwarded(length('5'), get()),
  ],
  [
    'RFC 9112 section 6.3: what is beyond the length and no request',
    `${length('4')}`,
    { ...forwarded(length('4', 'hell')), refusal: 408 },
  ],
  bad('RFC 9110 section 8.6: an empty length', length('')),
  bad('RFC 9110 section 8.6: a sign', length('+5')),
  bad('RFC 9110 section 8.6: a negative length', length('-5')),
  bad('RFC 9110 section 8.6: minus zero', length('-0')),
  bad('RFC 9110 section 8.6: a hexadecimal length', length('0x5')),
  bad('RFC 9110 section 8.6: an octal length', length('0o5')),
  bad('RFC 9110 section 8.6: a fraction', length('5.0')),
  bad('RFC 9110 section 8.6: an exponent', length('5e0')),
  bad('RFC 9110 section 8.6: digits parted by _', length('1_0')),
  bad('RFC 9110 section 8.6: digits parted by a space', length('1 0')),
  bad('RFC 9110 section 8.6: a list of equal lengths', length('5, 5')),
  bad('RFC 9110 section 8.6: a list of two lengths', length('5,6')),
  bad('RFC 9110 section 8.6: a list with an empty element', length('5,')),
  bad('RFC 9110 section 8.6: a quoted length', length('"5"')),
  bad('RFC 9110 section 8.6: a parameter', length('5;a')),
  bad('RFC 9110 section 8.6: letters', length('five')),
  bad('RFC 9110 section 8.6: digits of other scripts', length('\xd9\xa5')),
  bad('RFC 9110 section 8.6: NUL behind a length', length('5\0')),
  bad('RFC 9110 section 8.6: a vertical tab before a length', length('\v5')),
  bad('RFC 9110 section 8.6: a length beyond 2^53', length('9007199254740993')),
  bad('RFC 9110 section 8.6: a length that wraps 64 bits to 5', length('18446744073709551621')),
  bad('RFC 9110 section 8.6: a length that wraps 32 bits in many digits', length('00000000000000005')),
  bad('RFC 9112 section 6.3: two equal lengths', post('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello')),
  bad('RFC 9112 section 6.3: two lengths', post('Content-Length: 5\r\ncontent-length: 6\r\n', 'hello!')),
  bad(
    'RFC 9112 section 6.3: two lengths with another field between',
    post('Content-Length: 5\r\nX: y\r\nContent-Length: 0\r\n', 'hello'),
  ),
];

export const CODING_ROWS: readonly RequestRow[] = [
  same('RFC 9112 section 7: chunked', chunked(`3\r\nabc\r\n${END}`)),
  ['RFC 9112 section 7: codings ignore case', coded('CHUNKED'), forwarded(chunked(END))],
  ['RFC 9112 section 7: white space around a coding', coded('\t chunked \t'), forwarded(chunked(END))],
  ['RFC 9112 section 9.3: a request behind the last chunk', `${chunked(END)}${get()}`, forwarded(chunked(END), get())],
  bad('RFC 9112 section 6.1: a length and a coding', post(`Content-Length: 5\r\n${CODED}`, END)),
  bad('RFC 9112 section 6.1: a coding and a length', post(`${CODED}Content-Length: 5\r\n`, END)),
  bad('RFC 9112 section 6.1: a coding and a length of 0', post(`${CODED}Content-Length: 0\r\n`, END)),
  bad(
    'RFC 9112 section 6.1: a length that is wrong does not hide a coding',
    post(`Content-Length: x\r\n${CODED}`, END),
  ),
  bad('RFC 9112 section 6.1: a coding in HTTP/1.0', `POST / HTTP/1.0\r\n${HOST}${CODED}\r\n${END}`),
  bad(
    'RFC 9112 section 6.1: a coding and a length in HTTP/1.0',
    `POST / HTTP/1.0\r\n${HOST}${CODED}Content-Length: 5\r\n\r\n${END}`,
  ),
  bad('RFC 9112 section 6.1: another coding', coded('gzip'), 501),
  bad('RFC 9112 section 6.1: identity is none any more', coded('identity'), 501),
  bad('RFC 9112 section 6.1: chunked twice', coded('chunked, chunked')),
  bad('RFC 9112 section 6.1: chunked twice, in two lines', post(`${CODED}${CODED}`, END)),
  bad('RFC 9112 section 6.1: chunked is not last', coded('chunked, gzip')),
  bad('RFC 9112 section 6.1: another coding before chunked', coded('gzip, chunked')),
  bad('RFC 9112 section 6.1: identity before chunked', coded('identity, chunked')),
  bad('RFC 9112 section 6.1: two lines of codings', post(`Transfer-Encoding: gzip\r\n${CODED}`, END)),
  bad('RFC 9112 section 6.1: an empty coding', coded('')),
  bad('RFC 9112 section 6.1: an empty element before', coded(', chunked')),
  bad('RFC 9112 section 6.1: an empty element behind', coded('chunked,')),
  bad('RFC 9112 section 6.1: a parameter', coded('chunked;a=b')),
  bad('RFC 9112 section 6.1: a quoted coding', coded('"chunked"')),
  bad('RFC 9112 section 6.1: a single quoted coding', coded("'chunked'"), 501),
  bad('RFC 9112 section 6.1: a coding that begins so', coded('chunkedx'), 501),
  bad('RFC 9112 section 6.1: a coding that ends so', coded('xchunked'), 501),
  bad('RFC 9112 section 6.1: a coding cut short', coded('chunke'), 501),
  bad('RFC 9112 section 6.1: a space within', coded('chunk ed')),
  bad('RFC 9112 section 6.1: a vertical tab before', coded('\vchunked')),
  bad('RFC 9112 section 6.1: a form feed behind', coded('chunked\f')),
  bad('RFC 9112 section 6.1: a no-break space', coded('\xa0chunked')),
  bad('RFC 9112 section 6.1: NUL behind', coded('chunked\0')),
  bad('RFC 9112 section 6.1: CR behind', coded('chunked\r')),
  bad('RFC 9112 section 6.1: a fold within', coded('\r\n chunked')),
  bad('RFC 9112 section 6.1: a space before the colon', post('Transfer-Encoding : chunked\r\n', END)),
  bad('RFC 9112 section 6.1: CR before the name', post('\rTransfer-Encoding: chunked\r\n', END)),
  bad('RFC 9112 section 6.1: LF before the name', post('X: y\nTransfer-Encoding: chunked\r\n', END)),
  bad('RFC 9112 section 6.1: NUL before the name', post('\0Transfer-Encoding: chunked\r\n', END)),
];

export const CHUNK_ROWS: readonly RequestRow[] = [
  chunks('RFC 9112 section 7.1: several chunks', `3\r\nabc\r\n2\r\nde\r\n${END}`, `3\r\nabc\r\n2\r\nde\r\n${END}`),
  chunks(
    'RFC 9112 section 7.1: sizes are written anew',
    `0003\r\nabc\r\n00A\r\n0123456789\r\n000\r\n\r\n`,
    `3\r\nabc\r\na\r\n0123456789\r\n${END}`,
  ),
  chunks(
    'RFC 9112 section 7.1: bytes of a chunk are any bytes',
    '6\r\n\0\r\n\r\n0\r\n0\r\n\r\n',
    '6\r\n\0\r\n\r\n0\r\n0\r\n\r\n',
  ),
  chunks(
    'RFC 9112 section 7.1.1: an extension goes no further',
    `3;a=b\r\nabc\r\n0;last\r\n\r\n`,
    `3\r\nabc\r\n${END}`,
  ),
  chunks('RFC 9112 section 7.1.1: a quoted extension', '3;a="b;\\"\t"\r\nabc\r\n0\r\n\r\n', `3\r\nabc\r\n${END}`),
  chunks(
    'RFC 9112 section 7.1.1: white space in an extension',
    '3 ;\ta = b ; c\r\nabc\r\n0\r\n\r\n',
    `3\r\nabc\r\n${END}`,
  ),
  chunks('6 of the rules: an extension of 256 bytes', `3;${'a'.repeat(255)}\r\nabc\r\n${END}`, `3\r\nabc\r\n${END}`),
  badChunks('6 of the rules: an extension of 257 bytes', `3;${'a'.repeat(256)}\r\nabc\r\n${END}`),
  badChunks('6 of the rules: extensions by the thousand', `1;${'a'.repeat(250)}\r\na\r\n`.repeat(70) + END),
  ['RFC 9112 section 8: chunks that do not come to their end', chunked('3\r\nabc\r\n'), incomplete],
  ['RFC 9112 section 8: a chunk that does not come to its end', chunked('9\r\nabc\r\n'), incomplete],
  ['RFC 9112 section 8: no empty line behind the last chunk', chunked('0\r\n'), incomplete],
  badChunks('RFC 9112 section 7.1: no size', `\r\nabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1: a size with a sign', `+3\r\nabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1: a negative size', `-3\r\nabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1: 0x', `0x3\r\nabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1: _ in a size', `1_0\r\n${'a'.repeat(16)}\r\n${END}`),
  badChunks('RFC 9112 section 7.1: no hex digit', `g\r\nabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1: white space before a size', ` 3\r\nabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1: white space behind a size', `3 \r\nabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1: white space within a size', `1 0\r\n${'a'.repeat(16)}\r\n${END}`),
  badChunks('RFC 9112 section 7.1: a tab behind a size', `3\t\r\nabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1: a comma behind a size', `3,\r\nabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1: NUL behind a size', `3\0\r\nabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1: a size that wraps 64 bits to 3', `10000000000000003\r\nabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1: a size that wraps 32 bits, in many digits', `00000000000000003\r\nabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1: a size beyond any number', `ffffffffffffffff\r\nabc\r\n${END}`),
  badChunks('CVE-2025-22871: a bare LF behind a size', `3\nabc\r\n${END}`),
  badChunks('CVE-2025-22871: a bare CR behind a size', `3\rabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1: CR and not LF behind a size', `3\rXabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1: CR and not LF behind a chunk', `3\r\nabc\rX${END}`),
  badChunks('RFC 9112 section 7.1.1: CR and not LF behind an extension', `3;a\rXabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1: a bare LF behind a chunk', `3\r\nabc\n${END}`),
  badChunks('RFC 9112 section 7.1: a bare CR behind a chunk', `3\r\nabc\r${END}`),
  badChunks('RFC 9112 section 7.1: no line end behind a chunk', `3\r\nabc${END}`),
  badChunks('RFC 9112 section 7.1: two bytes that are no line end behind a chunk', `3\r\nabcXX${END}`),
  badChunks('RFC 9112 section 7.1: a chunk longer than its size', `3\r\nabcd\r\n${END}`),
  badChunks('RFC 9112 section 7.1: a bare LF behind the last chunk', '0\n\n'),
  badChunks('RFC 9112 section 7.1: a bare LF for the empty line', '0\r\n\n'),
  badChunks('RFC 9112 section 7.1: a bare CR for the empty line', '0\r\n\rX\r\n\r\n'),
  badChunks('RFC 9112 section 7.1.1: an extension without a name', `3;\r\nabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1.1: an extension with a value and no name', `3;=b\r\nabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1.1: an extension without a value', `3;a=\r\nabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1.1: a quote that does not close', `3;a="b\r\nabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1.1: something behind a quote', `3;a="b"c\r\nabc\r\n${END}`),
  badChunks('CVE-2025-55315: a bare LF in an extension', `3;a\nabc\r\n${END}`),
  badChunks('CVE-2025-55315: a bare LF in a quoted extension', `3;a="\n"\r\nabc\r\n${END}`),
  badChunks('CVE-2025-55315: a bare CR in an extension', `3;a\rb\r\nabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1.1: NUL in an extension', `3;a\0\r\nabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1.1: an extension that is no token', `3;a(b\r\nabc\r\n${END}`),
  badChunks('RFC 9112 section 7.1: a request where a size belongs', SMUGGLED),
  ['RFC 9112 section 7.1: what follows a malformed body is not read', `${chunked('zz\r\n')}${SMUGGLED}`, refused(400)],
  [
    'RFC 9112 section 9.3: the second of two requests has a malformed body',
    `${get()}${chunked('zz\r\n')}`,
    forwardedThenRefused(400, get()),
  ],
];

const trailer = (requirement: string, sent: string, out = sent): RequestRow => [
  requirement,
  chunked(`3\r\nabc\r\n0\r\n${sent}\r\n`),
  forwarded(chunked(`3\r\nabc\r\n0\r\n${out}\r\n`)),
];
const badTrailer = (requirement: string, sent: string): RequestRow => [
  requirement,
  chunked(`3\r\nabc\r\n0\r\n${sent}\r\n`),
  refused(400),
];
const FORBIDDEN = [
  ...['Content-Length: 5', 'Transfer-Encoding: chunked', 'Host: b.test', 'Authorization: x', 'Cookie: a=b', 'TE: x'],
  ...['Connection: close', 'Trailer: X', 'Upgrade: x', 'Expect: 100-continue', 'Range: bytes=0-', 'Cache-Control: x'],
  ...['Content-Type: a/b', 'Content-Encoding: gzip', 'Set-Cookie: a=b', 'X-Forwarded-For: 1.2.3.4', 'Max-Forwards: 1'],
];

export const TRAILER_ROWS: readonly RequestRow[] = [
  trailer('RFC 9112 section 7.1.2: trailers are forwarded', 'X: y\r\nZ:\r\n'),
  trailer('6.5: a trailer with _ is left out', 'X_Y: z\r\nA: b\r\nC_D: e\r\n', 'A: b\r\n'),
  ...FORBIDDEN.map((field) =>
    badTrailer(`RFC 9110 section 6.5.1: ${field.slice(0, field.indexOf(':'))} is no trailer`, `${field}\r\n`),
  ),
  badTrailer('RFC 9110 section 6.5.1: whatever the case', 'cOnTeNt-LeNgTh: 5\r\n'),
  badTrailer('RFC 9112 section 7.1.2: white space before the colon', 'X : y\r\n'),
  badTrailer('RFC 9112 section 7.1.2: a fold', 'X: y\r\n z\r\n'),
  badTrailer('RFC 9112 section 7.1.2: a line without a colon', 'Nonsense\r\n'),
  badTrailer('RFC 9112 section 7.1.2: an empty name', ': y\r\n'),
  badTrailer('RFC 9112 section 7.1.2: a bare LF', 'X: y\nZ: a\r\n'),
  badTrailer('RFC 9112 section 7.1.2: a bare CR', 'X: y\rZ: a\r\n'),
  badTrailer('RFC 9112 section 7.1.2: NUL', 'X: \0\r\n'),
  badTrailer('RFC 9112 section 7.1.2: a request for trailers', SMUGGLED.slice(0, -2)),
  badTrailer(
    '6 of the rules: more than 8 KiB of trailers',
    `${'X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n'.repeat(99)}Z: ${'z'.repeat(8000)}\r\n`,
  ),
  badTrailer('6 of the rules: more than 100 trailers', 'X: y\r\n'.repeat(101)),
];

export const PIPELINE_ROWS: readonly RequestRow[] = [
  [
    'RFC 9112 section 9.3.2: pipelined requests are answered in order',
    get('', '/1') + get('', '/2') + length('5') + get('', '/3'),
    forwarded(get('', '/1'), get('', '/2'), length('5'), get('', '/3')),
  ],
  [
    'RFC 9112 section 2.2: an empty line between two requests',
    `${get('', '/1')}\r\n${get('', '/2')}`,
    forwarded(get('', '/1'), get('', '/2')),
  ],
  [
    'RFC 9112 section 9.3.2: a malformed one ends the pipeline',
    `${get('', '/1')}GET /2 HTTP/1.1\r\nHost : a\r\n\r\n${get('', '/3')}`,
    forwardedThenRefused(400, get('', '/1')),
  ],
  [
    'RFC 9112 section 9.3.2: garbage ends the pipeline',
    `${get('', '/1')}\0\0\0\0`,
    forwardedThenRefused(400, get('', '/1')),
  ],
  ['RFC 9112 section 9.3.2: nothing behind a refusal is read', `GET / HTTP/1.1\r\n\r\n${SMUGGLED}`, refused(400)],
  [
    'RFC 9112 section 6.3: a length of 0 hides nothing',
    `${length('0', '')}${get('', '/2')}`,
    forwarded(length('0', ''), get('', '/2')),
  ],
];
