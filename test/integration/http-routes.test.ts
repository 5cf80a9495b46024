/** What becomes of a request by its route, through the whole proxy: shares, rewriting, redirects, answers, header edits, matchers. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/config/config.ts';
import { get, HttpRig, post, request } from './http-rig.ts';
import { field } from './origin-request.ts';
import { Origin, plainAnswer } from './origin-server.ts';
import { ENGINES } from './proxy-process.ts';

const ROUTES = [
  { name: 'canary', match: { path: '/api/*', headers: { 'x-canary': 'true' } }, cluster: 'other' },
  { name: 'api', match: { path: '/api/*' }, clusters: { origin: 95, other: 5 } },
  { name: 'prefix', match: { path: '/v1/*' }, cluster: 'origin', rewrite: { path: '/v2', host: 'Internal:81' } },
  { name: 'exact', match: { path: '/old' }, cluster: 'origin', rewrite: { path: '/new/place' } },
  {
    name: 'edited',
    match: { path: '/edited' },
    cluster: 'origin',
    requestHeaders: { set: { 'X-Set': 'ours', 'X-New': '1' }, add: { 'X-Add': 'more' }, remove: ['X-Gone', 'Accept'] },
    responseHeaders: { set: { Server: 'edge' }, add: { 'X-Add': 'us' }, remove: ['X-Powered-By'] },
  },
  { name: 'https', match: { hosts: ['plain.test'] }, redirect: { scheme: 'https', status: 308 } },
  { name: 'moved', match: { path: '/moved/*' }, redirect: { path: '/to', host: 'new.test', port: 8443 } },
  {
    name: 'text',
    match: { path: '/hello' },
    respond: { body: 'hello, wörld\n' },
    responseHeaders: { set: { 'X-A': 'b' } },
  },
  { name: 'elsewhere', match: { path: '/elsewhere' }, redirect: { path: '/there' } },
  { name: 'large', match: { path: '/large' }, respond: { body: 'é'.repeat(65_536) } },
  { name: 'gone', match: { path: '/gone' }, respond: { status: 410 } },
  { name: 'empty', match: { path: '/empty' }, respond: { status: 204 } },
  { name: 'nearby', match: { path: '/office', sources: ['127.0.0.0/8'] }, respond: { body: 'welcome' } },
  { name: 'far', match: { path: '/far', sources: ['10.0.0.0/8'] }, respond: { body: 'never' } },
  { name: 'get', match: { path: '/m', methods: ['GET'] }, respond: { body: 'get' } },
  { name: 'any', match: { path: '/m' }, respond: { body: 'any' } },
  {
    name: 'pattern',
    match: { pathRegex: '^/user/\\d+$', query: { full: '1' }, cookies: { a: 'b' } },
    respond: { body: 'user' },
  },
  { name: 'slow', match: { path: '/slow' }, cluster: 'origin', timeout: '100ms' },
];

const LARGE = Buffer.from('é'.repeat(65_536));

describe.each(ENGINES)('routes through the %s engine', (engine) => {
  let rig: HttpRig;
  let other: Origin;

  beforeAll(async () => {
    other = await Origin.start();
    rig = await HttpRig.start(engine, (origin) => ({
      routes: ROUTES,
      listeners: {
        kept: {
          address: '127.0.0.1:0',
          paths: { encodedSlashes: 'keep', mergeSlashes: false },
          routes: [
            { match: { path: '/a%2Fb' }, respond: { body: 'encoded' } },
            { match: { path: '/a//b' }, respond: { body: 'empty segment' } },
            { cluster: 'origin' },
          ],
        },
        only: { address: '127.0.0.1:0', routes: [{ match: { path: '/there' }, cluster: 'origin' }] },
      } as ConfigInput['listeners'],
      clusters: {
        other: { endpoints: [`127.0.0.1:${other.port}`] },
        spare: { endpoints: [`127.0.0.1:${origin.port}`] },
      },
    }));
  });
  afterEach(() => rig.reset());
  afterAll(async () => {
    await rig.stop();
    await other.close();
  });

  test('share requests out exactly: 95 and 5 of every hundred, the few among the many', async () => {
    const before = other.requests.length;
    const client = rig.client();
    const places: number[] = [];
    for (let index = 0; index < 200; index++) {
      await client.ask(get(`/api/${index}`));
      if (other.requests.length > before + places.length) places.push(index);
    }
    expect(places).toHaveLength(10);
    const gaps = places.slice(1).map((place, index) => place - places[index]!);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(19);
  });

  test('send a canary where its header says', async () => {
    const before = other.requests.length;
    for (let index = 0; index < 5; index++) await rig.client().ask(get('/api/x', 'X-Canary: true'));
    expect(other.requests.length).toBe(before + 5);
    await rig.client().ask(get('/api/x', 'X-Canary: false'));
    expect(rig.origin.requests).toHaveLength(1);
  });

  test.each([
    ['/v1/users?id=1', '/v2/users?id=1'],
    ['/v1', '/v2'],
    ['/v1/', '/v2/'],
    ['/v1?a', '/v2?a'],
    ['//v1/./x/../y', '/v2/y'],
    ['http://example.test/v1/z', '/v2/z'],
  ])('rewrite the prefix of %s to %s', async (target, seen) => {
    await rig.client().ask(get(target));
    expect((await rig.origin.request()).target).toBe(seen);
  });

  test('rewrite a whole exact path, and keep its query', async () => {
    await rig.client().ask(get('/old?q'));
    expect((await rig.origin.request()).target).toBe('/new/place?q');
  });

  test('rewrite the host, once, and still say what was asked for', async () => {
    await rig.client().ask(get('/v1/a'));
    const seen = await rig.origin.request();
    expect(field(seen, 'host')).toBe('internal:81');
    expect(field(seen, 'x-forwarded-host')).toBe('example.test');
    await rig.client().ask('GET /v1/a HTTP/1.0\r\n\r\n');
    expect(field(await rig.origin.request(1), 'host')).toBe('internal:81');
  });

  test('remove, set and add header fields of requests, on any line and in any case', async () => {
    const lines = ['x-set: theirs', 'X-GONE: 1', 'x-add: theirs', 'X-Set: again', 'x-kept: k', 'Accept: */*'];
    await rig.client().ask(post('/edited', 'body', ...lines));
    const seen = await rig.origin.request();
    expect(field(seen, 'x-set')).toBe('ours');
    expect(field(seen, 'x-new')).toBe('1');
    expect(field(seen, 'x-add')).toBe('theirs, more');
    expect(field(seen, 'x-gone')).toBeUndefined();
    expect(field(seen, 'accept')).toBeUndefined();
    expect(field(seen, 'x-kept')).toBe('k');
    expect(seen.body.toString()).toBe('body');
  });

  test('remove, set and add header fields of responses, whatever their body', async () => {
    const head = 'HTTP/1.1 200 OK\r\nserver: origin\r\nX-Powered-By: x\r\nx-add: them\r\n';
    const client = rig.client();
    for (const rest of ['Content-Length: 2\r\n\r\nok', 'Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n']) {
      rig.origin.onRequest = (_request, connection) => connection.send(`${head}${rest}`);
      const answer = await client.ask(get('/edited'));
      expect([field(answer, 'server'), field(answer, 'x-add'), field(answer, 'x-powered-by')]).toEqual([
        'edge',
        'them, us',
        undefined,
      ]);
      expect(answer.text).toBe('ok');
    }
  });

  test('leave interim answers as they are', async () => {
    rig.origin.onRequest = (_request, connection) =>
      connection.send(`HTTP/1.1 103 Early Hints\r\nServer: origin\r\n\r\n${plainAnswer('ok')}`);
    const client = rig.client();
    const hints = await client.ask(get('/edited'));
    expect([hints.status, field(hints, 'server')]).toEqual([103, 'origin']);
    expect(field(await client.answer(), 'server')).toBe('edge');
  });

  test.each([
    ['/a?b=c', 'plain.test', 308, 'https://plain.test/a?b=c'],
    ['/a/../%7eb', 'PLAIN.test:8080', 308, 'https://PLAIN.test/~b'],
    ['/moved/a?q', 'example.test', 302, 'http://new.test:8443/to/a?q'],
    ['/moved', 'example.test', 302, 'http://new.test:8443/to'],
  ])('redirect %s of %s', async (target, host, status, location) => {
    const answer = await rig.client().ask(get(target, `Host: ${host}`));
    expect([answer.status, field(answer, 'location'), answer.text]).toEqual([status, location, '']);
    expect(rig.origin.requests).toEqual([]);
  });

  test('refuse to redirect where nobody said to which host', async () => {
    expect((await rig.client().ask('GET /elsewhere HTTP/1.0\r\n\r\n')).status).toBe(400);
    const answer = await rig.client().ask('GET /moved/a HTTP/1.0\r\n\r\n');
    expect(field(answer, 'location')).toBe('http://new.test:8443/to/a');
  });

  test('answer by themselves, and keep the connection', async () => {
    const client = rig.client();
    const hello = await client.ask(get('/hello'));
    expect([hello.status, hello.body.toString('utf8'), field(hello, 'x-a')]).toEqual([200, 'hello, wörld\n', 'b']);
    expect(field(hello, 'content-type')).toBe('text/plain; charset=utf-8');
    const head = await client.ask(request('HEAD', '/hello'), { isHead: true });
    expect([head.status, field(head, 'content-length')]).toEqual([200, '14']);
    const gone = await client.ask(get('/gone'));
    expect([gone.status, gone.text, field(gone, 'content-length')]).toEqual([410, '', '0']);
    const empty = await client.ask(get('/empty'));
    expect([empty.status, field(empty, 'content-length')]).toEqual([204, undefined]);
    expect((await client.ask(get('/hello'))).status).toBe(200);
    expect(client.isClosed).toBe(false);
  });

  test('answer many at once with a large text, each in full', async () => {
    const clients = Array.from({ length: 8 }, () => rig.client());
    for (const client of clients) client.send(get('/large').repeat(8));
    for (const client of clients) {
      for (let index = 0; index < 8; index++) {
        const answer = await client.answer();
        expect([answer.body.length, answer.body.equals(LARGE)]).toEqual([131_072, true]);
      }
    }
  });

  test('answer a request whose body is here, and go on behind it', async () => {
    const client = rig.client();
    expect((await client.ask(post('/hello', 'x'.repeat(1000)))).status).toBe(200);
    expect((await client.ask(get('/gone'))).status).toBe(410);
  });

  test('answer a request whose body is still to come, and end the connection', async () => {
    const client = rig.client();
    const answer = await client.ask(request('POST', '/hello', ['Content-Length: 1000'], 'part'));
    expect([answer.status, field(answer, 'connection')]).toEqual([200, 'close']);
    await client.ended;
  });

  test('answer HTTP/1.0 and `Connection: close` once', async () => {
    for (const text of ['GET /hello HTTP/1.0\r\n\r\n', get('/hello', 'Connection: close')]) {
      const client = rig.client();
      expect(field(await client.ask(text), 'connection')).toBe('close');
      await client.ended;
    }
  });

  test('match by source, method, pattern, query and cookie', async () => {
    const client = rig.client();
    const textOf = async (text: string) => (await client.ask(text)).text;
    expect(await textOf(get('/office'))).toBe('welcome');
    expect(await textOf(get('/far'))).toBe('GET /far');
    expect(await textOf(get('/m'))).toBe('get');
    expect(await textOf(request('PURGE', '/m'))).toBe('any');
    expect(await textOf(get('/user/42?x&full=1', 'Cookie: c=d; a=b'))).toBe('user');
    expect(await textOf(get('/user/42?x&full=1'))).toBe('GET /user/42?x&full=1');
    expect(await textOf(get('/user/x?full=1', 'Cookie: a=b'))).toBe('GET /user/x?full=1');
  });

  test('give up on an endpoint after the time of the route', async () => {
    rig.origin.onRequest = () => {};
    expect((await rig.client().ask(get('/slow'))).status).toBe(504);
  });

  test('answer 404 where nothing matches', async () => {
    const client = rig.client('only');
    expect((await client.ask(get('/elsewhere'))).status).toBe(404);
    expect((await client.ask(get('/there'))).status).toBe(200);
  });

  test('keep encoded slashes and empty segments where the listener says so', async () => {
    const client = rig.client('kept');
    expect((await client.ask(get('/a%2fb'))).text).toBe('encoded');
    expect((await client.ask(get('/a//b'))).text).toBe('empty segment');
    expect((await client.ask(get('/x//y%5Cz/./%41'))).text).toBe('GET /x//y%5Cz/A');
    expect((await rig.client().ask(get('/a%2Fb'))).status).toBe(400);
  });

  test('count by route and cluster, a redirect without one', async () => {
    await rig.client().ask(get('/moved/a'));
    const text = await (await rig.proxy.admin('/metrics')).text();
    expect(text).toMatch(/fourseven_http_requests_total\{listener="web",route="moved",cluster="",status="302"\} [1-9]/);
  });
});
