import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Config, ConfigInput } from '../../../src/config/config.ts';
import { ENDPOINTS_MAX_COUNT, LISTENERS_MAX_COUNT } from '../../../src/config/defaults.ts';
import { POLICIES } from '../../../src/config/schema-cluster.ts';
import { checkConfig, validateConfig } from '../../../src/config/validate-config.ts';
import { ENDPOINT_SLOTS_MAX } from '../../../src/contract/board.ts';
import { POLICIES as PLAN_POLICIES } from '../../../src/contract/plan.ts';
import { LISTENERS_MAX } from '../../../src/engine/protocol.ts';

const clusters = { site: { endpoints: ['10.0.0.1:9000'] } };
const MINIMAL = { listeners: { web: { address: '127.0.0.1:8080', cluster: 'site' } }, clusters } satisfies ConfigInput;

function accepted(input: unknown): Config {
  const result = validateConfig(input);
  if (result.config === undefined) throw new Error(JSON.stringify(result.problems, null, 1));
  return result.config;
}

function problemsOf(input: unknown): string[] {
  const result = validateConfig(input);
  return result.config === undefined ? result.problems.map((problem) => `${problem.path}: ${problem.message}`) : [];
}

function warningsOf(input: unknown): string[] {
  return validateConfig(input).warnings.map((problem) => `${problem.path}: ${problem.message}`);
}

/** A configuration whose one http listener has these routes. */
function withRoutes(...routes: unknown[]): unknown {
  return { listeners: { web: { address: '127.0.0.1:8080', routes } }, clusters };
}

describe('what a configuration becomes', () => {
  test('every default is filled in, with its unit in the name', () => {
    expect(accepted(MINIMAL)).toEqual({
      shards: 'auto',
      engine: 'auto',
      admin: { address: { family: 4, host: '127.0.0.1', port: 9947 } },
      log: { format: 'text', level: 'info' },
      drain: { graceMs: 1_000, deadlineMs: 300_000 },
      listeners: [
        {
          name: 'web',
          address: { family: 4, host: '127.0.0.1', port: 8080 },
          protocol: 'http',
          routes: [
            {
              name: 'default',
              match: {},
              action: { kind: 'forward', clusters: [{ cluster: 'site', weight: 1 }], timeoutMs: 60_000 },
            },
          ],
          paths: { encodedSlashes: 'reject', mergeSlashes: true },
          timeouts: { headMs: 10_000, bodyMs: 30_000, idleMs: 60_000 },
          limits: { headMaxBytes: 65_536, headersMaxCount: 100, lineMaxBytes: 16_384, bodyBytesPerSecond: 1_024 },
          trustedProxies: [],
          proxyProtocol: 'off',
          forwardedHeader: false,
          requestId: true,
          underscores: 'drop',
        },
      ],
      clusters: [
        {
          name: 'site',
          policy: 'least-request',
          endpoints: [
            {
              name: '10.0.0.1:9000',
              address: { family: 4, host: '10.0.0.1', port: 9000 },
              weight: 1,
              isBackup: false,
            },
          ],
          timeouts: { connectMs: 5_000, idleMs: 4_000 },
          proxyProtocol: 'off',
          hashOn: { kind: 'source' },
          boundedLoadFactor: 0,
          stickiness: undefined,
          healthCheck: undefined,
          outlier: { consecutiveFailures: 5, ejectMs: 30_000, maxEjectedPercent: 10 },
          retry: { attempts: 2, budgetPercent: 20, bodyMaxBytes: 65_536 },
          limits: undefined,
          slowStartMs: 0,
          drainMs: 300_000,
        },
      ],
    });
  });

  test('every option has its effect', () => {
    const config = accepted({
      $schema: './fourseven.schema.json',
      shards: 3,
      engine: 'node',
      admin: { address: 'unix:/run/admin.sock' },
      drain: { grace: '0s', deadline: '0s' },
      listeners: {
        web: {
          address: '[::1]:0',
          protocol: 'http',
          routes: [
            { name: 'api', match: { hosts: ['A.b.', '*.A.b', 'a.B'], path: '/v1/*' }, cluster: 'db', timeout: '15s' },
            { cluster: 'db' },
          ],
          paths: { encodedSlashes: 'keep', mergeSlashes: false },
          timeouts: { head: '1s', body: '2s', idle: '3s' },
          limits: { head: '8KiB', headers: 10, line: '4KiB', body: 1_000, bodyRate: '2KiB', connections: 7 },
          trustedProxies: ['10.0.0.0/8', '2001:db8::1'],
          proxyProtocol: 'accept',
          forwardedHeader: true,
          requestId: 'off',
          via: 'edge',
          underscores: 'reject',
        },
        raw: {
          address: 'unix:/run/raw.sock',
          protocol: 'tcp',
          cluster: 'db',
          timeouts: { idle: '5m' },
          limits: { connections: 8 },
          trustedProxies: ['192.0.2.1/32'],
          proxyProtocol: 'require',
        },
      },
      clusters: {
        db: {
          policy: 'maglev',
          endpoints: [
            { address: 'DB.internal:5432', weight: 7 },
            { address: '10.0.0.9:5432', backup: true },
          ],
          timeouts: { connect: '1ms', idle: '1h' },
          proxyProtocol: 'v2',
          hashOn: 'header:X-Tenant',
          boundedLoad: 1.25,
          stickiness: { cookie: 'own', ttl: '1h' },
          healthCheck: {
            type: 'http',
            interval: '1s',
            timeout: '500ms',
            healthyAfter: 4,
            unhealthyAfter: 5,
            port: 81,
            path: '/health?full',
            method: 'HEAD',
            host: 'db.test',
            expect: [204, '300-399'],
            body: 'ready',
          },
          outlier: { consecutiveFailures: 3, eject: '10s', maxEjectedPercent: 50 },
          retry: { attempts: 1, budgetPercent: 50, bodyUpTo: '1KiB' },
          limits: { connections: 10, requests: 20, pending: 30, pendingTimeout: '2s' },
          slowStart: '30s',
          drain: { deadline: '5s' },
        },
      },
    });
    expect(config).toEqual({
      shards: 3,
      engine: 'node',
      admin: { address: { family: 'unix', path: '/run/admin.sock' } },
      log: { format: 'text', level: 'info' },
      drain: { graceMs: 0, deadlineMs: 0 },
      listeners: [
        {
          name: 'web',
          address: { family: 6, host: '::1', port: 0 },
          protocol: 'http',
          routes: [
            {
              name: 'api',
              match: { hosts: ['a.b', '*.a.b'], path: '/v1/*' },
              action: { kind: 'forward', clusters: [{ cluster: 'db', weight: 1 }], timeoutMs: 15_000 },
            },
            {
              name: 'routes[1]',
              match: {},
              action: { kind: 'forward', clusters: [{ cluster: 'db', weight: 1 }], timeoutMs: 60_000 },
            },
          ],
          paths: { encodedSlashes: 'keep', mergeSlashes: false },
          timeouts: { headMs: 1_000, bodyMs: 2_000, idleMs: 3_000 },
          limits: {
            headMaxBytes: 8_192,
            headersMaxCount: 10,
            lineMaxBytes: 4_096,
            bodyMaxBytes: 1_000,
            bodyBytesPerSecond: 2_048,
            connectionsMaxCount: 7,
          },
          trustedProxies: [
            { family: 4, words: [0x0a00_0000, 0, 0, 0], bits: 8 },
            { family: 6, words: [0x2001_0db8, 0, 0, 1], bits: 128 },
          ],
          proxyProtocol: 'accept',
          forwardedHeader: true,
          requestId: false,
          via: 'edge',
          underscores: 'reject',
        },
        {
          name: 'raw',
          address: { family: 'unix', path: '/run/raw.sock' },
          protocol: 'tcp',
          cluster: 'db',
          timeouts: { idleMs: 300_000 },
          limits: { connectionsMaxCount: 8 },
          trustedProxies: [{ family: 4, words: [0xc000_0201 | 0, 0, 0, 0], bits: 32 }],
          proxyProtocol: 'require',
        },
      ],
      clusters: [
        {
          name: 'db',
          policy: 'maglev',
          endpoints: [
            {
              name: 'DB.internal:5432',
              address: { family: 'name', host: 'db.internal', port: 5432 },
              weight: 7,
              isBackup: false,
            },
            {
              name: '10.0.0.9:5432',
              address: { family: 4, host: '10.0.0.9', port: 5432 },
              weight: 1,
              isBackup: true,
            },
          ],
          timeouts: { connectMs: 1, idleMs: 3_600_000 },
          proxyProtocol: 'v2',
          hashOn: { kind: 'header', name: 'x-tenant' },
          boundedLoadFactor: 1.25,
          stickiness: { cookie: 'own', ttlMs: 3_600_000 },
          healthCheck: {
            type: 'http',
            intervalMs: 1_000,
            timeoutMs: 500,
            healthyAfter: 4,
            unhealthyAfter: 5,
            port: 81,
            path: '/health?full',
            method: 'HEAD',
            host: 'db.test',
            expect: [
              { from: 204, to: 204 },
              { from: 300, to: 399 },
            ],
            body: 'ready',
          },
          outlier: { consecutiveFailures: 3, ejectMs: 10_000, maxEjectedPercent: 50 },
          retry: { attempts: 1, budgetPercent: 50, bodyMaxBytes: 1_024 },
          limits: { connectionsMaxCount: 10, requestsMaxCount: 20, pendingMaxCount: 30, pendingTimeoutMs: 2_000 },
          slowStartMs: 30_000,
          drainMs: 5_000,
        },
      ],
    });
  });

  test.each(['off', false])('outlier and retry may be %s', (off) => {
    const site = { ...clusters.site, outlier: off, retry: off };
    const { clusters: built } = accepted({ ...MINIMAL, clusters: { site } });
    expect(built[0]).toMatchObject({ outlier: undefined, retry: undefined });
  });

  const TIMING = { intervalMs: 5_000, timeoutMs: 2_000, healthyAfter: 2, unhealthyAfter: 3, port: undefined };
  test.each([
    ['off', undefined],
    [false, undefined],
    [
      {},
      {
        type: 'http',
        ...TIMING,
        method: 'GET',
        path: '/',
        host: undefined,
        expect: [{ from: 200, to: 299 }],
        body: undefined,
      },
    ],
    [{ type: 'tcp' }, { type: 'tcp', ...TIMING }],
    [{ type: 'grpc' }, { type: 'grpc', ...TIMING, service: '' }],
    [
      { type: 'grpc', service: 'a.B' },
      { type: 'grpc', ...TIMING, service: 'a.B' },
    ],
  ] as const)('healthCheck: %j', (healthCheck, expected) => {
    const site = { ...clusters.site, healthCheck };
    expect(accepted({ ...MINIMAL, clusters: { site } }).clusters[0]?.healthCheck).toEqual(expected);
  });

  test.each([
    ['source', { kind: 'source' }],
    ['path', { kind: 'path' }],
    ['header:X-Tenant', { kind: 'header', name: 'x-tenant' }],
    ['cookie:Session', { kind: 'cookie', name: 'Session' }],
    ['query:user', { kind: 'query', name: 'user' }],
  ])('hashOn: %s', (hashOn, expected) => {
    const site = { ...clusters.site, policy: 'maglev', hashOn };
    expect(accepted({ ...MINIMAL, clusters: { site } }).clusters[0]!.hashOn).toEqual(expected);
  });

  test('a stickiness has a cookie, and there is none by default', () => {
    const site = { ...clusters.site, stickiness: {} };
    expect(accepted({ ...MINIMAL, clusters: { site } }).clusters[0]!.stickiness).toEqual({ cookie: 'f7' });
  });

  test('what a policy or a session does not go by is a warning', () => {
    const site = { ...clusters.site, hashOn: 'path', boundedLoad: 2, stickiness: {} };
    expect(warningsOf({ ...MINIMAL, clusters: { site } })).toEqual([
      'clusters.site.hashOn: the policy "least-request" goes by no hash',
      'clusters.site.boundedLoad: the policy "least-request" goes by no hash',
    ]);
    const listeners = { raw: { address: '127.0.0.1:1', protocol: 'tcp', cluster: 'site' } };
    expect(warningsOf({ listeners, clusters: { site: { ...site, policy: 'maglev' } } })).toEqual([
      'clusters.site.hashOn: sessions of tcp listeners go by the address of the client, whatever this says',
      'clusters.site.stickiness: sessions of tcp listeners have no cookies',
    ]);
  });

  test('what waits for a limit that does not exist is a warning', () => {
    const site = { ...clusters.site, limits: { pending: 5 } };
    expect(warningsOf({ ...MINIMAL, clusters: { site } })).toEqual([
      'clusters.site.limits.pending: nothing is limited, so that nothing ever waits',
    ]);
  });

  test('a cluster of backups only is refused', () => {
    const site = { endpoints: [{ address: '10.0.0.1:1', backup: true }] };
    expect(problemsOf({ ...MINIMAL, clusters: { site } })).toEqual([
      'clusters.site.endpoints: every endpoint is a backup, and there is none to back up',
    ]);
  });

  test.each(['off', false])('admin: %s disables the admin API', (admin) => {
    expect(accepted({ ...MINIMAL, admin }).admin).toBe('off');
  });

  test('a line is never longer than the head', () => {
    const web = { ...MINIMAL.listeners.web, limits: { head: '2KiB' } };
    expect(accepted({ listeners: { web }, clusters }).listeners[0]).toMatchObject({ limits: { lineMaxBytes: 2_048 } });
  });

  test('it is frozen to the ground, and the input is left alone', () => {
    const input = structuredClone(MINIMAL);
    const config = accepted(input);
    expect(unfrozen(config)).toEqual([]);
    expect(input).toEqual(MINIMAL);
    expect(Object.isFrozen(input.clusters)).toBe(false);
  });

  test('names that objects inherit are names like others', () => {
    const input = {
      listeners: { toString: MINIMAL.listeners.web },
      clusters: { constructor: clusters.site, site: clusters.site },
    };
    expect(accepted(input).clusters.map((cluster) => cluster.name)).toEqual(['constructor', 'site']);
    const dangling = { listeners: { web: { address: '127.0.0.1:1', cluster: 'valueOf' } }, clusters };
    expect(problemsOf(dangling)).toEqual(['listeners.web.cluster: there is no cluster "valueOf"']);
  });

  test('policies and the numbers of listeners and endpoints are those that the data plane knows', () => {
    expect(LISTENERS_MAX_COUNT).toBeLessThanOrEqual(LISTENERS_MAX);
    expect([...POLICIES].sort()).toEqual([...PLAN_POLICIES].sort());
    expect(ENDPOINTS_MAX_COUNT).toBe(ENDPOINT_SLOTS_MAX);
  });
});

function unfrozen(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const inner = Object.entries(value).flatMap(([key, part]) => unfrozen(part, `${path}/${key}`));
  return Object.isFrozen(value) ? inner : [path, ...inner];
}

describe('what a route becomes', () => {
  const routeOf = (route: unknown) => {
    const [listener] = accepted(withRoutes(route)).listeners;
    return listener?.protocol === 'http' ? listener.routes[0] : undefined;
  };

  test('every matcher, in the form that requests are compared', () => {
    const match = {
      pathRegex: '^/v[12]/',
      methods: ['GET', 'Custom'],
      headers: { 'X-Canary': 'Yes', accept: { regex: 'json' } },
      query: { é: 'ü' },
      cookies: { Region: { present: true } },
      sources: ['10.0.0.0/8'],
    };
    expect(routeOf({ match, cluster: 'site' })?.match).toEqual({
      pathRegex: '^/v[12]/',
      methods: ['GET', 'Custom'],
      headers: [
        { name: 'x-canary', exact: 'Yes' },
        { name: 'accept', regex: 'json' },
      ],
      query: [{ name: '\xc3\xa9', exact: '\xc3\xbc' }],
      cookies: [{ name: 'Region', present: true }],
      sources: [{ family: 4, words: [0x0a000000, 0, 0, 0], bits: 8 }],
    });
  });

  test('shares, rewriting and header edits of what goes to an endpoint', () => {
    const route = {
      clusters: { site: 95 },
      rewrite: { path: '/', host: 'Internal:80' },
      requestHeaders: { set: { 'X-A': '1' }, add: { 'X-B': '2' }, remove: ['X-C'] },
      responseHeaders: { remove: ['Server'] },
      timeout: '5s',
    };
    expect(routeOf(route)).toEqual({
      name: 'routes[0]',
      match: {},
      action: {
        kind: 'forward',
        clusters: [{ cluster: 'site', weight: 95 }],
        timeoutMs: 5_000,
        rewrite: { path: '/', host: 'internal:80' },
        requestHeaders: { set: [{ name: 'X-A', value: '1' }], add: [{ name: 'X-B', value: '2' }], remove: ['X-C'] },
      },
      responseHeaders: { set: [], add: [], remove: ['Server'] },
    });
  });

  test('a redirect and an answer with their defaults', () => {
    expect(routeOf({ redirect: { scheme: 'https' } })?.action).toEqual({
      kind: 'redirect',
      status: 302,
      scheme: 'https',
    });
    expect(routeOf({ respond: {} })?.action).toEqual({
      kind: 'respond',
      status: 200,
      body: '',
      contentType: 'text/plain; charset=utf-8',
    });
  });

  test('which paths can be matched depends on what the listener does to them', () => {
    const withPaths = (path: string, paths: object) => ({
      listeners: { web: { address: '127.0.0.1:1', paths, routes: [{ match: { path }, cluster: 'site' }] } },
      clusters,
    });
    expect(problemsOf(withPaths('/a%2Fb', {}))).toEqual([
      expect.stringContaining('routes[0].match.path: "/a%2Fb" has %2F'),
    ]);
    expect(problemsOf(withPaths('/a%2Fb', { encodedSlashes: 'keep' }))).toEqual([]);
    expect(problemsOf(withPaths('/a//b', {}))).toEqual([expect.stringContaining('could never match')]);
    expect(problemsOf(withPaths('/a//b', { mergeSlashes: false }))).toEqual([]);
  });

  test('a name with _ can be matched where the listener lets it pass', () => {
    const route = { match: { headers: { a_b: 'c' } }, cluster: 'site' };
    const web = { address: '127.0.0.1:1', routes: [route] };
    expect(problemsOf({ listeners: { web }, clusters })).toEqual([
      expect.stringContaining('match.headers.a_b: header fields'),
    ]);
    expect(problemsOf({ listeners: { web: { ...web, underscores: 'allow' } }, clusters })).toEqual([]);
  });

  test('a value that YAML takes for something else is answered with quotes', () => {
    const result = validateConfig(withRoutes({ match: { headers: { 'x-canary': true } }, cluster: 'site' }));
    expect(result).toMatchObject({
      problems: [{ remedy: expect.stringMatching(/; in quotes it is a text: "true"$/) }],
    });
  });

  test('a cluster that only a share names is used, and must exist', () => {
    expect(warningsOf(withRoutes({ clusters: { site: 1 } }))).toEqual([]);
    expect(problemsOf(withRoutes({ clusters: { site: 1, sit: 1 } }))).toEqual([
      'listeners.web.routes[0].clusters.sit: there is no cluster "sit"',
    ]);
  });
});

describe('problems between values', () => {
  test('schema problems and cross checks are reported together', () => {
    const input = {
      listeners: { web: { address: 'nowhere', cluster: 'sit', timeouts: { head: 5 } } },
      clusters: { site: { policy: 'rr', endpoints: ['a:1', 'A:1'] } },
    };
    expect(
      problemsOf(input)
        .map((text) => text.split(':', 1)[0])
        .sort(),
    ).toEqual([
      'clusters.site.endpoints[1]',
      'clusters.site.policy',
      'listeners.web.address',
      'listeners.web.cluster',
      'listeners.web.timeouts.head',
    ]);
  });

  test('an unknown cluster is answered with the one that was meant', () => {
    const result = validateConfig({ ...MINIMAL, listeners: { web: { address: '127.0.0.1:1', cluster: 'Site' } } });
    expect(result).toMatchObject({ problems: [{ path: 'listeners.web.cluster', remedy: 'did you mean "site"?' }] });
  });

  test('a listener has routes or a cluster, not both and not none', () => {
    const address = '127.0.0.1:1';
    const both = { listeners: { web: { address, cluster: 'site', routes: [{ cluster: 'site' }] } }, clusters };
    expect(problemsOf(both)).toEqual(['listeners.web.cluster: `cluster` and `routes` exclude each other']);
    const none = { listeners: { web: { address } }, clusters };
    expect(problemsOf(none)).toEqual(['listeners.web: this listener leads nowhere']);
  });

  test('a tcp listener has a cluster, and nothing that is for http', () => {
    const web = {
      address: '127.0.0.1:1',
      protocol: 'tcp',
      routes: [],
      limits: { head: 1 },
      timeouts: { head: '1s', idle: '1s' },
    };
    expect(problemsOf({ listeners: { web }, clusters }).sort()).toEqual([
      'listeners.web.cluster: `cluster` is missing',
      'listeners.web.limits.head: `limits.head` is for http listeners, and this one is tcp',
      'listeners.web.routes: `routes` is for http listeners, and this one is tcp',
      'listeners.web.timeouts.head: `timeouts.head` is for http listeners, and this one is tcp',
    ]);
  });

  test('a PROXY header is accepted only where somebody is trusted, and required from everybody only with a warning', () => {
    const listeners = (proxyProtocol: string, trustedProxies: string[]) => {
      return { web: { ...MINIMAL.listeners.web, proxyProtocol, trustedProxies } };
    };
    const accept = { listeners: listeners('accept', []), clusters };
    expect(problemsOf(accept)).toEqual(['listeners.web.proxyProtocol: nobody is trusted to send a PROXY header']);
    expect(warningsOf({ listeners: listeners('require', []), clusters })).toEqual([
      'listeners.web.proxyProtocol: whoever can connect can claim any address',
    ]);
    for (const mode of ['accept', 'require']) {
      const input = { listeners: listeners(mode, ['10.0.0.0/8']), clusters };
      expect([problemsOf(input), warningsOf(input)]).toEqual([[], []]);
    }
  });

  test.each(['10.0.0.1/8', '10.0.0.0/33', '10.0.0', 'localhost', '::ffff:10.0.0.0/104', ''])(
    'trustedProxies: %j is refused',
    (text) => {
      const web = { ...MINIMAL.listeners.web, trustedProxies: [text] };
      expect(problemsOf({ listeners: { web }, clusters })).toEqual([
        expect.stringMatching(/^listeners\.web\.trustedProxies\[0\]: /),
      ]);
    },
  );

  test('a protocol that does not exist hides no other problem of its listener', () => {
    const web = { address: '127.0.0.1:1', protocol: 'htpp', cluster: 'site', limit: {}, timeouts: { head: 1 } };
    expect(
      problemsOf({ listeners: { web }, clusters })
        .map((text) => text.split(':', 1)[0])
        .sort(),
    ).toEqual(['listeners.web.limit', 'listeners.web.protocol', 'listeners.web.timeouts.head']);
  });

  test.each([
    ['127.0.0.1:80', '127.0.0.1:80'],
    ['[::1]:80', '[0::1]:80'],
    ['localhost:80', '127.0.0.1:80'],
    ['unix:/a', 'unix:/a'],
  ])('listeners on %s and %s exclude each other', (one, two) => {
    const listeners = { one: { address: one, cluster: 'site' }, two: { address: two, cluster: 'site' } };
    expect(problemsOf({ listeners, clusters })).toEqual([
      expect.stringMatching(/^listeners\.two\.address: .* is already/),
    ]);
  });

  test('an address within another one is a warning; two times port 0 is nothing', () => {
    const wide = { one: { address: '0.0.0.0:80', cluster: 'site' }, two: { address: '127.0.0.1:80', cluster: 'site' } };
    expect(problemsOf({ listeners: wide, clusters })).toEqual([]);
    expect(warningsOf({ listeners: wide, clusters })).toEqual([
      expect.stringMatching(/^listeners\.two\.address: .* overlap/),
    ]);
    const zero = { one: { address: '127.0.0.1:0', cluster: 'site' }, two: { address: '127.0.0.1:0', cluster: 'site' } };
    expect(warningsOf({ listeners: zero, clusters })).toEqual([]);
  });

  test.each(['127.0.0.1:9947', '0.0.0.0:9947'])(
    'a listener on %s is in the way of the admin API, unless that is off',
    (address) => {
      const input = { listeners: { web: { address, cluster: 'site' } }, clusters };
      expect(problemsOf(input)).toEqual(['listeners.web.address: the admin API already answers on 127.0.0.1:9947']);
      expect(problemsOf({ ...input, admin: 'off' })).toEqual([]);
    },
  );

  test('an admin API that others can reach needs a token', () => {
    const address = '0.0.0.0:9947';
    expect(problemsOf({ ...MINIMAL, admin: { address } })).toEqual([
      'admin.address: 0.0.0.0:9947 may be reached from other machines, and no token is asked for there',
    ]);
    expect(problemsOf({ ...MINIMAL, admin: { address, token: 'sixteen-letters-and-more' } })).toEqual([]);
    expect(problemsOf({ ...MINIMAL, admin: { address, tokenFile: 'token' } })).toEqual([]);
    expect(problemsOf({ ...MINIMAL, admin: { address: '[::1]:9947' } })).toEqual([]);
  });

  test.each(['short', 'with a space in the middle', 'x'.repeat(257), 'ümlaut-ümlaut-ümlaut'])(
    '%s is no token',
    (token) => {
      expect(problemsOf({ ...MINIMAL, admin: { token } })).toEqual(['admin.token: this is no token']);
    },
  );

  test('a token may stand in a file of its own', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'fourseven-token-'));
    writeFileSync(join(directory, 'token'), 'sixteen-letters-and-more\n');
    writeFileSync(join(directory, 'bad'), 'short');
    const admin = (tokenFile: string) => checkConfig({ ...MINIMAL, admin: { tokenFile } }, directory);
    expect((await admin('token')).config?.admin).toMatchObject({ token: 'sixteen-letters-and-more' });
    for (const [file, message] of [
      ['absent', '"absent" cannot be read: ENOENT'],
      ['bad', 'what stands in "bad" is no token of 16 to 256 visible characters'],
    ] as const) {
      const result = await admin(file);
      expect(result.config).toBeUndefined();
      expect('problems' in result && result.problems.map((problem) => problem.message)).toEqual([message]);
    }
    rmSync(directory, { recursive: true });
  });

  test('an endpoint named twice is a problem, however it is written', () => {
    const input = { ...MINIMAL, clusters: { site: { endpoints: ['a.b:1', { address: 'A.B.:1', weight: 2 }] } } };
    expect(problemsOf(input)).toEqual(['clusters.site.endpoints[1]: a.b:1 is already clusters.site.endpoints[0]']);
  });

  test('a route name used twice is a problem within a listener only', () => {
    const routes = [{ name: 'a', match: { path: '/a' }, cluster: 'site' }];
    const again = [...routes, { name: 'a', match: { path: '/b' }, cluster: 'site' }];
    expect(problemsOf(withRoutes(...again))).toEqual([
      'listeners.web.routes[1].name: "a" is already listeners.web.routes[0]',
    ]);
    const listeners = { one: { address: '127.0.0.1:1', routes }, two: { address: '127.0.0.1:2', routes } };
    expect(problemsOf({ listeners, clusters })).toEqual([]);
  });

  test('a grace longer than the deadline is a problem', () => {
    expect(problemsOf({ ...MINIMAL, drain: { grace: '10s', deadline: '5s' } })).toEqual([
      'drain.grace: the grace of 10s is longer than the deadline of 5s',
    ]);
  });

  test('a cluster that nobody uses is a warning', () => {
    const input = { ...MINIMAL, clusters: { ...clusters, spare: clusters.site } };
    expect(warningsOf(input)).toEqual(['clusters.spare: no listener leads to this cluster']);
  });

  test.each<[string, Record<string, unknown>[], number[]]>([
    ['the same match again', [{ path: '/a' }, { path: '/a' }], [1]],
    ['a second catch-all', [{}, {}], [1]],
    ['hosts that earlier routes share out', [{ hosts: ['a.b'] }, { hosts: ['c.d'] }, { hosts: ['C.D', 'a.b.'] }], [2]],
    [
      'no path beside /* of the same host, wherever it stands',
      [{ hosts: ['a.b'] }, { hosts: ['a.b'], path: '/*' }],
      [0],
    ],
    ['one host of two still free', [{ hosts: ['a.b'] }, { hosts: ['a.b', 'c.d'] }], []],
    ['exact and prefix', [{ path: '/a/*' }, { path: '/a' }], []],
    ['exact host and wildcard', [{ hosts: ['*.b'] }, { hosts: ['a.b'] }], []],
    ['no host and a host', [{ path: '/a' }, { hosts: ['a.b'], path: '/a' }], []],
    ['a host named twice in one route', [{ hosts: ['a.b', 'A.b'] }], []],
    [
      'the same conditions in another order',
      [
        { methods: ['GET', 'PUT'], headers: { 'X-A': 'b', c: 'd' } },
        { headers: { c: 'd', 'x-a': 'b' }, methods: ['PUT', 'GET'] },
      ],
      [1],
    ],
    ['the same path with and without a condition', [{ path: '/a' }, { path: '/a', cookies: { a: 'b' } }], []],
    ['/* with a condition beside no path', [{ path: '/*', methods: ['GET'] }, {}], []],
    ['no path but a condition beside /*', [{ methods: ['GET'] }, { path: '/*' }], [0]],
    ['a pattern beside /*', [{ pathRegex: '^/a' }, { path: '/*' }], []],
    ['the same pattern again', [{ pathRegex: '^/a' }, { pathRegex: '^/a' }], [1]],
  ])('routes that nothing reaches are warnings: %s', (_, matches, shadowed) => {
    const input = withRoutes(...matches.map((match) => ({ match, cluster: 'site' })));
    expect(problemsOf(input)).toEqual([]);
    expect(warningsOf(input).map((text) => text.split(':', 1)[0])).toEqual(
      shadowed.map((index) => `listeners.web.routes[${index}]`),
    );
  });

  test('ten thousand routes are checked without a second thought', () => {
    const routes = Array.from({ length: 10_000 }, (_, index) => ({ match: { path: `/r${index}/*` }, cluster: 'site' }));
    expect(accepted(withRoutes(...routes)).listeners[0]).toMatchObject({ routes: { length: 10_000 } });
  });

  test('thousands of wrong listeners, routes and clusters are answered within the time of a test', () => {
    const many = <T>(count: number, one: (index: number) => T) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`name-${index}`, one(index)]));
    const listeners = many(10_000, (index) => ({ address: `127.0.0.1:${index}`, cluster: `nome-${index}` }));
    const problems = problemsOf({ listeners, clusters: many(10_000, () => clusters.site) });
    expect(problems).toContain('listeners: there are too many listeners');
    expect(problems).toContain('listeners.name-9999.cluster: there is no cluster "nome-9999"');
  });

  test('__proto__ is no name, and pollutes nothing', () => {
    const input: unknown = JSON.parse(
      '{"listeners":{"__proto__":{"address":"127.0.0.1:1","cluster":"site"}},"clusters":{"site":{"endpoints":["a:1"]}},"__proto__":{"x":1}}',
    );
    expect(problemsOf(input)).toContain('listeners.__proto__: "__proto__" is not a name');
    expect(problemsOf(input)).toContain('__proto__: there is no option "__proto__"');
    expect(({} as Record<string, unknown>).address).toBeUndefined();
  });
});

describe('keys that do not exist', () => {
  test.each<[string, unknown, string, string]>([
    ['a near miss', { ...MINIMAL, listners: {} }, 'listners', 'did you mean `listeners`?'],
    [
      'another spelling',
      { ...MINIMAL, clusters: { site: { ...clusters.site, end_points: [] } } },
      'clusters.site.end_points',
      'did you mean `endpoints`?',
    ],
    [
      'nothing close',
      { ...MINIMAL, tls: {} },
      'tls',
      'remove it; known here: $schema, shards, engine, user, log, admin, acme, tracing, drain, listeners, clusters',
    ],
    [
      'within a list',
      withRoutes({ cluster: 'site', tmeout: '1s' }),
      'listeners.web.routes[0].tmeout',
      'did you mean `timeout`?',
    ],
    ['within a choice', { ...MINIMAL, admin: { adress: '127.0.0.1:1' } }, 'admin.adress', 'did you mean `address`?'],
  ])('%s is answered with a remedy', (_, input, path, remedy) => {
    expect(validateConfig(input)).toMatchObject({ problems: [{ path, remedy }] });
  });
});
