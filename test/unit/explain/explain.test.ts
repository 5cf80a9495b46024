import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../../src/config/config.ts';
import type { ExplainRequest, Explanation } from '../../../src/explain/explanation.ts';
import { explain } from '../../../src/index.ts';

const clusters = {
  site: { endpoints: ['10.0.0.1:80', { address: 'b.internal:81', weight: 3 }] },
  next: { endpoints: ['unix:/n'] },
};

function configOf(...routes: object[]): ConfigInput {
  return { listeners: { web: { address: '127.0.0.1:8080', routes } }, clusters } as ConfigInput;
}

async function ask(routes: object[], request: ExplainRequest): Promise<Explanation> {
  return explain(configOf(...routes), request);
}

/** What is said of the first route. */
async function reason(match: object, request: Partial<ExplainRequest>): Promise<string> {
  const { routes } = await ask(
    [
      { match, cluster: 'site' },
      { name: 'rest', cluster: 'site' },
    ],
    { url: '/', ...request },
  );
  return routes[0]!.reason;
}

describe('an explanation', () => {
  test('names the route, the request as an endpoint gets it, and the endpoints with their weights', async () => {
    const routes = [
      {
        name: 'api',
        match: { path: '/v1/*' },
        clusters: { site: 9, next: 1 },
        rewrite: { path: '/', host: 'inner' },
        requestHeaders: { set: { 'X-A': '1' }, remove: ['cookie'] },
        timeout: '5s',
      },
    ];
    const headers = { Cookie: 'a=b', 'X-B': 'c', 'X-Forwarded-For': '1.2.3.4', Connection: 'x-b' };
    expect(await ask(routes, { method: 'POST', url: 'http://h:1/v1//a?b', headers, source: '2001:db8::1' })).toEqual({
      listener: 'web',
      client: '2001:db8::1',
      route: 'api',
      routes: [{ name: 'api', takes: true, reason: 'matches' }],
      outcome: {
        kind: 'forwarded',
        request: [
          'POST /a?b HTTP/1.1',
          'Host: inner',
          'X-A: 1',
          'X-Forwarded-For: 2001:db8::1',
          'X-Forwarded-Proto: http',
          'X-Forwarded-Host: h:1',
          `X-Request-Id: ${'0'.repeat(32)}`,
          '',
          '',
        ].join('\r\n'),
        timeoutMs: 5_000,
        clusters: [
          {
            name: 'site',
            weight: 9,
            policy: 'least-request',
            endpoints: [
              { address: '10.0.0.1:80', weight: 1 },
              { address: 'b.internal:81', weight: 3 },
            ],
          },
          { name: 'next', weight: 1, policy: 'least-request', endpoints: [{ address: 'unix:/n', weight: 1 }] },
        ],
      },
    });
  });

  test('shows the answer that a route gives itself', async () => {
    const routes = [
      { name: 'text', match: { path: '/t' }, respond: { status: 418, body: 'tée' } },
      { name: 'move', redirect: { scheme: 'https' } },
    ];
    expect((await ask(routes, { url: '/t' })).outcome).toEqual({
      kind: 'answered',
      status: 418,
      response: "HTTP/1.1 418 I'm a Teapot\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\n\r\ntée",
    });
    expect((await ask(routes, { url: 'http://a.b:8080/x?y' })).outcome).toMatchObject({
      status: 302,
      response: expect.stringContaining('Location: https://a.b/x?y\r\n'),
    });
    expect((await ask(routes, { method: 'HEAD', url: '/t' })).outcome).toMatchObject({
      response: expect.stringMatching(/Content-Length: 4\r\n\r\n$/),
    });
  });

  test.each<[object, Partial<ExplainRequest>, string]>([
    [{ hosts: ['a.b', '*.c'] }, {}, 'the host is not a.b or *.c'],
    [{ path: '/a/*' }, {}, 'the path is not /a or below it'],
    [{ path: '/a' }, {}, 'the path is not /a'],
    [{ path: '/*' }, { method: 'OPTIONS', url: '*' }, 'the request has no path'],
    [{ pathRegex: '^/a' }, {}, 'the path does not match ^/a'],
    [{ methods: ['PUT', 'POST', 'PATCH'] }, {}, 'the method is not PUT, POST or PATCH'],
    [{ sources: ['10.0.0.0/8'] }, { source: '11.0.0.1' }, 'the client is not in 10.0.0.0/8'],
    [{ headers: { 'X-A': 'b' } }, {}, 'there is no header x-a'],
    [{ headers: { 'X-A': 'b' } }, { headers: { 'x-a': 'c' } }, 'header x-a is not "b"'],
    [{ headers: { 'x-a': { regex: '^b' } } }, { headers: [['X-A', 'c']] }, 'header x-a does not match ^b'],
    [{ headers: { 'x-a': { present: true } } }, {}, 'there is no header x-a'],
    [{ cookies: { a: 'b' } }, { headers: { cookie: 'a=c' } }, 'cookie a is not "b"'],
    [{ query: { é: 'b' } }, { url: '/?x' }, 'there is no parameter é'],
    [{ query: { a: 'ü' } }, { url: '/?a=u' }, 'parameter a is not "ü"'],
    [{ hosts: ['a.b'], path: '/x', methods: ['PUT'] }, { url: 'http://a.b/y' }, 'the path is not /x'],
  ])('says of %o what does not fit first', async (match, request, why) => {
    expect(await reason(match, request)).toBe(why);
  });

  test.each<[object, string]>([
    [{ hosts: ['h'] }, 'has the more specific host'],
    [{ path: '/*' }, 'has the more specific path'],
    [{ methods: ['GET'] }, 'asks for a method'],
    [{ headers: { a: { present: true } } }, 'asks for more headers and cookies'],
    [{ query: { q: '1' } }, 'asks for more of the query'],
    [{ sources: ['0.0.0.0/0'] }, 'asks for a source'],
    [{}, 'stands earlier in the file'],
  ])('says what %o has over another route that matches', async (match, why) => {
    const winner = { name: 'winner', match, cluster: 'site' };
    const loser = { name: 'loser', cluster: 'site' };
    const { route, routes } = await ask([winner, loser], { url: 'http://h/?q=1', headers: { A: 'b' } });
    expect([route, routes[1]]).toEqual([
      'winner',
      { name: 'loser', takes: false, reason: `matches as well, but winner ${why}` },
    ]);
  });

  test.each([
    ['/a%2Fb', {}, 400],
    ['/a', { Host: 'a b' }, 400],
    ['/a', { 'Content-Length': 'x' }, 400],
    ['/elsewhere', {}, 404],
  ])('says that %s with %o is refused', async (url, headers, status) => {
    const explanation = await ask([{ match: { path: '/a' }, cluster: 'site' }], { url, headers });
    expect(explanation).toMatchObject({ route: undefined, outcome: { kind: 'refused', status } });
  });

  test('takes the client from a trusted proxy', async () => {
    const config = {
      listeners: {
        web: {
          address: '127.0.0.1:80',
          trustedProxies: ['10.0.0.0/8'],
          routes: [{ name: 'office', match: { sources: ['192.0.2.0/24'] }, cluster: 'site' }],
        },
      },
      clusters,
    } as ConfigInput;
    const request = { url: '/', headers: { 'X-Forwarded-For': '192.0.2.9' } };
    expect(await explain(config, { ...request, source: '10.0.0.1' })).toMatchObject({
      client: '192.0.2.9',
      route: 'office',
    });
    expect(await explain(config, { ...request, source: '11.0.0.1' })).toMatchObject({
      client: '11.0.0.1',
      route: undefined,
    });
  });

  test('is about the listener that is named, or on the port of the URL, or the first for http', async () => {
    const listeners = {
      db: { address: '127.0.0.1:1', protocol: 'tcp', cluster: 'site' },
      one: { address: '127.0.0.1:8080', cluster: 'site' },
      two: { address: '127.0.0.1:80', cluster: 'next' },
    };
    const config = { listeners, clusters } as ConfigInput;
    const listenerOf = async (request: ExplainRequest) => (await explain(config, request)).listener;
    expect(await listenerOf({ url: 'http://h/' })).toBe('two');
    expect(await listenerOf({ url: 'http://h:8080/' })).toBe('one');
    expect(await listenerOf({ url: 'http://h:9999/' })).toBe('one');
    expect(await listenerOf({ url: 'http://h:8080/', listener: 'two' })).toBe('two');
    await expect(listenerOf({ url: '/', listener: 'db' })).rejects.toThrow('there is no http listener "db"');
  });

  test.each<ExplainRequest>([
    { url: 'ftp://a/' },
    { url: 'a.b/c' },
    { url: '/a b' },
    { url: '/', method: 'G T' },
    { url: '/', headers: { 'a b': 'c' } },
    { url: '/', headers: { a: 'b\r\nc: d' } },
    { url: '/', source: 'localhost' },
  ])('of %o is refused, because the question makes no sense', async (request) => {
    await expect(ask([{ cluster: 'site' }], request)).rejects.toThrow(/^"/);
  });

  test('needs a configuration that is right', async () => {
    await expect(ask([{ cluster: 'nobody' }], { url: '/' })).rejects.toMatchObject({ code: 'config_invalid' });
  });
});
