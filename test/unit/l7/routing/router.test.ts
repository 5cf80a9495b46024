import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FieldMatch, RouteMatch } from '../../../../src/contract/plan.ts';
import { compileRoutes, ROUTE_NONE, type Router } from '../../../../src/l7/routing/router.ts';
import { ask, type Request, ranges, routerOf } from './ask.ts';

const at = (router: Router, host: string, target: string) => ask(router, { host, target });

describe('a router', () => {
  it('prefers an exact host to the longest wildcard to a shorter one to none', () => {
    const router = routerOf({}, { hosts: ['*.example'] }, { hosts: ['*.b.example'] }, { hosts: ['a.b.example'] });
    expect(at(router, 'a.b.example', '/')).toBe(3);
    expect(at(router, 'x.b.example', '/')).toBe(2);
    expect(at(router, 'x.y.b.example', '/')).toBe(2);
    expect(at(router, 'b.example', '/')).toBe(1);
    expect(at(router, 'example', '/')).toBe(0);
    expect(at(router, '', '/')).toBe(0);
    expect(at(router, 'xexample', '/')).toBe(0);
    expect(at(router, 'a.b.example.org', '/')).toBe(0);
  });

  it('ignores the case, the port and a trailing dot of hosts, but not the case of paths', () => {
    const router = routerOf({ hosts: ['a.example', '*.b'], path: '/x' });
    expect(at(router, 'A.Example', '/x')).toBe(0);
    expect(at(router, 'Z.B', '/x')).toBe(0);
    expect(at(router, 'a.example.:8080', '/x')).toBe(0);
    expect(at(router, 'a.example', '/X')).toBe(ROUTE_NONE);
  });

  it('prefers an exact path to a pattern to the longest prefix to none', () => {
    const router = routerOf(
      {},
      { path: '/*' },
      { path: '/a/*' },
      { path: '/a/b/*' },
      { path: '/a/b' },
      { pathRegex: '^/a/b/c' },
    );
    expect(at(router, 'h', '/a/b')).toBe(4);
    expect(at(router, 'h', '/a/b/')).toBe(3);
    expect(at(router, 'h', '/a/b/c/d')).toBe(5);
    expect(at(router, 'h', '/a/b/d')).toBe(3);
    expect(at(router, 'h', '/a/bc')).toBe(2);
    expect(at(router, 'h', '/a')).toBe(2);
    expect(at(router, 'h', '/ab')).toBe(1);
    expect(at(router, 'h', '/')).toBe(1);
    expect(ask(router, { method: 'OPTIONS', target: '*' })).toBe(0);
  });

  it('prefers the longer pattern, wherever the two begin', () => {
    const router = routerOf({ pathRegex: '^/a/b/c/d' }, { pathRegex: '/[a-z]/[a-z]/' }, { pathRegex: '^/a/' });
    expect(at(router, 'h', '/a/b/c/d')).toBe(1);
    expect(at(router, 'h', '/a/b')).toBe(2);
  });

  it('takes the first in the file among equals', () => {
    const router = routerOf({ path: '/a' }, { path: '/a' }, {}, {}, { pathRegex: '^/x' }, { pathRegex: '^/.' });
    expect(at(router, 'h', '/a')).toBe(0);
    expect(at(router, 'h', '/b')).toBe(4 + 1);
    expect(at(router, 'h', '/x')).toBe(4);
    expect(ask(router, { method: 'OPTIONS', target: '*' })).toBe(2);
  });

  it('falls back to less specific hosts where a more specific one has no such path', () => {
    const router = routerOf(
      { path: '/c/*' },
      { hosts: ['*.example'], path: '/b/*' },
      { hosts: ['a.example'], path: '/a/*' },
    );
    expect(at(router, 'a.example', '/a')).toBe(2);
    expect(at(router, 'a.example', '/b')).toBe(1);
    expect(at(router, 'a.example', '/c')).toBe(0);
    expect(at(router, 'a.example', '/d')).toBe(ROUTE_NONE);
  });

  it('falls back from conditions that are not met, to the next of the same path, then to less specific paths and hosts', () => {
    const router = routerOf(
      { path: '/a/*' },
      { hosts: ['h'], path: '/*' },
      { hosts: ['h'], path: '/a/b', methods: ['POST'] },
      { hosts: ['h'], path: '/a/b', headers: [{ name: 'x', exact: '1' }] },
      { hosts: ['h'], pathRegex: '^/a/b', cookies: [{ name: 'c', present: true }] },
    );
    const to = (request: Request) => ask(router, { target: '/a/b', ...request });
    expect(to({ method: 'POST' })).toBe(2);
    expect(to({ lines: ['x: 1'] })).toBe(3);
    expect(to({ lines: ['cookie: c='] })).toBe(4);
    expect(to({})).toBe(1);
    expect(to({ host: 'other', method: 'POST' })).toBe(0);
  });

  it('lets a more specific host win over a more specific path', () => {
    const router = routerOf({ path: '/a/b', methods: ['GET'] }, { hosts: ['h'] });
    expect(at(router, 'h', '/a/b')).toBe(1);
  });

  it('has nothing to offer without routes', () => {
    expect(at(compileRoutes([]), 'h', '/')).toBe(ROUTE_NONE);
  });

  it('forgets the lookup before', () => {
    const router = routerOf({ hosts: ['*.a', 'x.a'], path: '/p/*' });
    expect(at(router, 'x.a', '/p/q')).toBe(0);
    expect(at(router, '', '/')).toBe(ROUTE_NONE);
    expect(at(router, 'x.a', 'http://x.a')).toBe(ROUTE_NONE);
  });

  it('takes ten thousand routes', () => {
    const router = routerOf(
      ...Array.from({ length: 10_000 }, (_, index) => {
        const hosts = [`h${index % 7}`];
        return index % 2 === 0 ? { hosts, path: `/p${index}/*` } : { hosts, pathRegex: `^/p${index}/\\w+$` };
      }),
    );
    for (let index = 0; index < 10_000; index += 97) {
      expect(at(router, `h${index % 7}`, `/p${index}/x`)).toBe(index);
      expect(at(router, `h${(index + 1) % 7}`, `/p${index}/x`)).toBe(ROUTE_NONE);
    }
  });
});

describe('the order among routes that all match', () => {
  const present = (name: string): FieldMatch => ({ name, present: true });
  const REQUEST: Request = {
    host: 'a.b.c',
    target: '/x/y?q=1&r=2',
    lines: ['h1: 1', 'h2: 2', 'Cookie: c1=1; c2=2'],
    client: '10.0.0.1',
  };
  /** The most specific first: each beats all that follow, whatever their place in the file. */
  const ORDER: readonly RouteMatch[] = [
    { hosts: ['a.b.c'], path: '/x/y', methods: ['GET'] },
    { hosts: ['a.b.c'], path: '/x/y', headers: [present('h1')], cookies: [present('c1')] },
    { hosts: ['a.b.c'], path: '/x/y' },
    { hosts: ['a.b.c'], pathRegex: '^/x/[y]' },
    { hosts: ['a.b.c'] },
    { hosts: ['*.b.c'], path: '/x/y' },
    { hosts: ['*.b.c'], path: '/x/*' },
    { hosts: ['*.c'], path: '/x/y' },
    { path: '/x/y', sources: ranges('10.0.0.0/8') },
    { path: '/x/y' },
    { pathRegex: '^/x/.*', sources: ranges('10.0.0.0/8') },
    { pathRegex: '^/x/y', methods: ['GET'] },
    { pathRegex: '^/x/y' },
    { path: '/x/y/*', query: [present('q')] },
    { path: '/x/y/*' },
    { path: '/x/*', methods: ['GET'], headers: [present('h1'), present('h2')] },
    { path: '/x/*', methods: ['GET'] },
    { path: '/x/*', headers: [present('h1'), present('h2')], cookies: [present('c1')] },
    { path: '/x/*', headers: [present('h1')], cookies: [present('c1')], query: [present('q')] },
    { path: '/x/*', headers: [present('h1'), present('h2')] },
    { path: '/x/*', cookies: [present('c1')], query: [present('q'), present('r')] },
    { path: '/x/*', query: [present('q'), present('r')] },
    { path: '/x/*', query: [present('q')], sources: ranges('10.0.0.0/8') },
    { path: '/x/*', query: [present('q')] },
    { path: '/x/*', sources: ranges('10.0.0.0/8') },
    { path: '/x/*' },
    { path: '/*', methods: ['GET'] },
    { path: '/*' },
    { methods: ['GET'], headers: [present('h1')] },
    {},
  ];
  const [first, ...rest] = ORDER;

  it('is the one written down, for every pair in both orders of the file', () => {
    for (const [index, winner] of ORDER.entries()) {
      for (const loser of ORDER.slice(index + 1)) {
        expect([winner, loser, ask(routerOf(winner, loser), REQUEST)]).toEqual([winner, loser, 0]);
        expect([winner, loser, ask(routerOf(loser, winner), REQUEST)]).toEqual([winner, loser, 1]);
      }
    }
  });

  it('does not depend on the order of the file, for all permutations of any five', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...ORDER.keys()], { minLength: 5, maxLength: 5 }), (places) => {
        const router = routerOf(...places.map((place) => ORDER[place]!));
        expect(places[ask(router, REQUEST)]).toBe(Math.min(...places));
      }),
      { numRuns: 2000, seed: 47 },
    );
  });

  it('is the order of the file where nothing else tells two apart', () => {
    const same: [RouteMatch, RouteMatch][] = [
      [first!, { ...first! }],
      [{ headers: [present('h1')] }, { cookies: [present('c1')] }],
      [{ methods: ['GET'] }, { methods: ['POST', 'GET'] }],
      [{ sources: ranges('10.0.0.0/8') }, { sources: ranges('10.0.0.1') }],
      [{ query: [present('q')] }, { query: [{ name: 'r', exact: '2' }] }],
      [{ pathRegex: '^/x' }, { pathRegex: '/y$' }],
    ];
    for (const [one, two] of same) {
      expect([one, two, ask(routerOf(one, two), REQUEST)]).toEqual([one, two, 0]);
      expect([two, one, ask(routerOf(two, one), REQUEST)]).toEqual([two, one, 0]);
    }
    expect(rest).toHaveLength(29);
  });
});

describe('any routes and any request', () => {
  const hostName = fc.constantFrom('a', 'b.a', 'c.b.a', 'x.c.b.a', 'b', 'aa');
  const hostPattern = fc.oneof(
    hostName,
    hostName.map((name) => `*.${name}`),
  );
  const path = fc.constantFrom('/', '/a', '/a/', '/a/b', '/ab', '/a/b/c', '/a/a/a', '/b/a');
  const pathPattern = fc.oneof(
    path,
    path.filter((text) => !text.endsWith('/') || text === '/').map((text) => `${text === '/' ? '' : text}/*`),
  );
  const pathRegex = fc.constantFrom(
    '^/a',
    'b$',
    '^/a/b',
    '^/a/[ab]/',
    '/a',
    '^/(a|b)/a$',
    '(?i)^/A/B',
    '^/$',
    '^/a/b/c$',
  );
  const value = fc.constantFrom('1', '2');
  const field = fc.oneof(
    fc.record({ name: fc.constantFrom('x', 'y'), exact: value }),
    fc.record({ name: fc.constantFrom('x', 'y'), regex: fc.constantFrom('^[12]$', '2') }),
    fc.record({ name: fc.constantFrom('x', 'y'), present: fc.constant(true as const) }),
  );
  const fields = fc.array(field, { minLength: 1, maxLength: 2 });
  const match: fc.Arbitrary<RouteMatch> = fc
    .record(
      {
        hosts: fc.array(hostPattern, { minLength: 1, maxLength: 2 }),
        path: pathPattern,
        pathRegex,
        methods: fc.subarray(['GET', 'POST', 'M'], { minLength: 1 }),
        headers: fields,
        query: fields,
        cookies: fields,
        sources: fc.constantFrom(ranges('10.0.0.0/8'), ranges('::/0'), ranges('0.0.0.0/0')),
      },
      { requiredKeys: [] },
    )
    .map(({ path: text, ...rest }) =>
      rest.pathRegex === undefined && text !== undefined ? { ...rest, path: text } : rest,
    );
  const values = fc.dictionary(fc.constantFrom('x', 'y', 'z'), value, { maxKeys: 3 });
  const request = fc.record({
    host: hostName,
    path,
    method: fc.constantFrom('GET', 'POST', 'M', 'm'),
    headers: values,
    query: values,
    cookies: values,
    client: fc.constantFrom('10.0.0.1', '192.0.2.1', '::1', 'unix'),
  });

  it('lead to the route that the ruling says, word by word', () => {
    fc.assert(
      fc.property(fc.array(match, { maxLength: 8 }), request, (matches, asked) => {
        expect(ask(routerOf(...matches), written(asked))).toBe(slowMatch(matches, asked));
      }),
      { numRuns: 6000, seed: 47 },
    );
  });
});

interface Asked {
  readonly host: string;
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly cookies: Readonly<Record<string, string>>;
  readonly client: string;
}

function written({ host, path, method, headers, query, cookies, client }: Asked): Request {
  const pairs = (values: Asked['query'], joiner: string) =>
    Object.entries(values)
      .map(([name, value]) => `${name}=${value}`)
      .join(joiner);
  const lines = [
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `Cookie: ${pairs(cookies, '; ')}`,
  ];
  const search = pairs(query, '&');
  return { host, target: `${path}${search === '' ? '' : `?${search}`}`, method, lines, client };
}

/** Scores every route that matches, takes the best, and the first among equals. */
function slowMatch(matches: readonly RouteMatch[], asked: Asked): number {
  let best = ROUTE_NONE;
  let bestScore: readonly number[] = [];
  matches.forEach((match, index) => {
    const score = scoreOf(match, asked);
    if (score === undefined) return;
    const difference = score.findIndex((part, place) => part !== (bestScore[place] ?? -1));
    if (difference < 0 || score[difference]! < (bestScore[difference] ?? -1)) return;
    best = index;
    bestScore = score;
  });
  return best;
}

function scoreOf(match: RouteMatch, asked: Asked): readonly number[] | undefined {
  const hosts = match.hosts?.map((pattern) => hostScore(pattern, asked.host)) ?? [0];
  const path =
    match.pathRegex === undefined ? pathScore(match.path, asked.path) : patternScore(match.pathRegex, asked.path);
  const has = (fields: readonly FieldMatch[] | undefined, values: Asked['query']) =>
    (fields ?? []).every((field) => passes(field, values[field.name]));
  const isMet =
    (match.methods?.includes(asked.method) ?? true) &&
    has(match.headers, asked.headers) &&
    has(match.query, asked.query) &&
    has(match.cookies, asked.cookies) &&
    (match.sources?.some(({ family, bits }) => isInside(family, bits, asked.client)) ?? true);
  const score = [
    Math.max(...hosts),
    path,
    match.methods === undefined ? 0 : 1,
    (match.headers?.length ?? 0) + (match.cookies?.length ?? 0),
    match.query?.length ?? 0,
    match.sources === undefined ? 0 : 1,
  ];
  return isMet && Math.min(...score) >= 0 ? score : undefined;
}

function passes(field: FieldMatch, value: string | undefined): boolean {
  if (value === undefined) return false;
  if ('exact' in field) return field.exact === value;
  return 'regex' in field ? new RegExp(field.regex).test(value) : true;
}

function isInside(family: number, bits: number, client: string): boolean {
  if (client === 'unix' || (family === 6) !== client.includes(':')) return false;
  return bits === 0 || client.startsWith('10.');
}

function hostScore(pattern: string, host: string): number {
  if (!pattern.startsWith('*')) return pattern === host ? 1000 : -1;
  return host.endsWith(pattern.slice(1)) && host.length >= pattern.length ? pattern.length : -1;
}

function patternScore(pattern: string, path: string): number {
  const isInsensitive = pattern.startsWith('(?i)');
  const native = isInsensitive ? new RegExp(pattern.slice(4), 'i') : new RegExp(pattern);
  return native.test(path) ? 1000 + pattern.length : -1;
}

function pathScore(pattern: string | undefined, path: string): number {
  if (pattern === undefined) return 0;
  if (!pattern.endsWith('/*')) return pattern === path ? 10_000 : -1;
  const prefix = pattern.slice(0, -2);
  return path === prefix || path.startsWith(`${prefix}/`) ? 1 + prefix.length : -1;
}
