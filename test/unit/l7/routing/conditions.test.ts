import { describe, expect, test } from 'vitest';
import type { FieldMatch, RouteMatch } from '../../../../src/contract/plan.ts';
import { ROUTE_NONE } from '../../../../src/l7/routing/router.ts';
import { ask, type Request, ranges, routerOf } from './ask.ts';

/** What the one route with this match takes of the requests, by place. */
function taken(match: RouteMatch, requests: readonly Request[]): number[] {
  const router = routerOf(match);
  return requests.flatMap((request, index) => (ask(router, request) === ROUTE_NONE ? [] : [index]));
}

function matchesAll(match: RouteMatch, requests: readonly Request[]): void {
  expect(taken(match, requests)).toEqual(requests.map((_, index) => index));
}

function matchesNone(match: RouteMatch, requests: readonly Request[]): void {
  expect(taken(match, requests)).toEqual([]);
}

const withLines = (...lines: string[]): Request => ({ lines });
const withTarget = (target: string): Request => ({ target });

describe('methods', () => {
  test('are any of those listed, with their case, known to us or not', () => {
    const match = { methods: ['GET', 'POST', 'Purge', 'PROPFIND'] };
    matchesAll(match, [{}, { method: 'POST' }, { method: 'Purge' }, { method: 'PROPFIND' }]);
    matchesNone(match, [
      { method: 'PURGE' },
      { method: 'get' },
      { method: 'GETS' },
      { method: 'PUT' },
      { method: 'GE' },
    ]);
  });
});

describe('a header', () => {
  const header = (match: FieldMatch): RouteMatch => ({ headers: [match] });

  test('is found by its name in any case, and compared with the case of its value', () => {
    const match = header({ name: 'x-canary', exact: 'True' });
    matchesAll(match, [withLines('X-Canary: True'), withLines('A: b', 'x-CANARY:True  ')]);
    matchesNone(match, [
      {},
      ...['x-canary: true', 'x-canary: Truer', 'x-canary: Tru', 'x-canary:', 'x-canary2: True'].map((line) =>
        withLines(line),
      ),
    ]);
  });

  test('that we know is found as well', () => {
    matchesAll(header({ name: 'user-agent', regex: '(?i)firefox' }), [withLines('User-Agent: Mozilla Firefox/9')]);
    matchesAll(header({ name: 'authorization', present: true }), [withLines('Authorization: Basic x')]);
  });

  test('on several lines is one value, joined by a comma', () => {
    const lines = withLines('x-a: one', 'x-b: y', 'X-A: two');
    matchesAll(header({ name: 'x-a', exact: 'one, two' }), [lines]);
    matchesAll(header({ name: 'x-a', regex: '^one, two$' }), [lines]);
    matchesNone(header({ name: 'x-a', exact: 'one' }), [lines]);
    matchesNone(header({ name: 'x-a', exact: 'two' }), [lines]);
  });

  test('that is empty is there', () => {
    matchesAll(header({ name: 'x-a', present: true }), [withLines('x-a:')]);
    matchesAll(header({ name: 'x-a', exact: '' }), [withLines('x-a: ')]);
    matchesNone(header({ name: 'x-a', exact: '' }), [{}]);
    matchesNone(header({ name: 'x-a', regex: '^$' }), [{}]);
  });

  test('is searched by a pattern, wherever it stands in the value', () => {
    const match = header({ name: 'x-a', regex: 'b+c' });
    matchesAll(match, [withLines('x-a: abbcd')]);
    matchesNone(match, [withLines('x-a: bb'), withLines('x-b: bc')]);
  });

  test('that Connection takes away is not there: no endpoint will see it', () => {
    const match = header({ name: 'x-a', exact: '1' });
    matchesNone(match, [withLines('Connection: x-a', 'x-a: 1')]);
    matchesAll(match, [withLines('Connection: x-b', 'x-a: 1')]);
  });

  test('beside another: both must match', () => {
    const match: RouteMatch = {
      headers: [
        { name: 'a', exact: '1' },
        { name: 'b', present: true },
      ],
    };
    matchesAll(match, [withLines('b: x', 'a: 1')]);
    matchesNone(match, [withLines('a: 1'), withLines('b: x'), withLines('a: 2', 'b: x')]);
  });
});

describe('a cookie', () => {
  const cookie = (match: FieldMatch): RouteMatch => ({ cookies: [match] });

  test('is found among others, with its case, whatever the blanks', () => {
    const match = cookie({ name: 'region', exact: 'us' });
    matchesAll(
      match,
      ['region=us', 'a=b; region=us', 'a=b;region=us;c=d', 'region = us ;', '; region=us', 'a; region=us'].map(
        (value) => withLines(`Cookie: ${value}`),
      ),
    );
    matchesAll(match, [withLines('Cookie: a=b', 'cookie: region=us')]);
    matchesNone(
      match,
      ['region=eu', 'Region=us', 'xregion=us', 'region=us2', 'region', 'a=region=us', 'regionx=us', ''].map((value) =>
        withLines(`Cookie: ${value}`),
      ),
    );
    matchesNone(match, [{}, withLines('x-cookie: region=us')]);
  });

  test('named twice counts once: the first', () => {
    const twice = withLines('Cookie: a=1; a=2');
    matchesAll(cookie({ name: 'a', exact: '1' }), [twice]);
    matchesNone(cookie({ name: 'a', exact: '2' }), [twice]);
  });

  test('may have a = in its value, or be empty, or be searched by a pattern', () => {
    matchesAll(cookie({ name: 'a', exact: 'b=c' }), [withLines('Cookie: a=b=c')]);
    matchesAll(cookie({ name: 'a', exact: '' }), [withLines('Cookie: a=')]);
    matchesAll(cookie({ name: 'a', present: true }), [withLines('Cookie: a=; b=c')]);
    matchesAll(cookie({ name: 'a', regex: '^v\\d' }), [withLines('Cookie: a=v12; b=c')]);
  });
});

describe('a parameter of the query', () => {
  const query = (match: FieldMatch): RouteMatch => ({ query: [match] });

  test('is found among others, with its case', () => {
    const match = query({ name: 'include', exact: 'profile' });
    matchesAll(match, ['/?include=profile', '/a?x=y&include=profile&z', '/?&include=profile&'].map(withTarget));
    matchesNone(
      match,
      [
        '/',
        '/?',
        '/include=profile',
        '/?Include=profile',
        '/?include=',
        '/?include',
        '/?xinclude=profile',
        '/?include=profiles',
        '/?a=include=profile',
      ].map(withTarget),
    );
  });

  test('is decoded for the comparison, name and value', () => {
    matchesAll(
      query({ name: 'a b', exact: 'c&d' }),
      ['/?a%20b=c%26d', '/?a+b=c%26d', '/?%61%20b=%63%26%64'].map(withTarget),
    );
    matchesAll(query({ name: 'a', exact: '\xc3\xa9' }), [withTarget('/?a=%C3%A9')]);
    matchesAll(query({ name: 'a', exact: '%zz%4' }), [withTarget('/?a=%zz%4')]);
    matchesAll(query({ name: 'a', regex: '^b c$' }), [withTarget('/?a=b+c')]);
  });

  test('named twice counts once: the first', () => {
    matchesAll(query({ name: 'a', exact: '1' }), [withTarget('/?a=1&a=2')]);
    matchesNone(query({ name: 'a', exact: '2' }), [withTarget('/?a=1&a=2')]);
  });

  test('without a value is there, and empty', () => {
    matchesAll(query({ name: 'a', present: true }), ['/?a', '/?a=', '/?b&a'].map(withTarget));
    matchesAll(query({ name: 'a', exact: '' }), ['/?a', '/?a='].map(withTarget));
  });

  test('of an absolute target is found as well', () => {
    matchesAll(query({ name: 'a', exact: 'b' }), [withTarget('http://h/x?a=b'), withTarget('http://h?a=b')]);
  });
});

describe('a source', () => {
  test('is any of the ranges that the client is in', () => {
    const match = { sources: ranges('10.0.0.0/8', '2001:db8::/32') };
    matchesAll(match, [{ client: '10.1.2.3' }, { client: '2001:db8::1' }]);
    matchesNone(match, [{ client: '11.0.0.1' }, { client: '2001:db9::1' }, { client: 'unix' }]);
  });
});

describe('a pattern of the path', () => {
  test('is searched in the normal form of the path, without the query', () => {
    const match = { pathRegex: '^/v[12]/.*\\.json$' };
    matchesAll(
      match,
      ['/v1/a.json', '/v2/a/b.json?c', '/x/../v1/a.json', '/%76%31/a.json', '//v1//.json'].map(withTarget),
    );
    matchesNone(match, ['/v3/a.json', '/v1/a.jsonx', '/a/v1/a.json', '/v1/a?b.json'].map(withTarget));
  });

  test('is found wherever the text it begins with ends', () => {
    for (const pathRegex of ['^/a/b/c', '^/a/b', '/c', '^/a/[b]', '(?i)^/A/B', '^/', '^/a/b/', '^']) {
      matchesAll({ pathRegex }, [withTarget('/a/b/c'), withTarget('/a/b/cd/e')]);
    }
    matchesNone({ pathRegex: '^/a/b/c' }, [withTarget('/a/b'), withTarget('/a/b/x')]);
  });

  test('does not match the asterisk of OPTIONS', () => {
    matchesNone({ pathRegex: '.' }, [{ method: 'OPTIONS', target: '*' }]);
    matchesAll({}, [{ method: 'OPTIONS', target: '*' }]);
  });

  test('that makes others backtrack is answered on a path of 1 MiB', () => {
    const router = routerOf({ pathRegex: '^(/(a|a)*)*[^/]b$' }, { pathRegex: '(.*a){5}!' });
    expect(ask(router, { target: `/${'a'.repeat(1024 * 1024)}c` })).toBe(ROUTE_NONE);
    expect(ask(router, { target: `/${'a'.repeat(1024 * 1024)}!` })).toBe(1);
  });
});
