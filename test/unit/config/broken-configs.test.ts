import { expect, test } from 'vitest';
import { formatProblems, type Problem } from '../../../src/config/problem.ts';
import { validateConfig } from '../../../src/config/validate-config.ts';

/** Uses every option once, so that each can be broken. */
const WHOLE = {
  shards: 2,
  engine: 'auto',
  admin: { address: '127.0.0.1:9947' },
  drain: { grace: '1s', deadline: '300s' },
  listeners: {
    web: {
      address: '0.0.0.0:8080',
      protocol: 'http',
      routes: [
        { name: 'api', match: { hosts: ['a.b', '*.a.b'], path: '/v1/*' }, cluster: 'api', timeout: '15s' },
        { name: 'rest', cluster: 'site' },
        {
          match: {
            pathRegex: '^/v[12]/',
            methods: ['GET'],
            headers: { 'x-a': 'b', 'x-c': { regex: '^d' } },
            query: { 'é f': 'g' },
            cookies: { g: 'h' },
            sources: ['10.0.0.0/8'],
          },
          clusters: { api: 95, site: 0 },
          rewrite: { host: 'internal:8080' },
          requestHeaders: { set: { 'X-A': 'b' }, add: { 'X-B': 'c' }, remove: ['X-C'] },
          responseHeaders: { set: { 'X-D': 'e' } },
        },
        {
          match: { path: '/old/*' },
          redirect: { status: 308, scheme: 'https', host: 'new', port: 8443, path: '/new' },
        },
        { match: { path: '/hi' }, respond: { status: 201, body: 'hi', contentType: 'text/html' } },
      ],
      paths: { encodedSlashes: 'reject' },
      timeouts: { head: '10s', body: '30s', idle: '60s' },
      limits: { head: '64KiB', headers: 100, line: '16KiB', body: '1GiB' },
    },
    all: { address: '0.0.0.0:8081', cluster: 'site' },
    db: { address: '0.0.0.0:5432', protocol: 'tcp', cluster: 'db', timeouts: { idle: '1h' } },
  },
  clusters: {
    api: {
      policy: 'maglev',
      endpoints: ['10.0.0.1:9000', { address: '10.0.0.2:9000', weight: 2 }],
      timeouts: { connect: '5s', idle: '4s' },
      hashOn: 'cookie:session',
      boundedLoad: 1.25,
      stickiness: { cookie: 'f7', ttl: '1h' },
      outlier: { consecutiveFailures: 5, eject: '30s', maxEjectedPercent: 10 },
      retry: { attempts: 2, budgetPercent: 20, bodyUpTo: '64KiB' },
      limits: { connections: 10, requests: 10, pending: 10, pendingTimeout: '1s' },
      healthCheck: {
        type: 'http',
        path: '/health',
        host: 'a.b',
        method: 'GET',
        port: 81,
        interval: '5s',
        timeout: '2s',
        healthyAfter: 2,
        unhealthyAfter: 3,
        expect: [200, '300-302'],
        body: 'ok',
      },
      drain: { deadline: '1s' },
      slowStart: '30s',
    },
    site: { endpoints: ['10.0.1.1:9000'] },
    db: { endpoints: ['db.internal:5432'] },
  },
};

type Path = readonly (string | number)[];
interface Mutant {
  readonly name: string;
  readonly input: unknown;
}

const web: Path = ['listeners', 'web'];
const api: Path = ['clusters', 'api'];
const matchers: Path = [...web, 'routes', 2, 'match'];

/** Values that are wrong at any place of the whole configuration. */
const NEVER_RIGHT: readonly unknown[] = [null, Number.NaN, true, () => 1, [[]], { '': {} }];

/** Values that are wrong at one place. */
const WRONG: readonly [Path, readonly unknown[]][] = [
  [['shards'], [0, 257, 1.5, '2', 'all']],
  [['engine'], ['Native', 'deno', 1]],
  [['admin'], ['on', 0, { address: '9947' }, { adress: '127.0.0.1:1' }, { address: '0.0.0.0:8080' }]],
  [
    ['drain', 'grace'],
    ['301s', '11m', 1, '1', '-1s'],
  ],
  [
    ['drain', 'deadline'],
    ['2h', '0ms', ''],
  ],
  [['listeners'], [{}, [], { 'a b': WHOLE.listeners.web }, { '': WHOLE.listeners.all }]],
  [
    [...web, 'address'],
    ['8080', ':8080', 'a.b:80', '::1:80', '0.0.0.0:70000', '0.0.0.0:8081', 'unix:x', 8080, '127.0.0.1:9947'],
  ],
  [
    [...web, 'protocol'],
    ['https', 'HTTP', 'tcp', 'udp', 7],
  ],
  [
    [...web, 'cluster'],
    ['site', 'nobody', 5],
  ],
  [
    [...web, 'routes'],
    [[], {}, 'api', undefined, ['api'], [[]]],
  ],
  [
    [...web, 'routes', 0, 'name'],
    ['rest', 'a b', '-a', 'x'.repeat(65), 1],
  ],
  [
    [...web, 'routes', 0, 'cluster'],
    ['apis', '', undefined, ['api']],
  ],
  [
    [...web, 'routes', 0, 'timeout'],
    ['0s', '25h', '1d', 15],
  ],
  [
    [...web, 'routes', 0, 'match'],
    ['/v1', [], { method: ['GET'] }, { path: '/a', pathRegex: 'b' }, { headers: { __proto__x: 'a' } }],
  ],
  [
    [...web, 'routes', 0, 'match', 'hosts'],
    [[], 'a.b', ['a.*.b'], ['*'], ['a:1'], [7], ['a b']],
  ],
  [
    [...web, 'routes', 0, 'match', 'path'],
    ['v1', '/a*', '/a//b', '/a/../b', '/%41', '/%zz', '/a?b', '/a#b', '/é', '/%2f', 5],
  ],
  [
    [...matchers, 'pathRegex'],
    ['', '(', '(?=a)', '(a)\\1', 'a.{20}b', '\\b', '[a', 'a**', 'é', 5],
  ],
  [
    [...matchers, 'methods'],
    [[], 'GET', ['get'], ['CONNECT'], ['A B'], ['']],
  ],
  [
    [...matchers, 'headers'],
    [
      [],
      { host: 'a' },
      { 'x-forwarded-for': 'a' },
      { connection: 'a' },
      { 'a b': 'c' },
      { a_b: 'c' },
      { a: 'b\n' },
      { a: ' b' },
      { a: 'é' },
      { a: true },
      { a: { regex: '(' } },
      { a: { present: false } },
      { a: { regex: 'b', present: true } },
      { a: {} },
      { A: 'b', a: 'c' },
    ],
  ],
  [
    [...matchers, 'query'],
    [[], { '': 'a' }, { a: 1 }, { a: { regexp: 'b' } }, JSON.parse('{ "__proto__": "a" }')],
  ],
  [
    [...matchers, 'cookies'],
    [{ 'a b': 'c' }, { a: 'b\u0000' }, { 'a;': 'b' }],
  ],
  [
    [...matchers, 'sources'],
    [[], '10.0.0.0/8', ['10.0.0.1/8'], ['localhost'], ['10.0.0.0/33']],
  ],
  [
    [...web, 'routes', 2, 'clusters'],
    [{}, { api: 0 }, { api: -1 }, { api: 1.5 }, { api: '95' }, { apis: 1 }, ['api'], { api: 1_000_001 }],
  ],
  [
    [...web, 'routes', 2, 'rewrite'],
    [
      { path: '/a' },
      { host: '*.a' },
      { host: 'a:0' },
      { host: 'a:b' },
      { host: 'http://a' },
      { host: 'a b' },
      { query: 'a' },
    ],
  ],
  [
    [...web, 'routes', 2, 'requestHeaders'],
    [
      { set: { Host: 'a' } },
      { set: { 'Content-Length': '1' } },
      { add: { Connection: 'close' } },
      { remove: ['X-Forwarded-For'] },
      { remove: ['forwarded'] },
      { set: { 'a:': 'b' } },
      { set: { a: 'b\r\nc: d' } },
      { set: { a: 'b', A: 'c' } },
      { set: ['a'] },
      { replace: {} },
    ],
  ],
  [
    [...web, 'routes', 2, 'responseHeaders'],
    [{ set: { 'Transfer-Encoding': 'chunked' } }, { add: { a: 'é' } }],
  ],
  [
    [...web, 'routes', 3, 'redirect'],
    [
      {},
      { status: 301 },
      { status: 300, path: '/a' },
      { path: 'a' },
      { path: '/a/*' },
      { path: '/a?b' },
      { scheme: 'ftp' },
      { host: 'a:1' },
      { port: 0 },
    ],
  ],
  [[...web, 'routes', 3, 'timeout'], ['1s']],
  [[...web, 'routes', 3, 'responseHeaders'], [{ set: { Location: '/' } }]],
  [[...web, 'routes', 3, 'respond'], [{}]],
  [
    [...web, 'routes', 4, 'respond'],
    [
      { status: 199 },
      { status: 600 },
      { status: 204, body: 'a' },
      { body: 5 },
      { body: 'x'.repeat(65_537) },
      { contentType: 'a\nb' },
    ],
  ],
  [[...web, 'routes', 4, 'rewrite'], [{ host: 'a' }]],
  [
    [...web, 'paths'],
    [{ encodedSlashes: 'decode' }, { mergeSlashes: 'no' }, 'keep'],
  ],
  [
    [...web, 'timeouts', 'head'],
    ['0s', '11m', 10],
  ],
  [
    [...web, 'timeouts', 'body'],
    ['0s', '2h'],
  ],
  [
    [...web, 'timeouts', 'idle'],
    ['0s', '25h'],
  ],
  [
    [...web, 'limits', 'head'],
    ['1B', '1MiB', '64k', -1, '64'],
  ],
  [
    [...web, 'limits', 'headers'],
    [0, 1001, '100', 1.5],
  ],
  [
    [...web, 'limits', 'line'],
    ['1B', '1GiB'],
  ],
  [
    [...web, 'limits', 'body'],
    ['-1B', '2000GiB', 'none'],
  ],
  [
    ['listeners', 'all'],
    [{ address: '0.0.0.0:8081' }, 'site', [], { cluster: 'site' }],
  ],
  [
    ['listeners', 'db', 'routes'],
    [[], [{ cluster: 'db' }]],
  ],
  [
    ['listeners', 'db', 'limits'],
    [[], { head: 1 }],
  ],
  [
    ['listeners', 'db', 'cluster'],
    [undefined, 'dbb', { db: 1 }],
  ],
  [
    ['listeners', 'db', 'timeouts'],
    [{ head: '1s' }, { idle: '200h' }, '1h'],
  ],
  [['clusters'], [{}, [], { api: WHOLE.clusters.api }]],
  [
    [...api, 'policy'],
    ['roundrobin', 'ringhash', 'leasttime', 3],
  ],
  [
    [...api, 'endpoints'],
    [[], {}, '10.0.0.1:1', undefined, [1], ['a:0'], ['a'], ['http://a:1'], ['a:1', 'A:1'], [{}], [{ weight: 1 }]],
  ],
  [
    [...api, 'endpoints', 1, 'weight'],
    [0, 1001, 1.5, '2', -1],
  ],
  [
    [...api, 'timeouts', 'connect'],
    ['0s', '11m', 5],
  ],
  [
    [...api, 'timeouts', 'idle'],
    ['0s', '2h'],
  ],
  [
    [...api, 'healthCheck'],
    [
      'on',
      5,
      { type: 'icmp' },
      { type: 'tcp', path: '/' },
      { service: 'a' },
      { type: 'grpc', expect: [200] },
      { every: '1s' },
    ],
  ],
  [
    [...api, 'healthCheck', 'path'],
    ['health', '/a b', '/a#b', '/\u00e4', ''],
  ],
  [
    [...api, 'healthCheck', 'expect'],
    [[], [99], [600], ['2xx'], ['299-200'], [200.5], 200],
  ],
  [
    [...api, 'healthCheck', 'interval'],
    ['1ms', '2h', 5],
  ],
  [
    [...api, 'healthCheck', 'timeout'],
    ['1ms', '10m', 5],
  ],
  [
    [...api, 'healthCheck', 'unhealthyAfter'],
    [0, 101, '3'],
  ],
  [
    [...api, 'healthCheck', 'port'],
    [0, 65_536],
  ],
  [
    [...api, 'healthCheck', 'method'],
    ['get', 'CONNECT', 'A B'],
  ],
  [
    [...api, 'drain'],
    ['1s', { deadline: '2h' }, { grace: '1s' }],
  ],
  [
    [...api, 'hashOn'],
    ['ip', 'header', 'header:', 'header:Host', 'cookie:a b', 'query:', 5],
  ],
  [
    [...api, 'boundedLoad'],
    [1, 11, -1, '1.25'],
  ],
  [
    [...api, 'stickiness'],
    ['on', { cookie: 'a b' }, { cookie: 'a', ttl: '0s' }, { name: 'a' }],
  ],
  [
    [...api, 'outlier'],
    ['on', 5, { failures: 5 }],
  ],
  [
    [...api, 'outlier', 'consecutiveFailures'],
    [0, 1001, '5'],
  ],
  [
    [...api, 'outlier', 'maxEjectedPercent'],
    [-1, 101],
  ],
  [
    [...api, 'outlier', 'eject'],
    ['0s', '6m'],
  ],
  [
    [...api, 'retry'],
    ['on', 2],
  ],
  [
    [...api, 'retry', 'attempts'],
    [-1, 8],
  ],
  [
    [...api, 'retry', 'bodyUpTo'],
    ['1MiB', -1],
  ],
  [
    [...api, 'limits', 'connections'],
    [0, 'many'],
  ],
  [
    [...api, 'limits', 'pendingTimeout'],
    ['0s', 5],
  ],
  [
    [...api, 'slowStart'],
    ['2h', 30],
  ],
  [
    [...api, 'endpoints'],
    [[{ address: 'a:1', backup: 'maybe' }], [{ address: 'a:1', backup: true }]],
  ],
  [[...web, 'tls'], [{}]],
];

/** Every place in the value, containers too, root included. */
function pathsIn(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const keys = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  return [path, ...keys.flatMap((key) => pathsIn((value as Record<string | number, unknown>)[key], [...path, key]))];
}

function replace(path: Path, value: unknown): Mutant {
  const name = `${path.join('.') || '(root)'} = ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`;
  const last = path.at(-1);
  if (last === undefined) return { name, input: value };
  const input = structuredClone(WHOLE);
  let parent = input as unknown as Record<string | number, unknown>;
  for (const part of path.slice(0, -1)) parent = parent[part] as typeof parent;
  parent[last] = value;
  return { name, input };
}

function mutants(): Mutant[] {
  const places = pathsIn(WHOLE);
  const anywhere = places.flatMap((path) => NEVER_RIGHT.map((value) => replace(path, value)));
  const somewhere = WRONG.flatMap(([path, values]) => values.map((value) => replace(path, value)));
  const containers = places.filter((path) => typeof at(path) === 'object' && !Array.isArray(at(path)));
  const unknown = containers.map((path) => replace([...path, 'no such option'], 1));
  return [...anywhere, ...somewhere, ...unknown];
}

function at(path: Path): unknown {
  return path.reduce<unknown>((value, part) => (value as Record<string | number, unknown>)[part], WHOLE);
}

test('the configuration that the sweep breaks is right before, without a warning', () => {
  expect(validateConfig(WHOLE)).toMatchObject({ config: { shards: 2 }, warnings: [] });
});

test('each of several hundred broken configurations gives a problem with its place, cause and remedy, and nothing throws', () => {
  const all = mutants();
  expect(all.length).toBeGreaterThan(400);
  const silent = all.filter(({ input }) => validateConfig(input).config !== undefined);
  expect(silent.map(({ name }) => name)).toEqual([]);
  for (const { name, input } of all) {
    const { problems } = validateConfig(input) as { problems: readonly Problem[] };
    const isRoot = name.startsWith('(root)');
    const incomplete = problems.filter(
      ({ path, message, remedy }) => (path === '' && !isRoot) || message === '' || remedy === '',
    );
    expect({ name, incomplete, count: problems.length }).toEqual({ name, incomplete: [], count: problems.length });
    const text = formatProblems(problems, 'x.yaml');
    expect(text).not.toMatch(/undefined|\[object|zod|invalid_|\bat .*:\d+:\d+/i);
    expect(text.split('\n')).toHaveLength(problems.length * 3 + 1);
  }
});

test('what the configuration says cannot control a terminal', () => {
  const evil = '\u001b[2J\u009b1m\n\u202eevil\u0000';
  const { problems } = validateConfig({ ...WHOLE, [evil]: 1, engine: evil, shards: evil }) as {
    problems: readonly Problem[];
  };
  const text = formatProblems(problems, `${evil}.yaml`);
  expect(problems).toHaveLength(3);
  expect(text.replaceAll('\n', '')).toMatch(/^[ -~…]*$/);
});

test('a value of any length is shown cut', () => {
  const { problems } = validateConfig({ ...WHOLE, engine: 'x'.repeat(1_000_000) }) as { problems: readonly Problem[] };
  expect(formatProblems(problems, 'x.yaml').length).toBeLessThan(500);
});
