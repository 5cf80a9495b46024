import { describe, expect, it } from 'vitest';
import { BodyKind } from '../../../src/l7/h1/head-fields.ts';
import { Method, RequestHead, TargetForm } from '../../../src/l7/h1/request-head.ts';
import { parseRequestHead } from '../../../src/l7/h1/request-parser.ts';
import { fieldsOf, LIMITS, parseRequestEverywhere, textOf } from './parse-everywhere.ts';

const HOST = 'Host: a.example\r\n';
const get = (fields: string) => `GET / HTTP/1.1\r\n${HOST}${fields}\r\n`;
const line = (requestLine: string) => `${requestLine}\r\n${HOST}\r\n`;
const target = (text: string) => line(`GET ${text} HTTP/1.1`);

describe('a request head that is sound', () => {
  it.each([
    ['the least one', get('')],
    ['HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n'],
    ['an empty line before it', `\r\n${get('')}`],
    ['a method nobody knows', line('BREW /pot HTTP/1.1')],
    ['a method of every kind of token character', line("!#$%&'*+-.^_`|~09azAZ / HTTP/1.1")],
    ['an empty value', get('X:\r\n')],
    ['a value of white space', get('X: \t \r\n')],
    ['bytes above 127 in a value', get('X: \x80\xff\r\n')],
    ['a tab within a value', get('X: a\tb\r\n')],
    ['a name of every kind of token character', get("!#$%&'*+-.^`|~09azAZ: x\r\n")],
    ['brackets in a path', target('/foo/[61:27]/:foo')],
    ['what browsers leave raw in a query', target('/?a={|}^`"<>\\&b[]=?')],
    ['an escape in a path', target('/a%20b')],
    ['the asterisk form', line('OPTIONS * HTTP/1.1')],
    ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n'],
    ['an expectation of 100', get('Expect: 100-Continue\r\n')],
    ['an absolute target', target('http://a.example/x')],
    ['an absolute target with the default port', target('http://a.example:80/x')],
    ['an absolute target in other case', target('HTTP://A.Example./x')],
    ['an absolute target without a path', target('http://a.example?q')],
    ['an absolute target in HTTP/1.0, without Host', 'GET http://b.example/ HTTP/1.0\r\n\r\n'],
  ])('accepts %s', (_, text) => {
    expect(parseRequestEverywhere(text).result).toBe('ok');
  });
});

describe('a request head that is not', () => {
  it.each([
    ['malformed_request', 'two empty lines before it', `\r\n\r\n${get('')}`],
    ['malformed_request', 'a bare LF before it', `\n${get('')}`],
    ['malformed_request', 'a bare CR before it', `\r${get('')}`],
    ['malformed_request', 'an empty method', line(' / HTTP/1.1')],
    ['malformed_request', 'a method that is no token', line('G@T / HTTP/1.1')],
    ['malformed_request', 'a NUL in the method', line('G\0T / HTTP/1.1')],
    ['malformed_request', 'an empty target', line('GET  HTTP/1.1')],
    ['malformed_request', 'two spaces before the target', line('GET  / HTTP/1.1')],
    ['malformed_request', 'two spaces after the target', line('GET /  HTTP/1.1')],
    ['malformed_request', 'a tab for a space', line('GET\t/ HTTP/1.1')],
    ['malformed_request', 'a tab for the second space', line('GET /\tHTTP/1.1')],
    ['malformed_request', 'a space after the version', line('GET / HTTP/1.1 ')],
    ['malformed_request', 'no version', line('GET /')],
    ['malformed_request', 'a version in lower case', line('GET / http/1.1')],
    ['malformed_request', 'a version with two digits', line('GET / HTTP/1.10')],
    ['malformed_request', 'a version without a dot', line('GET / HTTP/1x1')],
    ['malformed_request', 'another protocol', line('GET / HTTP 1.1')],
    ['version_refused', 'HTTP/2.0', line('PRI * HTTP/2.0')],
    ['version_refused', 'HTTP/1.2', line('GET / HTTP/1.2')],
    ['version_refused', 'HTTP/0.9', line('GET / HTTP/0.9')],
    ['malformed_request', 'a fragment', target('/a#b')],
    ['malformed_request', 'a fragment after a query', target('/a?b#c')],
    ['malformed_request', 'a backslash in the path', target('/a\\b')],
    ['malformed_request', 'a NUL in the path', target('/a\0b')],
    ['malformed_request', 'DEL in the query', target('/?\x7f')],
    ['malformed_request', 'a byte above 127 in the target', target('/caf\xe9')],
    ['malformed_request', 'a target without a slash', target('a/b')],
    ['malformed_request', 'the authority form', target('a.example:80')],
    ['malformed_request', 'an asterisk for GET', target('*')],
    ['malformed_request', 'an asterisk with more', line('OPTIONS *a HTTP/1.1')],
    ['malformed_request', 'a scheme that is not ours', target('https://a.example/')],
    ['malformed_request', 'a scheme that nobody speaks', target('ftp://a.example/')],
    ['malformed_request', 'a scheme without an authority', target('http:///x')],
    ['malformed_request', 'nothing after a scheme', target('http://')],
    ['malformed_request', 'a scheme with one slash', target('http:/a.example/')],
    ['method_refused', 'CONNECT', line('CONNECT a.example:443 HTTP/1.1')],
    ['method_refused', 'CONNECT with a path', line('CONNECT / HTTP/1.1')],
    ['malformed_request', 'a bare LF after the request line', `GET / HTTP/1.1\n${HOST}\r\n`],
    ['malformed_request', 'a bare CR after the request line', `GET / HTTP/1.1\r${HOST}\r\n`],
    ['malformed_request', 'a bare LF after a field', get('X: a\n')],
    ['malformed_request', 'a bare LF at the end', `GET / HTTP/1.1\r\n${HOST}\n`],
    ['malformed_request', 'a bare CR at the end', `GET / HTTP/1.1\r\n${HOST}\rX`],
    ['malformed_request', 'a bare CR in a value', get('X: a\rb\r\n')],
    ['malformed_request', 'two CRs', get('X: a\r\r\n')],
    ['malformed_request', 'a NUL in a value', get('X: a\0b\r\n')],
    ['malformed_request', 'a control in a value', get('X: a\x0bb\r\n')],
    ['malformed_request', 'DEL in a value', get('X: a\x7f\r\n')],
    ['malformed_request', 'an empty name', get(': a\r\n')],
    ['malformed_request', 'a space before the colon', get('X : a\r\n')],
    ['malformed_request', 'a tab before the colon', get('X\t: a\r\n')],
    ['malformed_request', 'no colon', get('X\r\n')],
    ['malformed_request', 'a name that is no token', get('X@: a\r\n')],
    ['malformed_request', 'a byte above 127 in a name', get('X\xe9: a\r\n')],
    ['malformed_request', 'a folded value', get('X: a\r\n b\r\n')],
    ['malformed_request', 'a value folded with a tab', get('X: a\r\n\tb\r\n')],
    ['malformed_request', 'white space before the first field', `GET / HTTP/1.1\r\n ${HOST}\r\n`],
    ['host_refused', 'no Host', 'GET / HTTP/1.1\r\n\r\n'],
    ['host_refused', 'two Hosts', get('host: a.example\r\n')],
    ['host_refused', 'two Hosts in HTTP/1.0', `GET / HTTP/1.0\r\n${HOST}${HOST}\r\n`],
    ['host_refused', 'a Host with user-info', 'GET / HTTP/1.1\r\nHost: u@a.example\r\n\r\n'],
    ['host_refused', 'a Host with a path', 'GET / HTTP/1.1\r\nHost: a.example/x\r\n\r\n'],
    ['host_refused', 'an absolute target without Host', 'GET http://a.example/ HTTP/1.1\r\n\r\n'],
    ['host_refused', 'an authority that is not the Host', target('http://b.example/')],
    ['host_refused', 'an authority with another port', target('http://a.example:8080/')],
    ['host_refused', 'an authority with user-info', target('http://u@a.example/')],
    ['host_refused', 'an authority against an empty Host', 'GET http://a.example/ HTTP/1.1\r\nHost:\r\n\r\n'],
    ['expectation_refused', 'an expectation nobody knows', get('Expect: 200-ok\r\n')],
    ['expectation_refused', 'two expectations', get('Expect: 100-continue\r\nExpect: 100-continue\r\n')],
    ['expectation_refused', 'an empty expectation', get('Expect:\r\n')],
  ])('%s: %s', (code, _, text) => {
    expect(parseRequestEverywhere(text).result).toBe(code);
  });

  it('refuses at the byte that is wrong, without waiting for the rest', () => {
    expect(parseRequestEverywhere('GET / HTTP/1.1\r\nX : ').result).toBe('malformed_request');
    expect(parseRequestEverywhere('GET / HTTP/3.0').result).toBe('version_refused');
  });

  it('wants the scheme of a listener that ends TLS to be https', () => {
    expect(parseRequestEverywhere(target('https://a.example:443/'), LIMITS, true).result).toBe('ok');
    expect(parseRequestEverywhere(target('http://a.example/'), LIMITS, true).result).toBe('malformed_request');
  });

  it('needs more bytes for every piece of a sound head', () => {
    const text = `\r\n${get('X: a\r\n')}`;
    for (let length = 0; length < text.length; length++) {
      expect(parseRequestEverywhere(text.slice(0, length)).result).toBe('incomplete');
    }
  });
});

describe('what a request head says', () => {
  it('finds the parts of the request line', () => {
    const { head, bytes } = parseRequestEverywhere(line('POST /a/b?c=d?e HTTP/1.1'));
    expect(textOf(bytes, head.methodStart, head.methodEnd)).toBe('POST');
    expect(head.method).toBe(Method.POST);
    expect(textOf(bytes, head.targetStart, head.targetEnd)).toBe('/a/b?c=d?e');
    expect(textOf(bytes, head.pathStart, head.pathEnd)).toBe('/a/b');
    expect(textOf(bytes, head.queryStart, head.queryEnd)).toBe('?c=d?e');
    expect(head.targetForm).toBe(TargetForm.ORIGIN);
    expect(head.authorityStart).toBe(head.authorityEnd);
    expect(head.versionMinor).toBe(1);
  });

  it.each(Object.entries(Method).filter(([name]) => name !== 'OTHER' && name !== 'CONNECT'))(
    'knows %s, but not in other case, nor what begins like it',
    (name, method) => {
      expect(parseRequestEverywhere(line(`${name} / HTTP/1.1`)).head.method).toBe(method);
      for (const other of [name.toLowerCase(), `${name}X`, name.slice(0, -1), `${name.slice(0, -1)}_`]) {
        expect(parseRequestEverywhere(line(`${other} / HTTP/1.1`)).head.method).toBe(Method.OTHER);
      }
    },
  );

  it('takes an absolute target apart', () => {
    const { head, bytes } = parseRequestEverywhere(target('http://a.example:80/x/y?z'));
    expect(head.targetForm).toBe(TargetForm.ABSOLUTE);
    expect(textOf(bytes, head.authorityStart, head.authorityEnd)).toBe('a.example:80');
    expect(textOf(bytes, head.pathStart, head.pathEnd)).toBe('/x/y');
    expect(textOf(bytes, head.queryStart, head.queryEnd)).toBe('?z');
  });

  it('finds an empty path where an absolute target has none', () => {
    const { head, bytes } = parseRequestEverywhere(target('http://a.example?z/y'));
    expect(head.pathStart).toBe(head.pathEnd);
    expect(textOf(bytes, head.authorityStart, head.authorityEnd)).toBe('a.example');
    expect(textOf(bytes, head.queryStart, head.queryEnd)).toBe('?z/y');
  });

  it('finds the host to route by', () => {
    const hostOf = (text: string) => {
      const { head, bytes } = parseRequestEverywhere(text);
      return textOf(bytes, head.hostStart, head.hostEnd);
    };
    expect(hostOf('GET / HTTP/1.1\r\nHost: A.Example.:8080\r\n\r\n')).toBe('A.Example');
    expect(hostOf('GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n')).toBe('[::1]');
    expect(hostOf('GET http://b.example:81/ HTTP/1.0\r\n\r\n')).toBe('b.example');
    expect(hostOf('GET / HTTP/1.0\r\n\r\n')).toBe('');
  });

  it('keeps the fields in their order, without the white space around values', () => {
    const { head, bytes } = parseRequestEverywhere(get('A:1\r\nB: \t two words \t\r\nc:\r\n'));
    expect(fieldsOf(bytes, head)).toEqual([
      ['Host', 'a.example'],
      ['A', '1'],
      ['B', 'two words'],
      ['c', ''],
    ]);
    expect(textOf(bytes, head.fieldsStart, head.fieldsEnd)).toBe(
      'Host: a.example\r\nA:1\r\nB: \t two words \t\r\nc:\r\n',
    );
  });

  it('counts an empty line before it to its length, and nothing after it', () => {
    const text = `\r\n${get('')}`;
    const { head } = parseRequestEverywhere(`${text}GET /next HTTP/1.1\r\n`);
    expect(head.length).toBe(text.length);
  });

  it('forgets the request before', () => {
    const head = new RequestHead();
    const first = Buffer.from(
      `POST http://a.example/x HTTP/1.1\r\n${HOST}Content-Length: 5\r\nConnection: close, x\r\nExpect: 100-continue\r\nUpgrade: a\r\nKeep-Alive: 1\r\nTE: a\r\n\r\n`,
    );
    const second = Buffer.from('GET / HTTP/1.0\r\n\r\n');
    const fresh = new RequestHead();
    parseRequestHead(first, 0, first.length, LIMITS, head);
    parseRequestHead(second, 0, second.length, LIMITS, head);
    parseRequestHead(second, 0, second.length, LIMITS, fresh);
    expect({ ...head, headers: null }).toEqual({ ...fresh, headers: null });
  });

  it('notes whether the client waits for a 100, which HTTP/1.0 cannot', () => {
    expect(parseRequestEverywhere(get('Expect: 100-continue\r\n')).head.expectsContinue).toBe(1);
    expect(parseRequestEverywhere('GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n').head.expectsContinue).toBe(0);
    expect(parseRequestEverywhere(get('')).head.expectsContinue).toBe(0);
  });

  it.each([
    [1, 'Upgrade: websocket\r\nConnection: Upgrade\r\n'],
    [1, 'Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\n'],
    [0, 'Upgrade: websocket\r\n'],
    [0, 'Connection: upgrade\r\n'],
    [0, 'Upgrade:\r\nConnection: upgrade\r\n'],
    [0, 'Upgrade: h2c\r\nConnection: upgrade\r\n'],
    [0, 'Upgrade: websocket, H2C\r\nConnection: upgrade\r\n'],
    [0, 'Upgrade: websocket\r\nUpgrade: h2c\r\nConnection: upgrade\r\n'],
  ])('wants an upgrade: %i for %j', (wanted, fields) => {
    const { result, head } = parseRequestEverywhere(get(fields));
    expect([result, head.wantsUpgrade]).toEqual(['ok', wanted]);
  });
});

describe('limits of a request head', () => {
  const limits = { headMaxBytes: 190, headersMaxCount: 3, lineMaxBytes: 60 };
  const verdict = (text: string) => parseRequestEverywhere(text, limits).result;
  const requestLineOf = (bytes: number) => `GET /${'a'.repeat(bytes - 'GET / HTTP/1.1\r\n'.length)} HTTP/1.1\r\n`;
  const fieldOf = (bytes: number, name = 'X') => `${name}:${'b'.repeat(bytes - name.length - 3)}\r\n`;

  it('takes a request line of just the limit, and no byte more', () => {
    expect(requestLineOf(60)).toHaveLength(60);
    expect(verdict(`${requestLineOf(60)}${HOST}\r\n`)).toBe('ok');
    expect(verdict(`${requestLineOf(61)}${HOST}\r\n`)).toBe('target_too_long');
    expect(verdict(requestLineOf(61).slice(0, 60))).toBe('target_too_long');
    expect(verdict(requestLineOf(61).slice(0, 59))).toBe('incomplete');
    expect(verdict(`${'A'.repeat(60)}`)).toBe('target_too_long');
  });

  it('says that a line is too long rather than what is wrong beyond the limit', () => {
    expect(verdict(`GET /${'a'.repeat(54)}\0`)).toBe('malformed_request');
    expect(verdict(`GET /${'a'.repeat(55)}\0`)).toBe('target_too_long');
    expect(verdict(`GET / HTTP/1.1\r\nX:${'a'.repeat(57)}\0`)).toBe('malformed_request');
    expect(verdict(`GET / HTTP/1.1\r\nX:${'a'.repeat(58)}\0`)).toBe('head_too_large');
  });

  it('takes a field line of just the limit, and no byte more', () => {
    expect(verdict(`GET / HTTP/1.1\r\n${HOST}${fieldOf(60)}\r\n`)).toBe('ok');
    expect(verdict(`GET / HTTP/1.1\r\n${HOST}${fieldOf(61)}\r\n`)).toBe('head_too_large');
    expect(verdict(`GET / HTTP/1.1\r\n${HOST}${fieldOf(61, 'N'.repeat(58))}\r\n`)).toBe('head_too_large');
  });

  it('takes just as many fields as the limit says', () => {
    expect(verdict(`GET / HTTP/1.1\r\n${HOST}A:\r\nB:\r\n\r\n`)).toBe('ok');
    expect(verdict(`GET / HTTP/1.1\r\n${HOST}A:\r\nB:\r\nC:\r\n\r\n`)).toBe('head_too_large');
  });

  it('takes a head of just the limit, and no byte more', () => {
    const start = `${requestLineOf(60)}${HOST}${fieldOf(60)}`;
    const rest = 190 - start.length - 2;
    expect(verdict(`${start}${fieldOf(rest)}\r\n`)).toBe('ok');
    expect(verdict(`${start}${fieldOf(rest + 1)}\r\n`)).toBe('head_too_large');
    expect(verdict(`${start}${fieldOf(rest)}\r\n`.slice(0, 189))).toBe('incomplete');
    expect(verdict(`${start}${fieldOf(rest)}\r\nand a body that does not count`)).toBe('ok');
  });

  it('never keeps more fields than it has room for', () => {
    const text = Buffer.from(`GET / HTTP/1.1\r\n${HOST}A:\r\nB:\r\n\r\n`);
    expect(parseRequestHead(text, 0, text.length, LIMITS, new RequestHead(3))).toBe(text.length);
    expect(parseRequestHead(text, 0, text.length, LIMITS, new RequestHead(2))).toBeLessThan(0);
  });
});

describe('the body that a request head announces', () => {
  const framing = (fields: string, version = '1.1') =>
    parseRequestEverywhere(`POST / HTTP/${version}\r\n${HOST}${fields}\r\n`);

  it.each([
    ['nothing', '', BodyKind.NONE, -1],
    ['a length', 'Content-Length: 42\r\n', BodyKind.LENGTH, 42],
    ['a length of 0', 'content-length:0\r\n', BodyKind.NONE, 0],
    ['a length with zeros before it', 'Content-Length: 007\r\n', BodyKind.LENGTH, 7],
    ['the longest length', 'Content-Length: 999999999999999\r\n', BodyKind.LENGTH, 999_999_999_999_999],
    ['chunks', 'Transfer-Encoding: chunked\r\n', BodyKind.CHUNKED, -1],
    ['chunks in other case', 'transfer-encoding:\t ChunKED \t\r\n', BodyKind.CHUNKED, -1],
  ])('%s', (_, fields, kind, length) => {
    const { result, head } = framing(fields);
    expect([result, head.bodyKind, head.contentLength]).toEqual(['ok', kind, length]);
  });

  it.each([
    '',
    '+1',
    '-1',
    ' 1 1',
    '1,1',
    '1, 1',
    '0x10',
    '1_0',
    '1.0',
    '1e3',
    '1;',
    'a',
    '\xb2',
    '1000000000000000',
    '"1"',
  ])('refuses the length %j', (value) => {
    expect(framing(`Content-Length: ${value}\r\n`).result).toBe('framing_refused');
  });

  it.each([
    ['two lengths', 'Content-Length: 1\r\nContent-Length: 2\r\n'],
    ['two equal lengths', 'Content-Length: 1\r\nX: y\r\nContent-Length: 1\r\n'],
    ['a length and chunks', 'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n'],
    ['chunks and a length', 'Transfer-Encoding: chunked\r\nContent-Length: 1\r\n'],
    ['an unknown coding and a length', 'Transfer-Encoding: gzip\r\nContent-Length: 1\r\n'],
    ['chunks twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'],
    ['chunks and another coding', 'Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n'],
    ['a list of codings', 'Transfer-Encoding: gzip, chunked\r\n'],
    ['a list that begins with nothing', 'Transfer-Encoding: ,chunked\r\n'],
    ['a quoted coding', 'Transfer-Encoding: "chunked"\r\n'],
    ['a coding with a parameter', 'Transfer-Encoding: chunked;q=1\r\n'],
    ['a coding of two words', 'Transfer-Encoding: x chunked\r\n'],
    ['an empty coding', 'Transfer-Encoding:\r\n'],
  ])('refuses %s', (_, fields) => {
    expect(framing(fields).result).toBe('framing_refused');
  });

  it.each(['gzip', 'identity', 'xchunked', 'chunkedx', 'chunke'])('does not know the coding %s', (coding) => {
    expect(framing(`Transfer-Encoding: ${coding}\r\n`).result).toBe('transfer_coding_unknown');
  });

  it('refuses chunks in HTTP/1.0', () => {
    expect(framing('Transfer-Encoding: chunked\r\n', '1.0').result).toBe('framing_refused');
  });

  it('is not fooled by names that resemble', () => {
    const { result, head } = framing('Content_Length: 5\r\nContent-Lengt: 6\r\nXTransfer-Encoding: chunked\r\n');
    expect([result, head.bodyKind]).toEqual(['ok', BodyKind.NONE]);
  });
});
