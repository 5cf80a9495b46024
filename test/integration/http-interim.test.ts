/** What comes before the final answer, or instead of it: 1xx, Expect, Upgrade, and answers that do not wait for the body. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { within } from './deadline.ts';
import { get, HttpRig, post, request } from './http-rig.ts';
import { field } from './origin-request.ts';
import { plainAnswer } from './origin-server.ts';
import { ENGINES } from './proxy-process.ts';

const EXPECT = 'Expect: 100-continue';
const UPGRADE = ['Connection: Upgrade', 'Upgrade: chat'];
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n';

describe.each(ENGINES)('with the %s engine', (engine) => {
  let rig: HttpRig;

  beforeAll(async () => {
    rig = await HttpRig.start(engine);
  });

  afterEach(() => rig.reset());

  afterAll(() => rig.stop());

  describe('Expect: 100-continue', () => {
    it('passes the question on, and the answer back, before the body', async () => {
      rig.origin.onHead = (_, connection) => connection.send('HTTP/1.1 100 Continue\r\n\r\n');
      const client = rig.client();
      for (let i = 0; i < 2; i++) {
        client.send(request('POST', '/', ['Content-Length: 5', EXPECT]));
        expect((await client.answer()).status).toBe(100);
        expect((await client.ask('hello')).text).toBe('POST /');
        expect(field(rig.origin.requests[i]!, 'expect')).toBe('100-continue');
        expect(rig.origin.requests[i]!.body.toString()).toBe('hello');
      }
      expect(rig.origin.connections).toHaveLength(1);
    });

    it('passes on an early 417, and takes no other request on that connection', async () => {
      rig.origin.onHead = (_, connection) =>
        connection.send('HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n');
      const client = rig.client();
      const answer = await client.ask(request('POST', '/', ['Content-Length: 30', EXPECT]));
      expect(answer.status).toBe(417);
      expect(field(answer, 'connection')).toBe('close');
      await client.ended;
      await within(1000, 'the upstream connection is let go', rig.origin.connections[0]!.gone);
    });

    it('never takes the body that follows an early answer for a request', async () => {
      rig.origin.onHead = (_, connection) => connection.send(plainAnswer('early'));
      rig.origin.onRequest = () => {};
      const smuggled = get('/smuggled');
      const client = rig.client();
      const answer = await client.ask(request('POST', '/', [`Content-Length: ${smuggled.length + 10}`, EXPECT]));
      expect(answer.text).toBe('early');
      client.send(smuggled);
      await client.ended;
      expect(rig.origin.connections).toHaveLength(1);
      expect(rig.origin.requests).toHaveLength(0);
    });

    it('passes on 100 once, and only to who asked', async () => {
      rig.origin.onHead = (_, connection) => connection.send('HTTP/1.1 100 Continue\r\n\r\n'.repeat(3));
      const asking = rig.client().send(request('POST', '/', ['Content-Length: 2', EXPECT], 'ok'));
      expect([(await asking.answer()).status, (await asking.answer()).status]).toEqual([100, 200]);
      expect((await rig.client().ask(post('/', 'ok'))).status).toBe(200);
    });

    it('passes on 100 also after another interim answer', async () => {
      rig.origin.onHead = (_, connection) =>
        connection.send('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n');
      const client = rig.client().send(request('POST', '/', ['Content-Length: 2', EXPECT]));
      expect([(await client.answer()).status, (await client.answer()).status]).toEqual([103, 100]);
      expect((await client.ask('ok')).status).toBe(200);
    });

    it('answers 417 to any other expectation', async () => {
      const client = rig.client();
      expect((await client.ask(request('POST', '/', ['Content-Length: 0', 'Expect: miracles']))).status).toBe(417);
      await client.ended;
      expect(rig.origin.byteCount).toBe(0);
    });
  });

  describe('interim answers', () => {
    it.each(['102 Processing', '103 Early Hints'])('passes on %s', async (status) => {
      rig.origin.onRequest = (_, connection) =>
        connection.send(
          `HTTP/1.1 ${status}\r\nLink: </style.css>\r\nConnection: X-Own\r\nX-Own: 1\r\n\r\n${plainAnswer('done')}`,
        );
      const client = rig.client();
      for (let i = 0; i < 2; i++) {
        const interim = await client.ask(get());
        expect(interim.head).toBe(`HTTP/1.1 ${status}\r\nLink: </style.css>\r\n\r\n`);
        expect((await client.answer()).text).toBe('done');
      }
      expect(rig.origin.connections).toHaveLength(1);
    });

    it('are not for clients of HTTP/1.0', async () => {
      rig.origin.onRequest = (_, connection) =>
        connection.send(`HTTP/1.1 103 Early Hints\r\n\r\n${plainAnswer('done')}`);
      expect((await rig.client().ask('GET / HTTP/1.0\r\n\r\n')).status).toBe(200);
    });

    it('are understood byte by byte', async () => {
      rig.origin.onRequest = async (_, connection) => {
        for (const byte of `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\r\n${plainAnswer('done')}`) {
          connection.send(byte);
          await new Promise((resolve) => setImmediate(resolve));
        }
      };
      const client = rig.client();
      expect((await client.ask(get())).status).toBe(103);
      expect((await client.answer()).text).toBe('done');
    });

    it('become 502 when there is no end of them', async () => {
      rig.origin.onRequest = (_, connection) => connection.send('HTTP/1.1 102 Processing\r\n\r\n'.repeat(100));
      const client = rig.client().send(get());
      let { status } = await client.answer();
      let count = 0;
      while (status === 102) {
        count += 1;
        ({ status } = await client.answer());
      }
      expect(status).toBe(502);
      expect(count).toBeLessThan(32);
      await rig.origin.connections[0]!.gone;
    });
  });

  describe('Upgrade', () => {
    it('becomes a tunnel after 101, with the bytes that were early on both sides', async () => {
      rig.origin.onRequest = (_, connection) => connection.send(`${SWITCHING}server first;`);
      const client = rig.client().send(`${request('GET', '/chat', [...UPGRADE, 'Sec-WebSocket-Key: x'])}client first;`);
      const answer = await client.answer();
      expect(answer.status).toBe(101);
      expect([field(answer, 'connection'), field(answer, 'upgrade')]).toEqual(['Upgrade', 'chat']);
      await client.receives('server first;');
      const connection = await rig.origin.connection();
      await rig.origin.until('the early bytes', () => connection.rest === 'client first;');
      const seen = await rig.origin.request();
      expect([field(seen, 'connection'), field(seen, 'upgrade')]).toEqual(['Upgrade', 'chat']);

      client.send('ping');
      await rig.origin.until('ping', () => connection.rest.endsWith('ping'));
      connection.send('pong');
      await client.receives('pong');
      client.socket.end();
      await connection.gone;
    });

    it('holds what a client sends before 101', async () => {
      rig.origin.onRequest = () => {};
      const client = rig
        .client()
        .send(request('GET', '/chat', UPGRADE))
        .send('too early');
      const connection = await rig.origin.connection();
      await rig.origin.request();
      client.send(', and more');
      // The proxy answers this by itself, after it has read what came before.
      expect((await rig.client().ask(get('/%00'))).status).toBe(400);
      expect(connection.rest).toBe('');
      connection.send(SWITCHING);
      expect((await client.answer()).status).toBe(101);
      await rig.origin.until('what was early', () => connection.rest === 'too early, and more');
    });

    it('takes any other status for an ordinary answer, and what follows for the next request', async () => {
      const client = rig.client().send(request('GET', '/chat', UPGRADE) + get('/next'));
      expect((await client.answer()).text).toBe('GET /chat');
      expect((await client.answer()).text).toBe('GET /next');
    });

    it('ends both sides when one is reset', async () => {
      rig.origin.onRequest = (_, connection) => connection.send(SWITCHING);
      const client = rig.client();
      await client.ask(request('GET', '/chat', UPGRADE));
      rig.origin.connections[0]!.socket.resetAndDestroy();
      expect(await client.closed).toBe('ECONNRESET');
    });

    it('answers 502 to a 101 that nobody asked for', async () => {
      rig.origin.onRequest = (_, connection) => connection.send(`${SWITCHING}evil`);
      const client = rig.client();
      const answer = await client.ask(get());
      expect(answer.status).toBe(502);
      await rig.origin.connections[0]!.gone;
      rig.origin.onRequest = (_, connection) => connection.send(plainAnswer('fine'));
      expect((await client.ask(get())).text).toBe('fine');
    });

    it.each(['h2c', 'websocket, h2c'])('never passes on an upgrade to %s', async (protocols) => {
      const answer = await rig
        .client()
        .ask(
          request('GET', '/', [
            'Connection: Upgrade, HTTP2-Settings',
            `Upgrade: ${protocols}`,
            'HTTP2-Settings: AAMAAABk',
          ]),
        );
      expect(answer.status).toBe(200);
      const seen = await rig.origin.request();
      for (const name of ['upgrade', 'connection', 'http2-settings']) expect(field(seen, name)).toBeUndefined();
    });

    it('frames the body of an upgrade request as any other', async () => {
      rig.origin.onRequest = (_, connection) => connection.send(SWITCHING);
      const client = rig.client().send(request('POST', '/chat', [...UPGRADE, 'Content-Length: 4'], 'bodyrest'));
      expect((await client.answer()).status).toBe(101);
      const connection = await rig.origin.connection();
      expect(connection.requests[0]!.body.toString()).toBe('body');
      await rig.origin.until('the rest', () => connection.rest === 'rest');
    });
  });

  describe('an answer that does not wait for the body', () => {
    const early = 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nbig\n';

    it('is delivered, and the connection ends', async () => {
      rig.origin.onHead = (_, connection) => connection.send(early);
      const client = rig.client().send(request('POST', '/', ['Content-Length: 1000'], 'part'));
      const answer = await client.answer();
      expect([answer.status, answer.text, field(answer, 'connection')]).toEqual([413, 'big\n', 'close']);
      await client.ended;
      await rig.origin.connections[0]!.gone;
    });

    it('is delivered when the endpoint closes at once', async () => {
      rig.origin.onHead = (_, connection) => {
        connection.send(early);
        connection.socket.end();
      };
      const client = rig.client().send(request('POST', '/', ['Transfer-Encoding: chunked'], '4\r\npart\r\n'));
      expect((await client.answer()).status).toBe(413);
      await client.ended;
    });

    it('is delivered to a client that goes on sending for long', async () => {
      rig.origin.onHead = (_, connection) => connection.send(early);
      const client = rig.client();
      client.send(request('POST', '/', ['Content-Length: 8000000'])).send(Buffer.alloc(8_000_000));
      expect((await client.answer()).status).toBe(413);
      await client.ended;
    });
  });
});
