/** What endpoints do wrong, and what becomes of the client, of the upstream connection, and of the request after that. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/engine/binding.ts';
import { until, within } from './deadline.ts';
import { deafEndpoint } from './deaf-endpoint.ts';
import type { HttpClient } from './http-client.ts';
import { closedPort, get, HttpRig, post, postChunked, request } from './http-rig.ts';
import { field } from './origin-request.ts';
import { type OriginConnection, plainAnswer } from './origin-server.ts';
import { ENGINES } from './proxy-process.ts';

const TIMEOUT_MS = 300;
const CONNECT_MS = 300;
/** For a deadline to be noticed and its answer to arrive, on a busy machine. */
const SLACK_MS = 250;
/** An upstream connection must be let go this soon after its client has gone. */
const GONE_MS = 100;

const OK = 'HTTP/1.1 200 OK\r\n';

const HOSTILE: readonly (readonly [what: string, response: string])[] = [
  ['no HTTP', 'hello\r\n\r\n'],
  ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['another version', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
  ['a bare LF behind the status line', 'HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n'],
  ['a bare LF behind a field', `${OK}Content-Length: 0\n\r\n`],
  ['a bare CR in a value', `${OK}X: a\rb\r\nContent-Length: 0\r\n\r\n`],
  ['NUL in a value', `${OK}X: a\0b\r\nContent-Length: 0\r\n\r\n`],
  ['NUL in the reason', 'HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n'],
  ['a folded line', `${OK}X: a\r\n b\r\nContent-Length: 0\r\n\r\n`],
  ['an empty name', `${OK}: a\r\nContent-Length: 0\r\n\r\n`],
  ['a space before the colon', `${OK}Content-Length : 0\r\n\r\n`],
  ['two lengths', `${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`],
  ['a list of lengths', `${OK}Content-Length: 1, 1\r\n\r\na`],
  ['a signed length', `${OK}Content-Length: -1\r\n\r\n`],
  ['an empty length', `${OK}Content-Length:\r\n\r\n`],
  ['a length beyond any number', `${OK}Content-Length: 99999999999999999999\r\n\r\n`],
  ['Content-Length and Transfer-Encoding', `${OK}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['two codings', `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
  ['an unknown coding', `${OK}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
  ['Transfer-Encoding in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['a chunk size that is no number', `${OK}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
  ['a chunk without its CR LF', `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n`],
  ['a forbidden trailer', `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\n\r\n`],
  ['a head without end', `${OK}${`X: ${'x'.repeat(1000)}\r\n`.repeat(70)}`],
  ['fields without end', `${OK}${'X: y\r\n'.repeat(400)}`],
  ['a line without end', `${OK}X: ${'x'.repeat(20_000)}`],
];

describe.each(ENGINES)('endpoints with the %s engine', (engine) => {
  let rig: HttpRig;
  let deaf: Awaited<ReturnType<typeof deafEndpoint>>;

  beforeAll(async () => {
    const closed = [await closedPort(), await closedPort()];
    deaf = await deafEndpoint();
    rig = await HttpRig.start(engine, ({ port }) => ({
      routes: [
        { match: { hosts: ['quick.test'] }, cluster: 'origin', timeout: `${TIMEOUT_MS}ms` },
        { match: { hosts: ['refused.test'] }, cluster: 'refused' },
        { match: { hosts: ['mixed.test'] }, cluster: 'mixed' },
        { match: { hosts: ['deaf.test'] }, cluster: 'deaf' },
        { match: { hosts: ['hasty.test'] }, cluster: 'deaf', timeout: '100ms' },
        { match: { hosts: ['halfdeaf.test'] }, cluster: 'halfdeaf', timeout: `${CONNECT_MS + TIMEOUT_MS}ms` },
      ],
      clusters: {
        refused: { endpoints: closed.map((it) => `127.0.0.1:${it}`) },
        mixed: { policy: 'round-robin', endpoints: [`127.0.0.1:${closed[0]}`, `127.0.0.1:${port}`] },
        deaf: { endpoints: [`127.0.0.1:${deaf.port}`], timeouts: { connect: `${CONNECT_MS}ms` } },
        halfdeaf: {
          policy: 'round-robin',
          endpoints: [`127.0.0.1:${deaf.port}`, `127.0.0.1:${port}`],
          timeouts: { connect: `${CONNECT_MS}ms` },
        },
      },
    }));
  });

  afterEach(async () => {
    await rig.reset();
    await until(2000, 'nothing is in flight', async () => (await inFlight()) === 0);
  });

  afterAll(async () => {
    await rig.stop();
    deaf.close();
  });

  async function inFlight(): Promise<number> {
    const { clusters } = await rig.proxy.status();
    return clusters.flatMap(({ endpoints }) => endpoints).reduce((sum, endpoint) => sum + endpoint.inFlight, 0);
  }

  function answerWith(text: string, then: (connection: OriginConnection) => void = () => {}): void {
    rig.origin.onRequest = (_, connection) => {
      connection.send(text);
      then(connection);
    };
  }

  async function expectCanary(client = rig.client()): Promise<void> {
    rig.origin.onRequest = (_, connection) => connection.send(plainAnswer('canary'));
    expect((await client.ask(get('/canary'))).text).toBe('canary');
  }

  describe('malformed responses', () => {
    it.each(HOSTILE)('answers 502 to %s, drops that connection, and goes on', async (_, text) => {
      answerWith(text);
      const client = rig.client();
      expect((await client.ask(get())).status).toBe(502);
      await within(GONE_MS, 'the upstream connection is let go', rig.origin.connections[0]!.gone);
      await expectCanary(client);
      expect(rig.origin.connections).toHaveLength(2);
    });

    it('never passes on the second of two responses to one request', async () => {
      answerWith(plainAnswer('first') + plainAnswer('evil'));
      const client = rig.client();
      expect((await client.ask(get())).text).toBe('first');
      await expectCanary(client);
      expect(client.received).toBe('');
    });

    it.each([
      ['HEAD', request('HEAD', '/'), `${OK}Content-Length: 4\r\n\r\nevil`],
      ['204', get(), 'HTTP/1.1 204 No Content\r\n\r\nevil'],
      ['304', get(), 'HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil'],
      ['a last chunk', get(), `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nevil`],
    ])('drops the connection when a body follows %s', async (_, text, response) => {
      answerWith(response);
      const client = rig.client().send(text);
      await client.answer({ isHead: text.startsWith('HEAD') });
      await expectCanary(client);
      await rig.origin.connections[0]!.gone;
    });

    it('drops an idle connection that says something, and the next client sees nothing of it', async () => {
      const client = rig.client();
      expect((await client.ask(get('/a'))).text).toBe('GET /a');
      const [connection] = rig.origin.connections;
      connection!.send(plainAnswer('evil'));
      await within(GONE_MS, 'the upstream connection is let go', connection!.gone);
      await expectCanary(client);
      await expectCanary();
    });
  });

  describe('responses that break off', () => {
    const parts: readonly (readonly [string, string])[] = [
      ['a length', `${OK}Content-Length: 10\r\n\r\npart`],
      ['a chunk', `${OK}Transfer-Encoding: chunked\r\n\r\na\r\npart`],
      ['a large chunk', `${OK}Transfer-Encoding: chunked\r\n\r\nfffff\r\npart`],
      ['no last chunk', `${OK}Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n`],
    ];
    it.each(parts)('cuts the client, which cannot take the answer for whole (%s, FIN)', async (_, text) => {
      answerWith(text);
      const client = rig.client().send(get());
      // Node reports a reset that comes together with bytes as an end: the bytes first.
      await client.receives('part');
      rig.origin.connections[0]!.socket.end();
      expect(await client.closed).toBe('ECONNRESET');
      await expectCanary();
    });

    it.each(parts)('cuts the client, which cannot take the answer for whole (%s, RST)', async (_, text) => {
      answerWith(text);
      const client = rig.client().send(get());
      await client.receives('part');
      rig.origin.connections[0]!.socket.resetAndDestroy();
      expect(await client.closed).toBe('ECONNRESET');
      await expectCanary();
    });

    it.each([
      ['a chunk size', 'zz\r\n'],
      ['a trailer', '0\r\nContent-Length: 3\r\n\r\n'],
    ])('cuts the client when %s turns out to be wrong', async (_, rest) => {
      answerWith(`${OK}Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n`);
      const client = rig.client().send(get());
      await client.receives('part');
      rig.origin.connections[0]!.send(rest);
      expect(await client.closed).toBe('ECONNRESET');
      await rig.origin.connections[0]!.gone;
      await expectCanary();
    });

    it.each(['', 'HTTP/1.1 2', `${OK}Content-Len`])('answers 502 when the endpoint closes after %j', async (text) => {
      answerWith(text, ({ socket }) => socket.end());
      expect((await rig.client().ask(get())).status).toBe(502);
      await expectCanary();
    });

    it('answers 502 when the endpoint resets before it answers', async () => {
      answerWith('', ({ socket }) => socket.resetAndDestroy());
      expect((await rig.client().ask(get())).status).toBe(502);
      await expectCanary();
    });
  });

  describe('a pooled connection that has died', () => {
    /** The next request on the pooled connection is received, and the connection ends instead of an answer. */
    async function poolDyingConnection(kill: (connection: OriginConnection) => void): Promise<void> {
      expect((await rig.client().ask(get('/first'))).text).toBe('GET /first');
      const [dying] = rig.origin.connections;
      rig.origin.onRequest = (origin, connection) => {
        if (connection === dying) kill(connection);
        else connection.send(plainAnswer(`${origin.method} again`));
      };
    }
    const ways: readonly (readonly [string, (connection: OriginConnection) => void])[] = [
      ['FIN', ({ socket }) => socket.end()],
      ['RST', ({ socket }) => socket.resetAndDestroy()],
    ];

    it.each(ways)('is replaced without a trace for GET (%s)', async (_, kill) => {
      await poolDyingConnection(kill);
      expect((await rig.client().ask(get('/a'))).text).toBe('GET again');
      expect(rig.origin.connections[1]!.requests[0]!.head).toBe(rig.origin.connections[0]!.requests[1]!.head);
    });

    it.each(ways)('is replaced for PUT with its body (%s)', async (_, kill) => {
      await poolDyingConnection(kill);
      expect((await rig.client().ask(request('PUT', '/a', ['Content-Length: 5'], 'hello'))).text).toBe('PUT again');
      expect(rig.origin.connections[1]!.requests[0]!.body.toString()).toBe('hello');
    });

    it.each(ways)('means 502 for POST, which the endpoint never sees twice (%s)', async (_, kill) => {
      await poolDyingConnection(kill);
      const client = rig.client();
      expect((await client.ask(post('/a', 'hello'))).status).toBe(502);
      expect(rig.origin.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
      expect((await client.ask(get('/b'))).text).toBe('GET again');
    });

    it('is not used once its end was seen', async () => {
      expect((await rig.client().ask(get('/first'))).text).toBe('GET /first');
      const [connection] = rig.origin.connections;
      connection!.socket.end();
      await within(GONE_MS, 'the upstream connection is let go', connection!.gone);
      expect((await rig.client().ask(post('/a', 'x'))).text).toBe('POST /a');
    });

    it('is not replaced twice', async () => {
      answerWith('', ({ socket }) => socket.end());
      expect((await rig.client().ask(get('/a'))).status).toBe(502);
      expect(rig.origin.requests).toHaveLength(1);
    });

    it('is not replaced once a byte of the answer has come', async () => {
      await poolDyingConnection((connection) => {
        connection.send('HTTP/1.1 200 O');
        connection.socket.end();
      });
      expect((await rig.client().ask(get('/a'))).status).toBe(502);
      expect(rig.origin.connections).toHaveLength(1);
    });

    it('closes when the endpoint says so, or says how long it stays', async () => {
      for (const line of ['Connection: close', 'Keep-Alive: timeout=1', 'Keep-Alive: timeout=0']) {
        await rig.origin.reset();
        answerWith(`${OK}${line}\r\nContent-Length: 0\r\n\r\n`);
        await rig.client().ask(get());
        await within(GONE_MS, `the upstream connection is let go after ${line}`, rig.origin.connections[0]!.gone);
      }
    });
  });

  describe('endpoints that cannot be reached', () => {
    it('tries the next one when a connection is refused, with the body that is there', async () => {
      const client = rig.client();
      for (let i = 0; i < 4; i++) {
        await rig.origin.reset();
        expect((await client.ask(get(`/${i}`, 'Host: mixed.test'))).text).toBe(`GET /${i}`);
        expect((await client.ask(post(`/${i}`, 'hello', 'Host: mixed.test'))).text).toBe(`POST /${i}`);
        expect(rig.origin.requests[1]!.body.toString()).toBe('hello');
      }
    });

    it('tries the next one also for a body that is still to come', async () => {
      for (let i = 0; i < 2; i++) {
        const client = rig.client().send(request('POST', '/', ['Host: mixed.test', 'Content-Length: 300000']));
        client.send(Buffer.alloc(300_000, 'b'));
        expect((await client.answer()).status).toBe(200);
        expect((await rig.origin.request()).body).toHaveLength(300_000);
        const chunked = rig.client().send(postChunked('/', '2\r\nab\r\n', 'Host: mixed.test'));
        chunked.send('1\r\nc\r\n0\r\n\r\n');
        expect((await chunked.answer()).status).toBe(200);
        await rig.origin.reset();
      }
    });

    it('answers 502 when all refuse', async () => {
      const client = rig.client();
      expect((await client.ask(get('/', 'Host: refused.test'))).status).toBe(502);
      expect((await client.ask(post('/', 'body', 'Host: refused.test'))).status).toBe(502);
      expect((await client.ask(get('/fine'))).text).toBe('GET /fine');
    });

    describe.skipIf(!loadAddon().addon)('because they do not answer', () => {
      it('answers 504 when the connection is not there in time', async () => {
        const start = performance.now();
        expect((await rig.client().ask(get('/', 'Host: deaf.test'))).status).toBe(504);
        expectAbout(performance.now() - start, CONNECT_MS);
      });

      it('never waits longer than the route allows', async () => {
        const start = performance.now();
        expect((await rig.client().ask(get('/', 'Host: hasty.test'))).status).toBe(504);
        expectAbout(performance.now() - start, 100);
      });

      it('tries the next one after the time to connect, and counts that for the route', async () => {
        answerWith('');
        for (let i = 0; i < 2; i++) {
          const start = performance.now();
          expect((await rig.client().ask(get('/', 'Host: halfdeaf.test'))).status).toBe(504);
          expectAbout(performance.now() - start, CONNECT_MS + TIMEOUT_MS);
        }
        await expectCanary();
      });

      it('lets go of the attempt when the client goes', async () => {
        const client = rig.client().send(get('/', 'Host: deaf.test'));
        await until(1000, 'the attempt', async () => (await inFlight()) === 1);
        client.close();
        await until(GONE_MS, 'the attempt is over', async () => (await inFlight()) === 0);
      });
    });
  });

  describe('endpoints that are slow', () => {
    it('answers 504 when the head of the response does not come in time', async () => {
      answerWith('HTTP/1.1 200 OK\r\nContent-');
      const start = performance.now();
      const client = rig.client();
      expect((await client.ask(get('/', 'Host: quick.test'))).status).toBe(504);
      expectAbout(performance.now() - start, TIMEOUT_MS);
      await within(GONE_MS, 'the upstream connection is let go', rig.origin.connections[0]!.gone);
      await expectCanary(client);
    });

    it('answers 504 on a pooled connection as well', async () => {
      await expectCanary();
      answerWith('');
      expect((await rig.client().ask(get('/', 'Host: quick.test'))).status).toBe(504);
      expect(rig.origin.connections).toHaveLength(1);
    });

    it('counts from the end of the request: uploads may take their time', async () => {
      const client = rig.client().send(request('POST', '/', ['Host: quick.test', 'Content-Length: 10']));
      let sent = 0;
      const dripping = setInterval(() => ++sent <= 10 && client.send('b'), TIMEOUT_MS / 5);
      const answer = await client.answer().finally(() => clearInterval(dripping));
      expect(answer.status).toBe(200);
    });

    it('answers 504 when the head does not come in time after an upload', async () => {
      answerWith('');
      const client = rig.client().send(request('POST', '/', ['Host: quick.test', 'Content-Length: 4'], 'bo'));
      await rig.origin.connection();
      client.send('dy');
      expect((await client.answer()).status).toBe(504);
    });

    it('waits for a body that goes on coming, and cuts one that stops', async () => {
      const slow = rig.client();
      answerWith(`${OK}Content-Length: 10\r\n\r\n`);
      slow.send(get('/', 'Host: quick.test'));
      const connection = await rig.origin.connection();
      await slow.receives('\r\n\r\n');
      let sent = 0;
      const dripping = setInterval(() => ++sent <= 9 && connection.send('b'), TIMEOUT_MS / 6);
      expect(await slow.closed).toBe('ECONNRESET');
      clearInterval(dripping);
      expect(slow.received.endsWith('\r\n\r\nbbbbbbbbb')).toBe(true);
    });
  });

  describe('a client that goes', () => {
    const leave: readonly (readonly [string, (client: HttpClient) => void])[] = [
      ['FIN', ({ socket }) => socket.end()],
      ['RST', ({ socket }) => socket.resetAndDestroy()],
    ];
    const phases: readonly (readonly [phase: string, response: string, request: string])[] = [
      ['before the response', '', get()],
      ['within a head of the response', 'HTTP/1.1 200 OK\r\nCont', get()],
      ['within a body with a length', `${OK}Content-Length: 9000\r\n\r\npart`, get()],
      ['within a chunk', `${OK}Transfer-Encoding: chunked\r\n\r\nfffff\r\npart`, get()],
      ['between chunks', `${OK}Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n`, get()],
      ['within a body until close', `${OK}\r\npart`, get()],
      ['within a body until close, as HTTP/1.0', `${OK}\r\npart`, 'GET / HTTP/1.0\r\n\r\n'],
      ['after another request', `${OK}Content-Length: 9000\r\n\r\npart`, get() + get('/next')],
    ];
    for (const [way, go] of leave) {
      it.each(phases)(`takes the upstream connection along (%s, ${way})`, async (_, response, text) => {
        answerWith(response);
        const client = rig.client().send(text);
        const connection = await rig.origin.connection();
        await rig.origin.request();
        if (response.endsWith('part')) await client.receives('part');
        go(client);
        await within(GONE_MS, 'the upstream connection is let go', connection.gone);
        await expectCanary();
      });

      it.each([
        ['a body with a length', request('POST', '/', ['Content-Length: 100'], 'part')],
        ['a chunk', postChunked('/', 'ff\r\npart')],
        ['a large chunk', postChunked('/', 'fffff\r\npart')],
        ['chunks', postChunked('/', '4\r\npart\r\n')],
      ])(`takes the upstream connection along (within %s of the request, ${way})`, async (_, text) => {
        const client = rig.client().send(text);
        const connection = await rig.origin.connection();
        await rig.origin.until('the part', () => connection.rest.includes('part'));
        go(client);
        await within(GONE_MS, 'the upstream connection is let go', connection.gone);
        expect(rig.origin.requests).toHaveLength(0);
        await expectCanary();
      });
    }

    it('is counted as aborted', async () => {
      const line = 'fourseven_http_requests_total{listener="web",route="routes[6]",cluster="origin",status="aborted"}';
      const before = (await rig.proxy.metric(line)) ?? 0;
      answerWith('');
      const client = rig.client().send(get());
      await rig.origin.request();
      client.close();
      await until(3000, 'the count', async () => (await rig.proxy.metric(line)) === before + 1);
    });

    it('that does not read holds the endpoint back', async () => {
      // Far more than the kernel keeps in the buffers of four sockets, which grow with what they see.
      const total = 256 * 1024 * 1024;
      let written = 0;
      rig.origin.onRequest = (_, connection) => {
        connection.send(`${OK}Content-Length: ${total}\r\n\r\n`);
        const piece = Buffer.alloc(64 * 1024);
        const pump = () => {
          while (written < total) {
            written += piece.length;
            if (!connection.socket.write(piece)) break;
          }
          connection.socket.once('drain', pump);
        };
        pump();
      };
      const client = rig.client();
      client.socket.pause();
      client.send(get());
      let last = -1;
      let looks = 0;
      await until(5000, 'the endpoint is held back', () => {
        looks = written === last ? looks + 1 : 0;
        last = written;
        return written > 0 && looks === 30;
      });
      expect(written).toBeLessThan(total / 2);
      client.close();
      await within(GONE_MS, 'the upstream connection is let go', rig.origin.connections[0]!.gone);
    });
  });

  it('says nothing of the inside in an error', async () => {
    answerWith('hello\r\n\r\n');
    const answer = await rig.client().ask(get());
    expect(answer.text).toBe('502 Bad Gateway\n');
    expect(field(answer, 'server')).toBeUndefined();
  });
});

function expectAbout(ms: number, deadlineMs: number): void {
  expect(ms).toBeGreaterThanOrEqual(deadlineMs - 5);
  expect(ms).toBeLessThan(deadlineMs + SLACK_MS);
}
