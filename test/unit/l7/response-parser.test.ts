import { describe, expect, it } from 'vitest';
import { BodyKind } from '../../../src/l7/h1/head-fields.ts';
import { Method } from '../../../src/l7/h1/request-head.ts';
import { fieldsOf, parseResponseEverywhere, textOf } from './parse-everywhere.ts';

const ok = (fields: string) => `HTTP/1.1 200 OK\r\n${fields}\r\n`;

describe('a response head that is sound', () => {
  it.each([
    ['the least one', 'HTTP/1.1 200\r\n\r\n'],
    ['an empty reason', 'HTTP/1.1 200 \r\n\r\n'],
    ['a reason that begins with a space', 'HTTP/1.1 200  OK\r\n\r\n'],
    ['a reason of any bytes but controls', 'HTTP/1.1 500 Ori\xebntatie\tprobleem\r\n\r\n'],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\n'],
    ['an empty line before it', '\r\nHTTP/1.1 200 OK\r\n\r\n'],
    ['the lowest status', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['the highest status', 'HTTP/1.1 599 X\r\n\r\n'],
    ['fields with `_` in their names', ok('a_b: c\r\n')],
  ])('accepts %s', (_, text) => {
    expect(parseResponseEverywhere(text).result).toBe('ok');
  });

  it('finds status, reason and fields', () => {
    const { head, bytes } = parseResponseEverywhere('HTTP/1.0 404 Not Found\r\nA: b \r\n\r\nbody');
    expect([head.versionMinor, head.status, head.length]).toEqual([
      0,
      404,
      'HTTP/1.0 404 Not Found\r\nA: b \r\n\r\n'.length,
    ]);
    expect(textOf(bytes, head.reasonStart, head.reasonEnd)).toBe('Not Found');
    expect(fieldsOf(bytes, head)).toEqual([['A', 'b']]);
  });

  it('needs more bytes for every piece of it', () => {
    const text = '\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n';
    for (let length = 0; length < text.length; length++) {
      expect(parseResponseEverywhere(text.slice(0, length)).result).toBe('incomplete');
    }
  });
});

describe('a response head that is not', () => {
  it.each([
    ['two empty lines before it', '\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'],
    ['a bare LF before it', '\nHTTP/1.1 200 OK\r\n\r\n'],
    ['another protocol', 'HTTPX/1.1 200 OK\r\n\r\n'],
    ['another version', 'HTTP/1.2 200 OK\r\n\r\n'],
    ['HTTP/2', 'HTTP/2.0 200 OK\r\n\r\n'],
    ['two spaces before the status', 'HTTP/1.1  200 OK\r\n\r\n'],
    ['a tab before the status', 'HTTP/1.1\t200 OK\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['a status below 100', 'HTTP/1.1 099 OK\r\n\r\n'],
    ['a status above 599', 'HTTP/1.1 600 OK\r\n\r\n'],
    ['a status that is no number', 'HTTP/1.1 2x0 OK\r\n\r\n'],
    ['a letter after the status', 'HTTP/1.1 200X\r\n\r\n'],
    ['a NUL in the reason', 'HTTP/1.1 200 O\0K\r\n\r\n'],
    ['a bare LF after the status line', 'HTTP/1.1 200 OK\nA: b\r\n\r\n'],
    ['a bare CR in the status line', 'HTTP/1.1 200 OK\rA: b\r\n\r\n'],
    ['a bare LF after a field', ok('A: b\n')],
    ['a bare CR in a value', ok('A: b\rc\r\n')],
    ['a NUL in a value', ok('A: \0\r\n')],
    ['a folded value', ok('A: b\r\n c\r\n')],
    ['white space before the first field', ok(' A: b\r\n')],
    ['an empty name', ok(': b\r\n')],
    ['a space before the colon', ok('A : b\r\n')],
    ['no colon', ok('A\r\n')],
    ['a length and chunks', ok('Content-Length: 1\r\nTransfer-Encoding: chunked\r\n')],
    ['two lengths', ok('Content-Length: 1\r\nContent-Length: 1\r\n')],
    ['a length that is none', ok('Content-Length: +1\r\n')],
    ['an empty length', ok('Content-Length:\r\n')],
    ['another coding', ok('Transfer-Encoding: gzip\r\n')],
    ['a list of codings', ok('Transfer-Encoding: gzip, chunked\r\n')],
    ['chunks twice', ok('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n')],
    ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['contradictions even where there is no body', 'HTTP/1.1 204 X\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
  ])('refuses %s', (_, text) => {
    expect(parseResponseEverywhere(text).result).toBe('refused');
  });

  it('refuses what goes beyond a limit by one byte or field, and nothing less', () => {
    const limits = { headMaxBytes: 60, headersMaxCount: 2, lineMaxBytes: 30 };
    const verdict = (text: string) => parseResponseEverywhere(text, 0, limits).result;
    const statusLine = (bytes: number) => `HTTP/1.1 200 ${'a'.repeat(bytes - 15)}\r\n`;
    const field = (bytes: number) => `X:${'b'.repeat(bytes - 4)}\r\n`;
    expect(verdict(`${statusLine(30)}\r\n`)).toBe('ok');
    expect(verdict(`${statusLine(31)}\r\n`)).toBe('refused');
    expect(verdict(`${statusLine(20)}${field(30)}\r\n`)).toBe('ok');
    expect(verdict(`${statusLine(20)}${field(31)}\r\n`)).toBe('refused');
    expect(verdict(`${statusLine(28)}${field(30)}\r\n`)).toBe('ok');
    expect(verdict(`${statusLine(29)}${field(30)}\r\n`)).toBe('refused');
    expect(verdict(`${statusLine(20)}A:\r\nB:\r\n\r\n`)).toBe('ok');
    expect(verdict(`${statusLine(20)}A:\r\nB:\r\nC:\r\n\r\n`)).toBe('refused');
  });
});

describe('the body that a response has', () => {
  it.each([
    ['as long as it says', ok('Content-Length: 5\r\n'), Method.GET, BodyKind.LENGTH, 5],
    ['none if its length is 0', ok('Content-Length: 0\r\n'), Method.GET, BodyKind.NONE, 0],
    ['chunks', ok('Transfer-Encoding: chunked\r\n'), Method.GET, BodyKind.CHUNKED, -1],
    ['up to the end of the connection', ok(''), Method.GET, BodyKind.UNTIL_CLOSE, -1],
    ['none for HEAD, whatever its length', ok('Content-Length: 5\r\n'), Method.HEAD, BodyKind.NONE, 5],
    ['none for HEAD, chunked', ok('Transfer-Encoding: chunked\r\n'), Method.HEAD, BodyKind.NONE, -1],
    ['none for HEAD, without a length', ok(''), Method.HEAD, BodyKind.NONE, -1],
    ['none for 204', 'HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n', Method.GET, BodyKind.NONE, 5],
    ['none for 304', 'HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n', Method.GET, BodyKind.NONE, 5],
    ['none for 100', 'HTTP/1.1 100 Continue\r\n\r\n', Method.GET, BodyKind.NONE, -1],
    ['none for 101', 'HTTP/1.1 101 Go\r\nTransfer-Encoding: chunked\r\n\r\n', Method.GET, BodyKind.NONE, -1],
  ])('%s', (_, text, method, kind, length) => {
    const { result, head } = parseResponseEverywhere(text, method);
    expect([result, head.bodyKind, head.contentLength]).toEqual(['ok', kind, length]);
  });
});

describe('whether an upstream connection may be used again', () => {
  const LENGTH = 'Content-Length: 0\r\n';

  it.each([
    [1, 'in HTTP/1.1', ok(LENGTH)],
    [0, 'with close', ok(`${LENGTH}Connection: close\r\n`)],
    [0, 'with close among others', ok(`${LENGTH}Connection: x, Close\r\n`)],
    [0, 'in HTTP/1.0', `HTTP/1.0 200 OK\r\n${LENGTH}\r\n`],
    [1, 'in HTTP/1.0 with keep-alive', `HTTP/1.0 200 OK\r\n${LENGTH}Connection: keep-alive\r\n\r\n`],
    [0, 'if its end is the end of the body', ok('Connection: keep-alive\r\n')],
  ])('%i %s', (keepAlive, _, text) => {
    expect(parseResponseEverywhere(text).head.keepAlive).toBe(keepAlive);
  });

  it.each([
    [-1, ''],
    [5, 'Keep-Alive: timeout=5\r\n'],
    [5, 'Keep-Alive: Timeout=5, max=100\r\n'],
    [15, 'Keep-Alive: max=100, timeout=15\r\n'],
    [0, 'Keep-Alive: timeout=0\r\n'],
    [-1, 'Keep-Alive: timeout=\r\n'],
    [-1, 'Keep-Alive: timeout=x\r\n'],
    [-1, 'Keep-Alive: xtimeout=5\r\n'],
    [-1, 'Keep-Alive: 300\r\n'],
    [1_000_000, 'Keep-Alive: timeout=99999999999999999999\r\n'],
  ])('is told %i seconds by %j', (seconds, fields) => {
    expect(parseResponseEverywhere(ok(fields)).head.keepAliveTimeoutS).toBe(seconds);
  });
});
