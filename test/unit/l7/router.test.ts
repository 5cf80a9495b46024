import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RouteMatch, RoutePlan } from '../../../src/contract/plan.ts';
import { asciiBytes } from '../../../src/core/bytes.ts';
import { compileRoutes, ROUTE_NONE, type Router } from '../../../src/l7/routing/router.ts';

const plans = (matches: readonly RouteMatch[]): RoutePlan[] =>
  matches.map((match, index) => ({ name: `r${index}`, match, cluster: 0, timeoutMs: 1000 }));

/** Host and path stand amid other bytes, which must not matter. */
function ask(router: Router, host: string, path: string): number {
  const bytes = asciiBytes(`a.${host}.b/a${path}/a`);
  const pathStart = host.length + 6;
  return router.match(bytes, 2, 2 + host.length, pathStart, pathStart + path.length);
}

describe('a router', () => {
  it('prefers an exact host to the longest wildcard to a shorter one to none', () => {
    const router = compileRoutes(
      plans([{}, { hosts: ['*.example'] }, { hosts: ['*.b.example'] }, { hosts: ['a.b.example'] }]),
    );
    expect(ask(router, 'a.b.example', '/')).toBe(3);
    expect(ask(router, 'x.b.example', '/')).toBe(2);
    expect(ask(router, 'x.y.b.example', '/')).toBe(2);
    expect(ask(router, 'b.example', '/')).toBe(1);
    expect(ask(router, 'example', '/')).toBe(0);
    expect(ask(router, '', '/')).toBe(0);
    expect(ask(router, 'xexample', '/')).toBe(0);
    expect(ask(router, 'a.b.example.org', '/')).toBe(0);
  });

  it('ignores the case of hosts, not of paths', () => {
    const router = compileRoutes(plans([{ hosts: ['a.example', '*.b'], path: '/x' }]));
    expect(ask(router, 'A.Example', '/x')).toBe(0);
    expect(ask(router, 'Z.B', '/x')).toBe(0);
    expect(ask(router, 'a.example', '/X')).toBe(ROUTE_NONE);
  });

  it('prefers an exact path to the longest prefix to none', () => {
    const router = compileRoutes(plans([{}, { path: '/*' }, { path: '/a/*' }, { path: '/a/b/*' }, { path: '/a/b' }]));
    expect(ask(router, 'h', '/a/b')).toBe(4);
    expect(ask(router, 'h', '/a/b/')).toBe(3);
    expect(ask(router, 'h', '/a/b/c/d')).toBe(3);
    expect(ask(router, 'h', '/a/bc')).toBe(2);
    expect(ask(router, 'h', '/a')).toBe(2);
    expect(ask(router, 'h', '/ab')).toBe(1);
    expect(ask(router, 'h', '/')).toBe(1);
    expect(ask(router, 'h', '*')).toBe(0);
  });

  it('takes the first in the file among equals', () => {
    const router = compileRoutes(plans([{ path: '/a' }, { path: '/a' }, {}, {}]));
    expect(ask(router, 'h', '/a')).toBe(0);
    expect(ask(router, 'h', '/b')).toBe(2);
  });

  it('falls back to less specific hosts where a more specific one has no such path', () => {
    const router = compileRoutes(
      plans([{ path: '/c/*' }, { hosts: ['*.example'], path: '/b/*' }, { hosts: ['a.example'], path: '/a/*' }]),
    );
    expect(ask(router, 'a.example', '/a')).toBe(2);
    expect(ask(router, 'a.example', '/b')).toBe(1);
    expect(ask(router, 'a.example', '/c')).toBe(0);
    expect(ask(router, 'a.example', '/d')).toBe(ROUTE_NONE);
  });

  it('lets a more specific host win over a more specific path', () => {
    const router = compileRoutes(plans([{ path: '/a/b' }, { hosts: ['h'] }]));
    expect(ask(router, 'h', '/a/b')).toBe(1);
  });

  it('has nothing to offer without routes', () => {
    expect(ask(compileRoutes([]), 'h', '/')).toBe(ROUTE_NONE);
  });

  it('forgets the lookup before', () => {
    const router = compileRoutes(plans([{ hosts: ['*.a', 'x.a'], path: '/p/*' }]));
    expect(ask(router, 'x.a', '/p/q')).toBe(0);
    expect(ask(router, '', '/')).toBe(ROUTE_NONE);
    expect(ask(router, 'x.a', '')).toBe(ROUTE_NONE);
  });

  it('takes ten thousand routes', () => {
    const router = compileRoutes(
      plans(Array.from({ length: 10_000 }, (_, index) => ({ hosts: [`h${index % 7}`], path: `/p${index}/*` }))),
    );
    for (let index = 0; index < 10_000; index += 97) {
      expect(ask(router, `h${index % 7}`, `/p${index}/x`)).toBe(index);
      expect(ask(router, `h${(index + 1) % 7}`, `/p${index}/x`)).toBe(ROUTE_NONE);
    }
  });

  it('agrees with the order written down, for any routes and requests', () => {
    const host = fc.constantFrom('a', 'b.a', 'c.b.a', 'x.c.b.a', 'b', 'aa');
    const pattern = fc.oneof(
      host,
      host.map((name) => `*.${name}`),
    );
    const path = fc.constantFrom('/', '/a', '/a/', '/a/b', '/ab', '/a/b/c', '/a/a/a', '/b/a');
    const pathPattern = fc.oneof(
      path,
      path.filter((text) => !text.endsWith('/') || text === '/').map((text) => `${text === '/' ? '' : text}/*`),
    );
    const match = fc.record(
      { hosts: fc.array(pattern, { minLength: 1, maxLength: 2 }), path: pathPattern },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.array(match, { maxLength: 8 }), host, path, (matches, askedHost, askedPath) => {
        const router = compileRoutes(plans(matches));
        expect(ask(router, askedHost, askedPath)).toBe(slowMatch(matches, askedHost, askedPath));
      }),
      { numRuns: 3000, seed: 47 },
    );
  });
});

/** The ruling, word by word: score every route that matches, take the best, and the first among equals. */
function slowMatch(matches: readonly RouteMatch[], host: string, path: string): number {
  let best = ROUTE_NONE;
  let bestScore = [-1, -1];
  matches.forEach((match, index) => {
    const hosts = match.hosts?.map((pattern) => hostScore(pattern, host)) ?? [0];
    const score = [Math.max(...hosts), pathScore(match.path, path)];
    if (Math.min(...score) < 0) return;
    if (score[0]! < bestScore[0]! || (score[0] === bestScore[0] && score[1]! <= bestScore[1]!)) return;
    best = index;
    bestScore = score;
  });
  return best;
}

function hostScore(pattern: string, host: string): number {
  if (!pattern.startsWith('*')) return pattern === host ? 1000 : -1;
  return host.endsWith(pattern.slice(1)) && host.length >= pattern.length ? pattern.length : -1;
}

function pathScore(pattern: string | undefined, path: string): number {
  if (pattern === undefined) return 0;
  if (!pattern.endsWith('/*')) return pattern === path ? 1000 : -1;
  const prefix = pattern.slice(0, -2);
  return path === prefix || path.startsWith(`${prefix}/`) ? 1 + prefix.length : -1;
}
