/** `limits.connections` through the real proxy, over several shards. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { until } from './deadline.ts';
import { HttpClient } from './http-client.ts';
import { get } from './http-rig.ts';
import { Origin, type OriginConnection, plainAnswer } from './origin-server.ts';
import { ENGINES, ProxyProcess } from './proxy-process.ts';
import { startEchoServer, TcpClient } from './tcp-client.ts';

const LIMIT = 5;

describe.each(ENGINES)('a limit of connections over the %s engine', (engine) => {
  let origin: Origin;
  let echo: Awaited<ReturnType<typeof startEchoServer>>;
  let proxy: ProxyProcess;
  const clients: { close: () => void }[] = [];

  beforeAll(async () => {
    origin = await Origin.start();
    echo = await startEchoServer();
    const limits = { connections: LIMIT };
    proxy = await ProxyProcess.start({
      engine,
      shards: 2,
      listeners: {
        web: { address: '127.0.0.1:0', cluster: 'origin', limits },
        tcp: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'echo', limits },
        free: { address: '127.0.0.1:0', cluster: 'origin' },
      },
      clusters: {
        origin: { endpoints: [`127.0.0.1:${origin.port}`] },
        echo: { endpoints: [`127.0.0.1:${echo.port}`] },
      },
    });
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await origin.reset();
  });

  afterAll(async () => {
    const { code } = await proxy.stop();
    await Promise.all([origin.close(), echo.close()]);
    expect([code, proxy.stderr.match(/ (warn|error) (?!machine:).*/g)]).toEqual([0, null]);
  });

  function connect(): HttpClient {
    const client = new HttpClient(proxy.port('web'));
    clients.push(client);
    return client;
  }

  test('serves that many, and the others as soon as one ends', async () => {
    const waiting: OriginConnection[] = [];
    origin.onRequest = (_request, connection) => waiting.push(connection);
    const many = Array.from({ length: 20 }, () => connect().send(get('/', 'Connection: close')));
    for (let answered = 0; answered < many.length; answered++) {
      await origin.until('the next request', () => origin.requests.length >= Math.min(many.length, answered + LIMIT));
      // Whoever else is served would be seen by then: the limit is full, and nobody was let in beyond it.
      expect(origin.requests.length).toBeLessThanOrEqual(answered + LIMIT);
      waiting.shift()!.send(plainAnswer('done'));
    }
    const answers = await Promise.all(many.map((client) => client.answer()));
    expect(answers.map(({ status }) => status)).toEqual(many.map(() => 200));
  });

  test('is not the limit of another listener, nor of its own idle ones', async () => {
    const idle = await Promise.all(Array.from({ length: LIMIT }, () => connect().ask(get('/'))));
    expect(idle.map(({ status }) => status)).toEqual(idle.map(() => 200));
    const other = new HttpClient(proxy.port('free'));
    clients.push(other);
    expect((await other.ask(get('/'))).status).toBe(200);
    const late = connect().send(get('/late'));
    clients[0]!.close();
    expect((await late.answer()).text).toBe('GET /late');
  });

  test('counts TCP sessions, also those that end by reset', async () => {
    const open = () => {
      const client = new TcpClient({ port: proxy.port('tcp') });
      clients.push(client);
      return client;
    };
    for (let round = 0; round < 3; round++) {
      const served = Array.from({ length: LIMIT }, open);
      await Promise.all(served.map((client) => client.echo('a')));
      const late = open();
      late.send('b');
      await until(5_000, 'the late one connects', () => late.socket.readyState === 'open');
      served[0]!.socket.resetAndDestroy();
      await until(5_000, 'the late one is served', () => late.received === 'b');
      for (const client of [...served, late]) client.close();
    }
  });

  test('loses nobody who waits when the proxy drains', async () => {
    const draining = await ProxyProcess.start({
      engine,
      shards: 2,
      listeners: { web: { address: '127.0.0.1:0', cluster: 'origin', limits: { connections: 2 } } },
      clusters: { origin: { endpoints: [`127.0.0.1:${origin.port}`] } },
    });
    const waiting: OriginConnection[] = [];
    origin.onRequest = (_request, connection) => waiting.push(connection);
    const many = Array.from({ length: 8 }, () => {
      const client = new HttpClient(draining.port('web'));
      clients.push(client);
      return client.send(get('/'));
    });
    await origin.until('a full limit', () => waiting.length === 2);
    await until(5_000, 'all are connected', () => many.every(({ socket }) => socket.readyState === 'open'));
    const exit = draining.stop();
    await until(5_000, 'closed listeners', () => draining.stderr.includes('listeners are closed'));
    for (let served = 0; served < many.length; served++) {
      await origin.until('the next request', () => waiting.length > 0);
      expect(waiting.length).toBeLessThanOrEqual(2);
      waiting.shift()!.send(plainAnswer('done'));
    }
    const answers = await Promise.all(many.map((client) => client.answer()));
    expect(answers.map(({ text }) => text)).toEqual(many.map(() => 'done'));
    expect(await exit).toEqual({ code: 0, signal: null });
  });

  test('is given back by a shard that dies', async () => {
    const crashing = await ProxyProcess.start(
      {
        engine,
        shards: 1,
        listeners: { web: { address: '127.0.0.1:0', cluster: 'origin', limits: { connections: 2 } } },
        clusters: { origin: { endpoints: [`127.0.0.1:${origin.port}`] } },
      },
      { env: { FOURSEVEN_TEST: '1' } },
    );
    try {
      const connectTo = () => {
        const client = new HttpClient(crashing.port('web'));
        clients.push(client);
        return client;
      };
      for (let round = 0; round < 2; round++) {
        const served = [connectTo(), connectTo()];
        for (const client of served) expect((await client.ask(get('/'))).status).toBe(200);
        expect((await crashing.admin('/api/test/shards/0/crash', { method: 'POST' })).status).toBe(202);
        await Promise.all(served.map(({ closed }) => closed));
      }
      await until(10_000, 'service after the crash', async () => {
        const client = connectTo();
        const answer = await client.ask(get('/'), { ms: 2_000 }).catch(() => undefined);
        client.close();
        return answer?.status === 200;
      });
    } finally {
      await crashing.stop();
    }
  });
});
