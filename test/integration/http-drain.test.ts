/** SIGTERM while HTTP is in flight: nothing that has begun is lost. */
import { afterEach, describe, expect, it } from 'vitest';
import { until, within } from './deadline.ts';
import { get, HttpRig, post, request } from './http-rig.ts';
import { field } from './origin-request.ts';
import { plainAnswer } from './origin-server.ts';
import { ENGINES } from './proxy-process.ts';

/** A drain that has nothing left to wait for ends within this time. */
const EXIT_MS = 3_000;

describe.each(ENGINES)('SIGTERM with the %s engine', (engine) => {
  let rig: HttpRig;

  afterEach(() => rig.origin.close());

  async function drain(): Promise<void> {
    rig.proxy.signal('SIGTERM');
    await until(2_000, 'the drain begins', () => rig.proxy.stderr.includes('draining'));
  }

  it('lets requests in flight finish, says Connection: close, and exits with 0', async () => {
    rig = await HttpRig.start(engine);
    rig.origin.onRequest = () => {};
    const waiting = rig.client().send(get('/waiting'));
    const uploading = rig.client().send(request('POST', '/upload', ['Content-Length: 10'], 'hello'));
    await rig.origin.until(
      'both are in flight',
      () => rig.origin.connections.length === 2 && rig.origin.requests.length === 1,
    );
    await drain();
    rig.origin.onRequest = (_, connection) => connection.send(plainAnswer('uploaded'));
    uploading.send('world');
    const uploaded = await uploading.answer();
    expect([uploaded.text, field(uploaded, 'connection')]).toEqual(['uploaded', 'close']);
    await uploading.closed;
    rig.origin.connections[0]!.send(plainAnswer('waited'));
    const waited = await waiting.answer();
    expect([waited.text, field(waited, 'connection')]).toEqual(['waited', 'close']);
    expect(await waiting.closed).toBe('');
    expect(await rig.proxy.exit(EXIT_MS)).toEqual({ code: 0, signal: null });
  });

  it('closes idle connections with FIN, and those whose answer had begun once it is whole', async () => {
    rig = await HttpRig.start(engine);
    const idle = rig.client();
    expect((await idle.ask(get())).status).toBe(200);
    rig.origin.onRequest = (_, connection) => connection.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
    const streaming = rig.client().send(get('/stream'));
    await streaming.receives('hello');
    await drain();
    expect(await idle.closed).toBe('');
    rig.origin.connections[0]!.send('world');
    expect((await streaming.answer()).text).toBe('helloworld');
    expect(await streaming.closed).toBe('');
    expect((await rig.proxy.exit(EXIT_MS)).code).toBe(0);
  });

  it('serves the request that is pipelined behind an answer that had begun, then closes', async () => {
    rig = await HttpRig.start(engine);
    rig.origin.onRequest = (_, connection) => connection.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
    const client = rig.client().send(get('/stream') + get('/next'));
    await client.receives('hello');
    await drain();
    rig.origin.onRequest = (_, connection) => connection.send(plainAnswer('next'));
    rig.origin.connections[0]!.send('world');
    expect((await client.answer()).text).toBe('helloworld');
    const next = await client.answer();
    expect([next.text, field(next, 'connection')]).toEqual(['next', 'close']);
    expect((await rig.proxy.exit(EXIT_MS)).code).toBe(0);
  });

  it('does not wait for connections that never sent a request', async () => {
    rig = await HttpRig.start(engine);
    const silent = rig.client();
    expect((await rig.client().ask(get())).status).toBe(200);
    await drain();
    expect(await silent.closed).toBe('');
    expect((await rig.proxy.exit(EXIT_MS)).code).toBe(0);
  });

  it('answers what comes within the grace, closing each connection', async () => {
    rig = await HttpRig.start(engine, () => ({}), { drain: { grace: '1s' } });
    const kept = rig.client();
    expect((await kept.ask(get('/before'))).status).toBe(200);
    await drain();
    await until(900, 'the shard says Connection: close', async () => {
      const answer = await rig.client().ask(post('/within', 'x'));
      expect(answer.text).toBe('POST /within');
      return field(answer, 'connection') === 'close';
    });
    const last = await kept.ask(get('/last'));
    expect([last.text, field(last, 'connection')]).toEqual(['GET /last', 'close']);
    expect(await kept.closed).toBe('');
    expect((await rig.proxy.exit(EXIT_MS)).code).toBe(0);
  });

  it('answers the first of a pipeline, then closes', async () => {
    rig = await HttpRig.start(engine);
    rig.origin.onRequest = () => {};
    const client = rig.client().send(get('/1') + get('/2'));
    await rig.origin.request();
    await drain();
    rig.origin.connections[0]!.send(plainAnswer('one'));
    expect((await client.answer()).text).toBe('one');
    // Connection: close on the first answer tells the client that the second request was not begun.
    await within(EXIT_MS, 'the connection closes', client.closed);
    expect((await rig.proxy.exit(EXIT_MS)).code).toBe(0);
  });

  it('cuts what is left at the deadline, with exit code 4', async () => {
    rig = await HttpRig.start(engine, () => ({}), { drain: { grace: '0s', deadline: '300ms' } });
    rig.origin.onRequest = () => {};
    const client = rig.client().send(get());
    await rig.origin.request();
    rig.proxy.signal('SIGTERM');
    expect((await rig.proxy.exit(EXIT_MS)).code).toBe(4);
    await client.closed;
    expect(client.received).toBe('');
  });
});
