import { describe, expect, it } from 'vitest';
import {
  CONNECTION_CLOSE,
  CONNECTION_KEEP_ALIVE,
  CONNECTION_OTHER,
  CONNECTION_UPGRADE,
  isNominated,
} from '../../../src/l7/h1/connection-options.ts';
import { fieldsOf, parseRequestEverywhere } from './parse-everywhere.ts';

const parse = (fields: string, version = '1.1') =>
  parseRequestEverywhere(`GET / HTTP/${version}\r\nHost: a\r\n${fields}\r\n`);

describe('Connection', () => {
  it.each([
    ['', 0],
    ['Connection: close\r\n', CONNECTION_CLOSE],
    ['connection: Keep-Alive\r\n', CONNECTION_KEEP_ALIVE],
    ['Connection: UPGRADE\r\n', CONNECTION_UPGRADE],
    ['Connection:\r\n', 0],
    ['Connection: , ,\t,\r\n', 0],
    ['Connection: te ,\tclose\r\n', CONNECTION_OTHER | CONNECTION_CLOSE],
    ['Connection: close x\r\n', CONNECTION_OTHER],
    ['Connection: upgrade\r\nA: b\r\nConnection: keep-alive\r\n', CONNECTION_UPGRADE | CONNECTION_KEEP_ALIVE],
    ['Connection: closed\r\n', CONNECTION_OTHER],
  ])('%j', (fields, options) => {
    expect(parse(fields).head.connectionOptions).toBe(options);
  });

  it.each([
    [1, '1.1', ''],
    [0, '1.1', 'Connection: close\r\n'],
    [0, '1.1', 'Connection: keep-alive, close\r\n'],
    [0, '1.1', 'Connection: keep-alive\r\nConnection: close\r\n'],
    [0, '1.0', ''],
    [1, '1.0', 'Connection: keep-alive\r\n'],
    [0, '1.0', 'Connection: keep-alive, close\r\n'],
  ])('keeps the connection: %i in HTTP/%s with %j', (keepAlive, version, fields) => {
    expect(parse(fields, version).head.keepAlive).toBe(keepAlive);
  });
});

describe('what Connection nominates', () => {
  const nominated = (fields: string) => {
    const { head, bytes } = parse(fields);
    return fieldsOf(bytes, head)
      .filter((_, index) => isNominated(head, bytes, index))
      .map(([name]) => name);
  };

  it('is removed, case ignored', () => {
    expect(nominated('X-a: 1\r\nX-b: 2\r\nConnection: close, x-A\r\nX-A: 3\r\n')).toEqual(['X-a', 'X-A']);
    expect(nominated('Connection: x-a\r\nConnection: X-b\r\nX-a: 1\r\nX-b: 2\r\nX-c: 3\r\n')).toEqual(['X-a', 'X-b']);
  });

  it('is nothing where it says only what concerns the connection', () => {
    expect(nominated('Close: 1\r\nConnection: close, keep-alive, upgrade\r\n')).toEqual([]);
    expect(nominated('X-a: 1\r\n')).toEqual([]);
  });

  it('is not what only begins alike', () => {
    expect(nominated('Connection: x-a\r\nX-ab: 1\r\nX: 2\r\n')).toEqual([]);
  });

  it.each([
    'Host',
    'Authorization',
    'Cookie',
    'X-Forwarded-For',
    'X-Forwarded-Proto',
    'X-Forwarded-Host',
    'X-Forwarded-Port',
    'X-Real-IP',
    'Forwarded',
    'Expect',
    'Cache-Control',
    'Content-Type',
    'Content-Encoding',
    'Range',
    'Via',
  ])('is never %s', (name) => {
    const fields = name === 'Host' ? '' : `${name}: ${name === 'Expect' ? '100-continue' : 'x'}\r\n`;
    const { head, bytes, result } = parse(`${fields}X: y\r\nConnection: ${name}, x\r\n`);
    expect(result).toBe('ok');
    const names = fieldsOf(bytes, head)
      .filter((_, index) => isNominated(head, bytes, index))
      .map(([field]) => field);
    expect(names).toEqual(['X']);
  });

  it('is never what frames the message', () => {
    expect(nominated('Content-Length: 1\r\nConnection: content-length\r\n')).toEqual([]);
    expect(nominated('Transfer-Encoding: chunked\r\nConnection: transfer-encoding\r\n')).toEqual([]);
  });
});
