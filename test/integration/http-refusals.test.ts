/** What is refused, with which status, whether the connection closes, and that no byte of it reaches an endpoint. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until, within } from './deadline.ts';
import { closedPort, get, HttpRig, post, postChunked, request } from './http-rig.ts';
import { field } from './origin-request.ts';
import { ENGINES } from './proxy-process.ts';

const HEAD_MAX_BYTES = 2048;
const LINE_MAX_BYTES = 512;
const HEADERS_MAX_COUNT = 10;
const BODY_MAX_BYTES = 1000;
const HEAD_MS = 400;
const BODY_MS = 400;
/** For a deadline to be noticed and its answer to arrive. */
const SLACK_MS = 250;

const MALFORMED: readonly (readonly [what: string, request: string])[] = [
  ['a bare LF for a line end', 'GET / HTTP/1.1\nHost: a\n\n'],
  ['a bare LF behind a field', 'GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n'],
  ['a bare CR in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n'],
  ['NUL in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n'],
  ['a control character in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX: y\x01z\r\n\r\n'],
  ['NUL in the target', 'GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['two spaces in the request line', 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a tab in the request line', 'GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a target of HTTP/0.9', 'GET /\r\n\r\n'],
  ['an empty name', 'GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n'],
  ['a space in a name', 'GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n'],
  ['a space before the colon', 'GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n'],
  ['no colon', 'GET / HTTP/1.1\r\nHost: a\r\nNonsense\r\n\r\n'],
  ['a folded line', 'GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n'],
  ['a space before the first field', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n'],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
  ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n'],
  ['a list for a Host', 'GET / HTTP/1.1\r\nHost: a, b\r\n\r\n'],
  ['a Host with user-info', 'GET / HTTP/1.1\r\nHost: me@a\r\n\r\n'],
  ['a Host with a port above 65535', 'GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n'],
  ['a Host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n'],
  ['another authority than Host', 'GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n'],
  ['another scheme than the listener', 'GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['user-info in the target', 'GET http://me@a/ HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a fragment', 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['%2F in the path', 'GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['%5C in the path', 'GET /a%5Cb HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['%00 in the path', 'GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a broken escape', 'GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a backslash', 'GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a relative target', 'GET a HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['* with another method than OPTIONS', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n'],
  [
    'Content-Length and Transfer-Encoding',
    request('POST', '/', ['Content-Length: 5', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
  ],
  ['two Content-Lengths', request('POST', '/', ['Content-Length: 5', 'Content-Length: 5'], 'hello')],
  ['a list of lengths', request('POST', '/', ['Content-Length: 5, 5'], 'hello')],
  ['a signed length', request('POST', '/', ['Content-Length: +5'], 'hello')],
  ['a hexadecimal length', request('POST', '/', ['Content-Length: 0x5'], 'hello')],
  ['an empty length', request('POST', '/', ['Content-Length: '], 'hello')],
  ['a length beyond any number', request('POST', '/', ['Content-Length: 9999999999999999999'], 'hello')],
  [
    'Transfer-Encoding twice',
    request('POST', '/', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
  ],
  ['two codings', request('POST', '/', ['Transfer-Encoding: gzip, chunked'], '0\r\n\r\n')],
  ['Transfer-Encoding in HTTP/1.0', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
];

describe.each(ENGINES)('refusals with the %s engine', (engine) => {
  let rig: HttpRig;

  beforeAll(async () => {
    const closed = await closedPort();
    rig = await HttpRig.start(engine, () => ({
      routes: [
        { match: { hosts: ['refused.test'] }, cluster: 'refused' },
        { match: { hosts: ['only.test'], path: '/only' }, cluster: 'origin' },
      ],
      listeners: {
        strict: {
          address: '127.0.0.1:0',
          timeouts: { head: `${HEAD_MS}ms`, body: `${BODY_MS}ms`, idle: `${HEAD_MS}ms` },
          limits: { head: HEAD_MAX_BYTES, headers: HEADERS_MAX_COUNT, line: LINE_MAX_BYTES, body: BODY_MAX_BYTES },
          routes: [{ match: { hosts: ['example.test'] }, cluster: 'origin' }],
        },
      },
      clusters: { refused: { endpoints: [`127.0.0.1:${closed}`] } },
    }));
  });

  afterEach(() => rig.reset());

  afterAll(() => rig.stop());

  /** Sends on a new connection, behind which a pooled upstream connection waits; nothing of it may arrive there. */
  async function expectRefused(status: number, text: string, listener = 'web'): Promise<void> {
    const before = rig.origin.byteCount;
    expect((await rig.client().ask(get('/canary'))).text).toBe('GET /canary');
    const canaryBytes = rig.origin.byteCount - before;
    const client = rig.client(listener).send(text);
    const answer = await client.answer();
    expect([answer.status, field(answer, 'connection')]).toEqual([status, 'close']);
    expect(await client.closed).toBe('');
    expect(client.received).toBe('');
    expect((await rig.client().ask(get('/canary'))).text).toBe('GET /canary');
    expect(rig.origin.byteCount).toBe(before + 2 * canaryBytes);
    expect(rig.origin.connections).toHaveLength(1);
  }

  it.each(MALFORMED)('answers 400 to %s and closes', (_, text) => expectRefused(400, text));

  it.each(MALFORMED)('answers 400 to %s as well when it comes byte by byte', async (_, text) => {
    const client = rig.client();
    await client.drip(text);
    expect((await client.answer()).status).toBe(400);
    expect(rig.origin.byteCount).toBe(0);
  });

  it.each([
    [405, 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n'],
    [501, request('POST', '/', ['Transfer-Encoding: gzip'])],
    [505, 'GET / HTTP/2.0\r\nHost: a\r\n\r\n'],
    [505, 'GET / HTTP/1.2\r\nHost: a\r\n\r\n'],
    [505, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    [417, request('GET', '/', ['Expect: miracles'])],
  ])('answers %i to %j and closes', (status, text) => expectRefused(status, text));

  it('leaves what is pipelined behind a refused request alone', () =>
    expectRefused(400, `GET / HTTP/1.1\r\n\r\n${get('/evil')}`));

  it('answers what came before a refused request', async () => {
    const client = rig.client().send(`${get('/fine')}GET / HTTP/9.9\r\n\r\n`);
    expect((await client.answer()).text).toBe('GET /fine');
    expect((await client.answer()).status).toBe(505);
    expect(await client.closed).toBe('');
  });

  describe('limits', () => {
    it('accepts a head of the largest size, and answers 431 to one byte more', async () => {
      const head = (length: number) => {
        const lines = Array.from({ length: 5 }, (_, i) => `X-${i}: ${'v'.repeat(380)}`);
        const empty = request('GET', '/', [...lines, 'X-Last: ']);
        return request('GET', '/', [...lines, `X-Last: ${'v'.repeat(length - empty.length)}`]);
      };
      expect(head(HEAD_MAX_BYTES)).toHaveLength(HEAD_MAX_BYTES);
      expect((await rig.client('strict').ask(head(HEAD_MAX_BYTES))).status).toBe(200);
      await expectRefused(431, head(HEAD_MAX_BYTES + 1), 'strict');
    });

    it('accepts the largest count of fields, and answers 431 to one more', async () => {
      const lines = Array.from({ length: HEADERS_MAX_COUNT - 1 }, (_, i) => `X-${i}: v`);
      expect((await rig.client('strict').ask(get('/', ...lines))).status).toBe(200);
      await expectRefused(431, get('/', ...lines, 'X-More: v'), 'strict');
    });

    it('accepts the longest line, and answers 414 or 431 to one byte more', async () => {
      const target = `/${'t'.repeat(LINE_MAX_BYTES - 'GET / HTTP/1.1\r\n'.length)}`;
      const value = 'v'.repeat(LINE_MAX_BYTES - 'X: \r\n'.length);
      expect((await rig.client('strict').ask(get(target, `X: ${value}`))).status).toBe(200);
      await expectRefused(414, get(`${target}t`), 'strict');
      await rig.reset();
      await expectRefused(431, get('/', `X: ${value}v`), 'strict');
    });

    it('answers 431 while an endless head is still coming', async () => {
      const client = rig.client('strict').send(`GET / HTTP/1.1\r\n${'X: y\r\n'.repeat(5)}`);
      for (let i = 0; i < 20 && !client.isClosed; i++) client.send(`Y: ${'y'.repeat(200)}\r\n`);
      expect((await client.answer()).status).toBe(431);
      expect(rig.origin.byteCount).toBe(0);
    });

    it('accepts the largest body, and answers 413 to one byte more', async () => {
      const largest = 'b'.repeat(BODY_MAX_BYTES);
      const size = BODY_MAX_BYTES.toString(16);
      expect((await rig.client('strict').ask(post('/', largest))).status).toBe(200);
      expect((await rig.client('strict').ask(postChunked('/', `${size}\r\n${largest}\r\n0\r\n\r\n`))).status).toBe(200);
      await rig.reset();
      await expectRefused(413, post('/', `${largest}b`), 'strict');
      await rig.reset();
      await expectRefused(413, postChunked('/', `${size}\r\n${largest}\r\n1\r\nb\r\n0\r\n\r\n`), 'strict');
    });

    it('answers 413 to chunks that become too many on the way, and cuts the upstream connection', async () => {
      const client = rig.client('strict').send(postChunked('/', '200\r\n'));
      const connection = await rig.origin.connection();
      client.send(`${'b'.repeat(0x200)}\r\n`);
      await rig.origin.until('the first chunk', () => connection.byteCount > 0x200);
      client.send('200\r\n');
      expect((await client.answer()).status).toBe(413);
      await connection.gone;
      expect(connection.requests).toHaveLength(0);
    });
  });

  describe('deadlines of a client', () => {
    it('answers 408 to a head that does not come to its end, however steadily it drips', async () => {
      const client = rig.client('strict').send('GET / HTTP/1.1\r\n');
      const start = performance.now();
      const dripping = setInterval(() => client.send('X'), HEAD_MS / 20);
      const answer = await client.answer().finally(() => clearInterval(dripping));
      expect(answer.status).toBe(408);
      expectAbout(performance.now() - start, HEAD_MS);
      await client.ended;
      expect(rig.origin.byteCount).toBe(0);
    });

    it('answers 408 to a second head that does not come to its end', async () => {
      const client = rig.client('strict');
      expect((await client.ask(get())).status).toBe(200);
      client.send('GET /never');
      expect((await client.answer()).status).toBe(408);
      await client.ended;
    });

    it.each([
      ['with a length', request('POST', '/', ['Content-Length: 100'], 'part')],
      ['in chunks', postChunked('/', '4\r\npart\r\n')],
    ])('answers 408 when a body %s stops coming, and cuts the upstream connection', async (_, text) => {
      const client = rig.client('strict').send(text);
      const start = performance.now();
      expect((await client.answer()).status).toBe(408);
      expectAbout(performance.now() - start, BODY_MS);
      await client.ended;
      const connection = await rig.origin.connection();
      await connection.gone;
      expect(connection.requests).toHaveLength(0);
    });

    it('waits for a body that goes on coming, however long that takes', async () => {
      const client = rig.client('strict').send(request('POST', '/', ['Content-Length: 12']));
      const start = performance.now();
      let sent = 0;
      const dripping = setInterval(() => ++sent <= 12 && client.send('b'), BODY_MS / 8);
      const answer = await client.answer().finally(() => clearInterval(dripping));
      expect(answer.status).toBe(200);
      expect(performance.now() - start).toBeGreaterThan(BODY_MS);
    });

    it('closes without a word when no request comes', async () => {
      const fresh = rig.client('strict');
      const idle = rig.client('strict');
      expect((await idle.ask(get())).status).toBe(200);
      await within(HEAD_MS + 2 * SLACK_MS, 'both are closed', Promise.all([fresh.closed, idle.closed]));
      expect([fresh.received, idle.received]).toEqual(['', '']);
    });
  });

  describe('what keeps the connection', () => {
    it('answers 404 where no route leads, and goes on', async () => {
      const client = rig.client('strict');
      expect((await client.ask(get('/', 'Host: elsewhere.test'))).status).toBe(404);
      expect((await client.ask(get('/here'))).text).toBe('GET /here');
      expect(rig.origin.requests).toHaveLength(1);
    });

    it('answers 404 to HEAD without a body', async () => {
      const client = rig.client('strict');
      const answer = await client.ask(request('HEAD', '/', ['Host: elsewhere.test']), { isHead: true });
      expect(answer.status).toBe(404);
      expect((await client.ask(get('/here'))).text).toBe('GET /here');
    });

    it('answers 404 to a body that is there already, and goes on behind it', async () => {
      const client = rig.client('strict').send(post('/', 'hello', 'Host: elsewhere.test') + get('/next'));
      expect((await client.answer()).status).toBe(404);
      expect((await client.answer()).text).toBe('GET /next');
    });

    it('answers 404 and closes when a body is still to come, which is never taken for a request', async () => {
      const smuggled = get('/smuggled');
      const client = rig.client('strict');
      const lines = ['Host: elsewhere.test', `Content-Length: ${smuggled.length}`];
      const answer = await client.ask(request('POST', '/', lines));
      expect([answer.status, field(answer, 'connection')]).toEqual([404, 'close']);
      client.send(smuggled);
      await client.ended;
      expect(rig.origin.byteCount).toBe(0);
    });

    it('answers 502 where nobody listens, and goes on', async () => {
      const client = rig.client();
      for (let i = 0; i < 2; i++) expect((await client.ask(get('/', 'Host: refused.test'))).status).toBe(502);
      expect((await client.ask(get('/here'))).text).toBe('GET /here');
    });

    it('closes after an error to a client of HTTP/1.0, which asked for more', async () => {
      const client = rig.client('strict');
      const answer = await client.ask('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
      expect([answer.status, field(answer, 'connection')]).toEqual([404, 'close']);
      expect(await client.closed).toBe('');
    });
  });

  it('accepts each kind of request byte by byte', async () => {
    const client = rig.client();
    const texts = [
      get('/a'),
      post('/b', 'hello'),
      postChunked('/c', '3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n'),
      'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
      get('http://example.test/d?e'),
      request('DELETE', '/f'),
    ];
    for (const text of texts) await client.drip(text);
    const bodies: string[] = [];
    for (let i = 0; i < texts.length; i++) bodies.push((await client.answer()).text);
    expect(bodies).toEqual(['GET /a', 'POST /b', 'POST /c', 'OPTIONS *', 'GET /d?e', 'DELETE /f']);
    expect(rig.origin.requests.map(({ body }) => body.toString())).toEqual(['', 'hello', 'abcde', '', '', '']);
  });

  it('counts each request once, with its status', async () => {
    const before =
      (await rig.proxy.metric('fourseven_http_requests_total{listener="strict",route="",cluster="",status="404"}')) ??
      0;
    await rig.client('strict').ask(get('/', 'Host: elsewhere.test'));
    await until(3000, 'the count', async () => {
      const now = await rig.proxy.metric(
        'fourseven_http_requests_total{listener="strict",route="",cluster="",status="404"}',
      );
      return now === before + 1;
    });
  });
});

function expectAbout(ms: number, deadlineMs: number): void {
  expect(ms).toBeGreaterThanOrEqual(deadlineMs - 5);
  expect(ms).toBeLessThan(deadlineMs + SLACK_MS);
}
