/** Messages and their bodies, through the whole proxy: keep-alive, pipelining, framing both ways. */
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until, within } from './deadline.ts';
import { get, HttpRig, post, postChunked, request } from './http-rig.ts';
import { field } from './origin-request.ts';
import { plainAnswer } from './origin-server.ts';
import { residentBytes } from './process-memory.ts';
import { ENGINES } from './proxy-process.ts';

const MIB = 1024 * 1024;

describe.each(ENGINES)('messages with the %s engine', (engine) => {
  let rig: HttpRig;

  beforeAll(async () => {
    rig = await HttpRig.start(engine);
  });

  afterEach(() => rig.reset());

  afterAll(() => rig.stop());

  describe('keep-alive and pipelining', () => {
    it('serves many requests of one client over one upstream connection', async () => {
      const client = rig.client();
      for (let i = 0; i < 5; i++) expect((await client.ask(get(`/${i}`))).text).toBe(`GET /${i}`);
      expect(rig.origin.connections).toHaveLength(1);
    });

    it('answers pipelined requests in order', async () => {
      const client = rig.client();
      client.send(Array.from({ length: 10 }, (_, i) => get(`/${i}`)).join(''));
      for (let i = 0; i < 10; i++) expect((await client.answer()).text).toBe(`GET /${i}`);
      expect(client.received).toBe('');
    });

    it('takes a request that is pipelined behind a body', async () => {
      const client = rig.client();
      client.send(post('/a', 'hello') + postChunked('/b', '3\r\nabc\r\n0\r\n\r\n') + get('/c'));
      expect((await client.answer()).text).toBe('POST /a');
      expect((await client.answer()).text).toBe('POST /b');
      expect((await client.answer()).text).toBe('GET /c');
      expect(rig.origin.requests.map(({ body }) => body.toString())).toEqual(['hello', 'abc', '']);
    });

    it('takes a body and a pipelined request cut anywhere', async () => {
      const text = postChunked('/a', '3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n') + get('/b');
      for (let cut = 1; cut < text.length; cut += 7) {
        const client = rig.client();
        client.send(text.slice(0, cut));
        await new Promise((resolve) => setImmediate(resolve));
        client.send(text.slice(cut));
        expect((await client.answer()).text).toBe('POST /a');
        expect((await client.answer()).text).toBe('GET /b');
        client.close();
      }
    });

    it('does not begin the next request before the answer to the one before', async () => {
      rig.origin.onRequest = () => {};
      const client = rig.client();
      client.send(get('/first') + get('/second'));
      const first = await rig.origin.connection();
      await rig.origin.request();
      expect(rig.origin.requests).toHaveLength(1);
      rig.origin.onRequest = (_, connection) => connection.send(plainAnswer('second'));
      first.send(plainAnswer('first'));
      expect((await client.answer()).text).toBe('first');
      expect((await client.answer()).text).toBe('second');
    });

    it('loses nothing of a huge pipeline whose client reads late, and keeps little of it', async () => {
      const count = 4000;
      const body = 'x'.repeat(16 * 1024);
      rig.origin.onRequest = (origin, connection) => connection.send(plainAnswer(origin.target.padEnd(body.length)));
      const client = rig.client();
      client.socket.pause();
      const before = residentBytes(rig.proxy.pid);
      client.send(Array.from({ length: count }, (_, i) => get(`/${i}`)).join(''));
      await until(
        10_000,
        'the proxy stops asking',
        stands(() => rig.origin.requests.length),
      );
      expect(rig.origin.requests.length).toBeLessThan(count);
      expect(residentBytes(rig.proxy.pid) - before).toBeLessThan(40 * MIB);
      client.socket.resume();
      for (let i = 0; i < count; i++) expect((await client.answer()).text.trim()).toBe(`/${i}`);
    });

    it('skips an empty line between requests', async () => {
      const client = rig.client();
      client.send(`${post('/a', 'hi')}\r\n${get('/b')}`);
      expect((await client.answer()).text).toBe('POST /a');
      expect((await client.answer()).text).toBe('GET /b');
    });

    it('closes after the answer when the client says so', async () => {
      const client = rig.client();
      const answer = await client.ask(get('/', 'Connection: close'));
      expect(field(answer, 'connection')).toBe('close');
      expect(await client.closed).toBe('');
      // The upstream connection has nothing to do with that.
      expect((await rig.client().ask(get('/next'))).text).toBe('GET /next');
      expect(rig.origin.connections).toHaveLength(1);
      expect(field(rig.origin.requests[0]!, 'connection')).toBeUndefined();
    });
  });

  describe('bodies with a length', () => {
    it.each([0, 1, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1])('moves %i bytes both ways', async (length) => {
      const body = 'b'.repeat(length);
      rig.origin.onRequest = (origin, connection) => connection.send(plainAnswer(origin.body.toString('latin1')));
      const client = rig.client();
      for (let i = 0; i < 2; i++) {
        const answer = await client.ask(post('/', body));
        expect(answer.text === body).toBe(true);
        expect(field(answer, 'content-length')).toBe(String(length));
        expect(field(rig.origin.requests[i]!, 'content-length')).toBe(String(length));
      }
      expect(rig.origin.connections).toHaveLength(1);
    });

    it('moves 5 MiB both ways at once, unchanged', async () => {
      const up = pseudoRandom(5 * MIB, 1);
      const down = pseudoRandom(5 * MIB, 2);
      rig.origin.onHead = (_, connection) => {
        connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${down.length}\r\n\r\n`);
        connection.send(down.subarray(1));
      };
      // An answer that is over before its request is another matter.
      rig.origin.onRequest = (_, connection) => connection.send(down.subarray(0, 1));
      const client = rig.client();
      client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${up.length}\r\n\r\n`).send(up);
      const answer = await client.answer({ ms: 10_000 });
      expect(digest(answer.body)).toBe(digest(Buffer.concat([down.subarray(1), down.subarray(0, 1)])));
      expect(digest((await rig.origin.request()).body)).toBe(digest(up));
    });

    it('moves many bodies of different clients at the same time', async () => {
      rig.origin.onRequest = (origin, connection) => connection.send(plainAnswer(origin.body.toString('latin1')));
      const bodies = Array.from({ length: 20 }, (_, i) => pseudoRandom(100_000 + 7919 * i, i).toString('latin1'));
      const answers = await Promise.all(bodies.map((body) => rig.client().ask(post('/', body))));
      expect(answers.map(({ body }) => digest(body))).toEqual(
        bodies.map((body) => digest(Buffer.from(body, 'latin1'))),
      );
    });

    it('streams: the answer is on its way before it is whole', async () => {
      rig.origin.onRequest = (_, connection) => connection.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
      const client = rig.client();
      client.send(get());
      await client.receives('\r\n\r\nhello');
      rig.origin.connections[0]!.send('world');
      expect((await client.answer()).text).toBe('helloworld');
    });

    it('streams: the body reaches the endpoint before it is whole', async () => {
      const client = rig.client();
      client.send(request('POST', '/', ['Content-Length: 10'], 'hello'));
      const connection = await rig.origin.connection();
      await rig.origin.until('half of the body', () => connection.rest.endsWith('\r\n\r\nhello'));
      client.send('world');
      expect((await client.answer()).text).toBe('POST /');
    });
  });

  describe('chunked bodies', () => {
    it('forwards one-byte chunks in both directions', async () => {
      const framed = `${'1\r\na\r\n'.repeat(5000)}0\r\n\r\n`;
      rig.origin.onRequest = (_, connection) =>
        connection.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${framed}`);
      const client = rig.client();
      for (let i = 0; i < 2; i++) {
        expect((await client.ask(postChunked('/', framed))).text).toBe('a'.repeat(5000));
        expect((await rig.origin.request(i)).body.toString()).toBe('a'.repeat(5000));
      }
      expect(rig.origin.connections).toHaveLength(1);
    });

    it('forwards huge chunks in both directions', async () => {
      const body = pseudoRandom(3 * MIB, 3).toString('latin1');
      const framed = `${body.length.toString(16)}\r\n${body}\r\n5\r\nhello\r\n0\r\n\r\n`;
      rig.origin.onRequest = (_, connection) =>
        connection.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${framed}`);
      const client = rig.client();
      for (let i = 0; i < 2; i++) {
        const answer = await client.ask(postChunked('/', framed));
        expect(answer.text === `${body}hello`).toBe(true);
        expect((await rig.origin.request(i)).body.toString('latin1') === `${body}hello`).toBe(true);
      }
    });

    it.each([1, 2, 15 * 1024, 16 * 1024, 16 * 1024 + 1, 64 * 1024, 300_000])(
      'forwards chunks of %i bytes',
      async (size) => {
        const chunk = `${size.toString(16)}\r\n${'c'.repeat(size)}\r\n`;
        const framed = `${chunk}${chunk}${chunk}0\r\n\r\n`;
        rig.origin.onRequest = (_, connection) =>
          connection.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${framed}`);
        const answer = await rig.client().ask(postChunked('/', framed));
        expect(answer.body).toHaveLength(3 * size);
        expect((await rig.origin.request()).body).toHaveLength(3 * size);
      },
    );

    it('drops chunk extensions and writes sizes of its own', async () => {
      const framed = '0003;a=b;c="d"\r\nabc\r\n0;last\r\n\r\n';
      rig.origin.onRequest = (_, connection) =>
        connection.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${framed}`);
      const client = rig.client();
      client.send(postChunked('/', framed));
      await client.receives('\r\n\r\n3\r\nabc\r\n0\r\n\r\n');
      expect((await rig.origin.request()).chunks).toEqual([3]);
    });

    it('forwards trailers both ways', async () => {
      const framed = '3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-Other: two\r\n\r\n';
      rig.origin.onRequest = (_, connection) =>
        connection.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${framed}`);
      const answer = await rig.client().ask(postChunked('/', framed));
      expect(answer.trailers).toBe('X-Sum: 1\r\nX-Other: two\r\n');
      expect((await rig.origin.request()).trailers).toBe('X-Sum: 1\r\nX-Other: two\r\n');
    });

    it.each([
      ['a size that is no number', 'xyz\r\n'],
      ['a negative size', '-1\r\n'],
      ['a size with 0x', '0x3\r\nabc\r\n'],
      ['a size beyond any number', `${'f'.repeat(17)}\r\n`],
      ['a bare LF behind the size', '3\nabc\r\n'],
      ['a bare CR behind the size', '3\rabc\r\n'],
      ['no CR LF behind the data', '3\r\nabcd\r\n'],
      ['white space before the size', ' 3\r\nabc\r\n'],
      ['an extension with a bare LF', '3;a\nb\r\nabc\r\n'],
      ['a forbidden trailer', '0\r\nContent-Length: 3\r\n\r\n'],
      ['a trailer for routing', '0\r\nHost: evil.test\r\n\r\n'],
      ['a trailer for authentication', '0\r\nAuthorization: x\r\n\r\n'],
      ['a folded trailer', '0\r\nX-A: b\r\n c\r\n\r\n'],
    ])('answers 400 to a chunked body with %s, of which the endpoint gets nothing', async (_, framed) => {
      // A pooled connection is there: the worst case.
      expect((await rig.client().ask(get('/canary'))).status).toBe(200);
      const { byteCount } = rig.origin;
      const client = rig.client();
      const answer = await client.ask(postChunked('/', framed));
      expect(answer.status).toBe(400);
      expect(await client.closed).toBe('');
      expect((await rig.client().ask(get('/canary'))).text).toBe('GET /canary');
      expect(rig.origin.byteCount).toBe(2 * byteCount);
    });

    it('answers 400 and cuts the upstream connection when a body turns out to be malformed later', async () => {
      const client = rig.client();
      client.send(postChunked('/', '3\r\nabc\r\n'));
      const connection = await rig.origin.connection();
      await rig.origin.until('the first chunk', () => connection.rest.endsWith('3\r\nabc\r\n'));
      client.send('zz\r\n');
      expect((await client.answer()).status).toBe(400);
      expect(await client.closed).toBe('');
      await connection.gone;
      expect(connection.requests).toHaveLength(0);
    });
  });

  describe('responses without a body', () => {
    it('passes on the length that HEAD was told, and no body', async () => {
      rig.origin.onRequest = (_, connection) => connection.send('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n');
      const client = rig.client();
      for (let i = 0; i < 2; i++) {
        const answer = await client.ask(request('HEAD', '/'), { isHead: true });
        expect(field(answer, 'content-length')).toBe('1000');
      }
      expect(rig.origin.connections).toHaveLength(1);
    });

    it('does not wait for a body after HEAD with Transfer-Encoding', async () => {
      rig.origin.onRequest = (_, connection) =>
        connection.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      const client = rig.client();
      for (let i = 0; i < 2; i++) expect((await client.ask(request('HEAD', '/'), { isHead: true })).status).toBe(200);
    });

    it.each([
      ['204 No Content', ''],
      ['304 Not Modified', ''],
      ['304 Not Modified', 'Content-Length: 77\r\n'],
    ])('knows that %s has no body, with %j too', async (status, lines) => {
      rig.origin.onRequest = (_, connection) => connection.send(`HTTP/1.1 ${status}\r\n${lines}\r\n`);
      const client = rig.client();
      for (let i = 0; i < 2; i++) expect((await client.ask(get())).status).toBe(Number(status.slice(0, 3)));
      expect(rig.origin.connections).toHaveLength(1);
    });
  });

  describe('responses that end with their connection', () => {
    const answerUntilClose = (body: string) => {
      rig.origin.onRequest = (_, connection) => {
        connection.send(`HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n${body}`);
        connection.socket.end();
      };
    };

    it.each(['', 'hello', 'z'.repeat(300_000)])(
      'reach a client of HTTP/1.1 in chunks, the connection stays (%#)',
      async (body) => {
        answerUntilClose(body);
        const client = rig.client();
        for (let i = 0; i < 2; i++) {
          const answer = await client.ask(get());
          expect(answer.text === body).toBe(true);
          expect(field(answer, 'transfer-encoding')).toBe('chunked');
        }
      },
    );

    it.each(['', 'hello', 'z'.repeat(300_000)])(
      'reach a client of HTTP/1.0 bare, up to the end of its connection (%#)',
      async (body) => {
        answerUntilClose(body);
        const client = rig.client();
        client.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
        const answer = await client.answer({ untilClose: true });
        expect(answer.text === body).toBe(true);
        expect(field(answer, 'transfer-encoding')).toBeUndefined();
        expect(await client.closed).toBe('');
      },
    );

    it('are not mistaken for whole when the endpoint resets', async () => {
      rig.origin.onRequest = (_, connection) => connection.send('HTTP/1.1 200 OK\r\n\r\npart');
      for (const text of [get(), 'GET / HTTP/1.0\r\n\r\n']) {
        const client = rig.client();
        client.send(text);
        await client.receives('part');
        rig.origin.connections.at(-1)!.socket.resetAndDestroy();
        expect(await client.closed).toBe('ECONNRESET');
        expect(client.received).not.toContain('0\r\n\r\n');
      }
    });

    it('sends a chunked answer to a client of HTTP/1.0 without its framing', async () => {
      rig.origin.onRequest = (_, connection) =>
        connection.send(
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n',
        );
      const client = rig.client();
      const answer = await client.ask('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n', { untilClose: true });
      expect(answer.text).toBe('abcde');
      expect(field(answer, 'transfer-encoding')).toBeUndefined();
      expect(field(answer, 'connection')).toBe('close');
    });
  });

  describe('Max-Forwards (RFC 9110 section 7.6.2)', () => {
    const seenBy = async (method: string, ...lines: string[]) => {
      await rig.client().ask(request(method, '/a', lines));
      return rig.origin.requests[0]?.headers
        .filter(([name]) => name.toLowerCase() === 'max-forwards')
        .map(([, value]) => value);
    };

    it.each([
      ['OPTIONS', '1', '0'],
      ['OPTIONS', '010', '9'],
      ['TRACE', '999999999', '999999998'],
    ])('%s with %s goes on with one less', async (method, value, next) => {
      expect(await seenBy(method, `Max-Forwards: ${value}`)).toEqual([next]);
    });

    it.each([
      ['GET', '0'],
      ['POST', '0'],
      ['OPTIONS', 'x'],
      ['OPTIONS', '-1'],
      ['OPTIONS', '9999999999'],
    ])('%s with %s goes on as it is', async (method, value) => {
      expect(await seenBy(method, `Max-Forwards: ${value}`)).toEqual([value]);
    });

    it('is answered here when no hop is left', async () => {
      const client = rig.client();
      const options = await client.ask(request('OPTIONS', '*', ['Max-Forwards: 0']));
      expect([options.status, field(options, 'allow')]).toEqual([200, 'GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH']);
      expect((await client.ask(request('TRACE', '/a', ['Max-Forwards: 00']))).status).toBe(405);
      expect((await client.ask(get('/b'))).text).toBe('GET /b');
      expect(rig.origin.requests).toHaveLength(1);
    });
  });

  describe('HTTP/1.0', () => {
    it('closes after the answer', async () => {
      const client = rig.client();
      expect((await client.ask('GET /a HTTP/1.0\r\nHost: a\r\n\r\n')).text).toBe('GET /a');
      expect(await client.closed).toBe('');
      expect((await rig.origin.request()).version).toBe('HTTP/1.1');
    });

    it('keeps the connection if asked to, and says so', async () => {
      const client = rig.client();
      for (let i = 0; i < 3; i++) {
        const answer = await client.ask('GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
        expect(answer.text).toBe('GET /a');
        expect(field(answer, 'connection')?.toLowerCase()).toBe('keep-alive');
      }
    });

    it('gets along without Host: the endpoint is told its own address', async () => {
      await rig.client().ask('GET / HTTP/1.0\r\n\r\n');
      expect(field(await rig.origin.request(), 'host')).toBe(`127.0.0.1:${rig.origin.port}`);
    });

    it('turns an answer of HTTP/1.0 into one of HTTP/1.1', async () => {
      rig.origin.onRequest = (_, connection) => {
        connection.send('HTTP/1.0 200 Fine\r\nContent-Length: 2\r\n\r\nok');
      };
      const answer = await rig.client().ask(get());
      expect(answer.head).toMatch(/^HTTP\/1\.1 200 Fine\r\n/);
      // An HTTP/1.0 endpoint that did not say keep-alive will close.
      await within(1000, 'the upstream connection is let go', rig.origin.connections[0]!.gone);
    });
  });
});

/** For `until`: whether the value has been the same at 30 looks in a row. */
function stands(value: () => number): () => boolean {
  let last = -1;
  let looks = 0;
  return () => {
    looks = value() === last ? looks + 1 : 0;
    last = value();
    return looks === 30;
  };
}

function pseudoRandom(length: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = (seed + 1) * 2_654_435_761;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
