/** Which route a request takes, and what its head looks like when the endpoint sees it. */
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { get, HttpRig, post, request } from './http-rig.ts';
import { field, type OriginRequest } from './origin-request.ts';
import { Origin, plainAnswer } from './origin-server.ts';
import { ENGINES } from './proxy-process.ts';

/** Each of these clusters has an endpoint of its own, which answers with the name. */
const NAMES = ['api', 'api-exact', 'wildcard', 'deeper', 'admin', 'fallback'] as const;

describe.each(ENGINES)('routing with the %s engine', (engine) => {
  let rig: HttpRig;
  const named = new Map<string, Origin>();

  beforeAll(async () => {
    for (const name of NAMES) named.set(name, await Origin.start());
    rig = await HttpRig.start(engine, () => ({
      listeners: {
        routed: {
          address: '127.0.0.1:0',
          routes: [
            { cluster: 'fallback' },
            { match: { path: '/admin/*' }, cluster: 'admin' },
            { match: { hosts: ['*.example.test'] }, cluster: 'wildcard' },
            { match: { hosts: ['*.deep.example.test'] }, cluster: 'deeper' },
            { match: { hosts: ['api.example.test'], path: '/v1/*' }, cluster: 'api' },
            { match: { hosts: ['api.example.test'], path: '/v1/exact' }, cluster: 'api-exact' },
          ],
        },
        six: { address: '[::1]:0', cluster: 'origin' },
      },
      clusters: Object.fromEntries(NAMES.map((name) => [name, { endpoints: [`127.0.0.1:${named.get(name)!.port}`] }])),
    }));
    for (const [name, origin] of named) origin.onRequest = (_, connection) => connection.send(plainAnswer(name));
  });

  afterEach(() => rig.reset());

  afterAll(async () => {
    await rig.stop();
    for (const origin of named.values()) await origin.close();
    named.clear();
  });

  it.each([
    ['api.example.test', '/v1/a', 'api'],
    ['api.example.test', '/v1', 'api'],
    ['api.example.test', '/v1/exact', 'api-exact'],
    ['api.example.test', '/v1/exact?q', 'api-exact'],
    ['api.example.test', '/v1/exact/', 'api'],
    ['api.example.test', '/v10', 'wildcard'],
    ['API.Example.TEST:8080', '/v1/a', 'api'],
    ['api.example.test.', '/v1/a', 'api'],
    ['www.example.test', '/', 'wildcard'],
    ['a.b.example.test', '/', 'wildcard'],
    ['a.deep.example.test', '/', 'deeper'],
    ['deep.example.test', '/', 'wildcard'],
    ['example.test', '/', 'fallback'],
    ['other.test', '/v1/a', 'fallback'],
    ['other.test', '/admin/x', 'admin'],
    ['other.test', '/administrator', 'fallback'],
    ['www.example.test', '/admin/x', 'wildcard'],
    // What decides is the path as it will be forwarded.
    ['other.test', '/x/../admin/x', 'admin'],
    ['other.test', '//admin///x', 'admin'],
    ['other.test', '/%61dmin/x', 'admin'],
    ['other.test', '/admin/%2e%2e/x', 'fallback'],
    ['', '/', 'fallback'],
  ])('leads Host %j and %s to %s', async (host, target, name) => {
    expect((await rig.client('routed').ask(get(target, `Host: ${host}`))).text).toBe(name);
  });

  it('leads each request of a connection on its own', async () => {
    const client = rig.client('routed');
    expect((await client.ask(get('/', 'Host: a.example.test'))).text).toBe('wildcard');
    expect((await client.ask(get('/admin/', 'Host: b.test'))).text).toBe('admin');
    expect((await client.ask(get('/v1/', 'Host: api.example.test'))).text).toBe('api');
  });

  /** The request as the origin saw it. */
  async function forwarded(text: string, client = rig.client()): Promise<OriginRequest> {
    expect((await client.ask(text)).status).toBe(200);
    return rig.origin.requests.at(-1)!;
  }

  describe('the request line', () => {
    it.each([
      ['/a/b?c=d', '/a/b?c=d'],
      ['/', '/'],
      ['/?', '/?'],
      ['/a/./b/../c', '/a/c'],
      ['/../../etc/passwd', '/etc/passwd'],
      ['//a//b/', '/a/b/'],
      ['/%61%2D%7e', '/a-~'],
      ['/%c3%a4%3f', '/%C3%A4%3F'],
      ['/a?b=/../%2f%00', '/a?b=/../%2f%00'],
      ['http://example.test/a?b', '/a?b'],
      ['HTTP://EXAMPLE.test:80/a', '/a'],
      ['http://example.test', '/'],
      ['http://example.test?a', '/?a'],
    ])('forwards %s as %s', async (target, expected) => {
      const seen = await forwarded(get(target));
      expect([seen.target, seen.version]).toEqual([expected, 'HTTP/1.1']);
      expect(field(seen, 'host')).toBe('example.test');
    });

    it.each(['GET', 'get', 'PURGE', 'M-SEARCH', 'BREW', 'X'])('forwards the method %s as it is', async (method) => {
      expect((await forwarded(request(method, '/'))).method).toBe(method);
    });

    it('forwards OPTIONS *', async () => {
      expect((await forwarded(request('OPTIONS', '*'))).target).toBe('*');
    });
  });

  describe('fields of requests', () => {
    it('forwards what is not about the connection byte for byte, and says who asked', async () => {
      const own =
        'Host: Example.test:80\r\nX-Odd:   spaced\t \r\naccept: */*\r\nX-Empty:\r\nCookie: a=b; c="d"\r\nCookie: e\r\n';
      const seen = await forwarded(`GET /a HTTP/1.1\r\n${own}\r\n`);
      expect(seen.head).toBe(
        `GET /a HTTP/1.1\r\n${own}X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: Example.test:80\r\n\r\n`,
      );
    });

    it('drops what is about one connection only', async () => {
      const dropped = [
        'Keep-Alive: 5',
        'Proxy-Connection: keep-alive',
        'TE: trailers',
        'Proxy-Authorization: x',
        'Proxy: evil',
        'Upgrade: x',
      ];
      const seen = await forwarded(get('/', 'Connection: keep-alive', ...dropped, 'X-Kept: 1'));
      expect(seen.headers.map(([name]) => name)).toEqual([
        'Host',
        'X-Kept',
        'X-Forwarded-For',
        'X-Forwarded-Proto',
        'X-Forwarded-Host',
      ]);
    });

    it('drops what Connection names, but never what frames, routes or authenticates', async () => {
      const guarded = [
        'Host',
        'Content-Length',
        'Authorization',
        'Cookie',
        'X-Forwarded-For',
        'X-Forwarded-Proto',
        'X-Forwarded-Host',
        'Content-Type',
        'Range',
      ];
      const lines = [
        `Connection: X-Secret, ${guarded.join(', ')}`,
        'connection:x-other ,, close',
        'X-Secret: 1',
        'X-OTHER: 2',
        'X-Stays: 3',
      ];
      const values = ['Authorization: a', 'Cookie: b', 'Content-Type: c', 'Range: d'];
      const seen = await forwarded(post('/', 'hello', ...lines, ...values));
      for (const name of guarded) expect(field(seen, name.toLowerCase()), name).toBeDefined();
      expect([field(seen, 'x-secret'), field(seen, 'x-other'), field(seen, 'x-stays')]).toEqual([
        undefined,
        undefined,
        '3',
      ]);
      expect(seen.body.toString()).toBe('hello');
    });

    it('drops Transfer-Encoding nowhere but here: a chunked body named by Connection stays chunked', async () => {
      const seen = await forwarded(
        request('POST', '/', ['Connection: Transfer-Encoding', 'Transfer-Encoding: Chunked'], '3\r\nabc\r\n0\r\n\r\n'),
      );
      expect([field(seen, 'transfer-encoding'), seen.body.toString()]).toEqual(['chunked', 'abc']);
    });

    it('replaces what a client claims about itself', async () => {
      const claims = [
        'X-Forwarded-For: 6.6.6.6',
        'X-FORWARDED-FOR: 7.7.7.7',
        'x-forwarded-proto: https',
        'X-Forwarded-Host: evil.test',
        'Forwarded: for=6.6.6.6',
        'X-Real-IP: 6.6.6.6',
        'X-Forwarded-Port: 443',
        'X-Forwarded-Prefix: /x',
      ];
      const seen = await forwarded(get('/', ...claims));
      expect(seen.headers).toEqual([
        ['Host', 'example.test'],
        ['X-Forwarded-For', '127.0.0.1'],
        ['X-Forwarded-Proto', 'http'],
        ['X-Forwarded-Host', 'example.test'],
      ]);
    });

    it('drops names with an underscore, in trailers too', async () => {
      const framed = '1\r\na\r\n0\r\nX_Trailer: 1\r\nX-Trailer: 2\r\n\r\n';
      const seen = await forwarded(
        request('POST', '/', ['X_Forwarded_For: 6.6.6.6', 'Content_Length: 9', 'Transfer-Encoding: chunked'], framed),
      );
      expect(seen.headers.some(([name]) => name.includes('_'))).toBe(false);
      expect(seen.trailers).toBe('X-Trailer: 2\r\n');
    });

    it('tells the address of an IPv6 client', async () => {
      const seen = await forwarded(get(), rig.client('six', '::1'));
      expect(field(seen, 'x-forwarded-for')).toBe('::1');
    });
  });

  describe('fields of responses', () => {
    it('drops what is about the upstream connection, and keeps the rest byte for byte', async () => {
      const kept =
        'Server: x\r\nSet-Cookie: a=1; Path=/\r\nset-cookie: b=2\r\nX_Under: 1\r\nX-Odd:  v \r\nContent-Length: 2\r\n';
      rig.origin.onRequest = (_, connection) =>
        connection.send(
          `HTTP/1.1 200 Very Well\r\nConnection: keep-alive, X-Own\r\nKeep-Alive: timeout=5\r\nX-Own: 1\r\n${kept}\r\nok`,
        );
      expect((await rig.client().ask(get())).head).toBe(`HTTP/1.1 200 Very Well\r\n${kept}\r\n`);
    });

    it('does not let Connection take away what frames or authenticates', async () => {
      rig.origin.onRequest = (_, connection) =>
        connection.send(
          'HTTP/1.1 200 OK\r\nConnection: Content-Length, Set-Cookie\r\nSet-Cookie: a\r\nContent-Length: 2\r\n\r\nok',
        );
      const answer = await rig.client().ask(get());
      expect([answer.text, field(answer, 'set-cookie')]).toEqual(['ok', 'a']);
    });

    it('does not close the client because the endpoint closes', async () => {
      rig.origin.onRequest = (_, connection) =>
        connection.send('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
      const client = rig.client();
      for (let i = 0; i < 2; i++) {
        const answer = await client.ask(get());
        expect([answer.text, field(answer, 'connection')]).toEqual(['ok', undefined]);
      }
    });
  });

  describe("Node's own client", () => {
    it('gets its answers over one connection, with bodies both ways', async () => {
      rig.origin.onRequest = (origin, connection) => connection.send(plainAnswer(`${origin.method} ${origin.body}`));
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      try {
        expect(await exchange(agent, 'GET')).toEqual([200, 'GET ']);
        expect(await exchange(agent, 'POST', 'hello')).toEqual([200, 'POST hello']);
        // Without a length node:http sends chunks.
        expect(await exchange(agent, 'PUT', 'wor', 'ld')).toEqual([200, 'PUT world']);
        expect(rig.origin.connections).toHaveLength(1);
      } finally {
        agent.destroy();
      }
    });

    async function exchange(agent: Agent, method: string, ...pieces: string[]): Promise<[number, string]> {
      const headers = pieces.length === 1 ? { 'content-length': pieces[0]!.length } : {};
      const sent = httpRequest({ port: rig.proxy.port('web'), host: '127.0.0.1', agent, method, path: '/', headers });
      for (const piece of pieces) sent.write(piece);
      sent.end();
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        sent.once('response', resolve);
        sent.once('error', reject);
      });
      let text = '';
      for await (const piece of answer) text += piece;
      return [answer.statusCode!, text];
    }
  });
});
