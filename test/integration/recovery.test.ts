import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from './deadline.ts';
import { ENGINES, ProxyProcess } from './proxy-process.ts';
import { startEchoServer, TcpClient } from './tcp-client.ts';

/** The event loop must stand still for 5 s; then the successor has 1 s. The rest is for a busy machine. */
const HANG_NOTICED_MS = 5_000;
const REPLACED_MS = 1_000;
const SLACK_MS = 1_500;

let echo: Awaited<ReturnType<typeof startEchoServer>>;
let proxy: ProxyProcess;

beforeEach(async () => {
  echo = await startEchoServer();
});

afterEach(async () => {
  await proxy.stop();
  await echo.close();
});

async function start(engine: 'native' | 'node', shards: number, env: Record<string, string> = { FOURSEVEN_TEST: '1' }) {
  proxy = await ProxyProcess.start(
    {
      engine,
      shards,
      listeners: { raw: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'echo' } },
      clusters: { echo: { endpoints: [`127.0.0.1:${echo.port}`] } },
    },
    { env },
  );
}

/** New connections one after the other until `stop`; none may be refused, and each must get its echo. */
function connectAllTheTime() {
  let isStopped = false;
  let served = 0;
  const failures: string[] = [];
  const lane = async () => {
    while (!isStopped) {
      const client = new TcpClient({ port: proxy.port('raw') });
      await client.echo('hello', 12_000).then(
        () => {
          served += 1;
        },
        (error: Error) => failures.push(error.message),
      );
      client.close();
    }
  };
  const lanes = Array.from({ length: 4 }, lane);
  const stop = async () => {
    isStopped = true;
    await Promise.all(lanes);
    return { served, failures };
  };
  return { stop, served: () => served };
}

async function restarts(shard: number): Promise<number> {
  const { shards } = await proxy.status();
  return shards[shard]!.restarts;
}

/** Resolves to how long it took until the shard had been replaced and said so. */
async function untilReplaced(ms: number, count: number): Promise<number> {
  const startMs = performance.now();
  await until(ms, `restart ${count} in the log`, () => proxy.stderr.includes(`restart ${count})`));
  return performance.now() - startMs;
}

/** What a shard has accepted dies with it: whoever is to wait in the queue must come after the shard stands still. */
async function untilHung(): Promise<void> {
  await until(5_000, 'a shard that no longer echoes', async () => {
    const probe = new TcpClient({ port: proxy.port('raw') });
    const isServed = await probe.echo('?', 300).then(
      () => true,
      () => false,
    );
    probe.close();
    return !isServed;
  });
}

describe.each(ENGINES)('a shard of the %s engine', (engine) => {
  it('is replaced within a second after a crash', async () => {
    await start(engine, 2);
    const kept = new TcpClient({ port: proxy.port('raw') });
    await kept.echo('before');
    const answer = await proxy.admin('/api/test/shards/1/crash', { method: 'POST' });
    expect(answer.status).toBe(202);
    expect(await untilReplaced(REPLACED_MS + SLACK_MS, 1)).toBeLessThan(REPLACED_MS + SLACK_MS);
    expect(await restarts(1)).toBe(1);
    expect(await restarts(0)).toBe(0);
    expect(await proxy.metric('fourseven_shard_restarts_total{shard="1"}')).toBe(1);
    const client = new TcpClient({ port: proxy.port('raw') });
    await client.echo('after');
    client.close();
    kept.close();
  });

  it('is replaced within a second after its event loop stood still for 5 s', async () => {
    await start(engine, 1);
    const hung = await proxy.admin('/api/test/shards/0/hang', { method: 'POST' });
    expect(hung.status).toBe(202);
    const tookMs = await untilReplaced(HANG_NOTICED_MS + REPLACED_MS + SLACK_MS, 1);
    expect(tookMs).toBeGreaterThan(HANG_NOTICED_MS - REPLACED_MS);
    const client = new TcpClient({ port: proxy.port('raw') });
    await client.echo('after');
    client.close();
    expect(proxy.stderr).toContain('its event loop has stood still');
  });

  it('counts nothing twice and takes nothing back when it is replaced', async () => {
    await start(engine, 1);
    const client = new TcpClient({ port: proxy.port('raw') });
    await client.echo('x'.repeat(100));
    client.socket.end();
    await client.closed;
    const sessions = 'fourseven_tcp_sessions_total{';
    await until(5_000, 'the session in the metrics', async () => ((await proxy.metric(sessions)) ?? 0) === 1);
    const received = 'fourseven_bytes_total{listener="raw",direction="received"}';
    expect(await proxy.metric(received)).toBe(100);
    await proxy.admin('/api/test/shards/0/crash', { method: 'POST' });
    await untilReplaced(REPLACED_MS + SLACK_MS, 1);
    expect(await proxy.metric(sessions)).toBe(1);
    expect(await proxy.metric(received)).toBe(100);
  });

  it('gives back what it had in flight when it dies', async () => {
    await start(engine, 1);
    const client = new TcpClient({ port: proxy.port('raw') });
    await client.echo('open');
    const inFlight = async () => (await proxy.status()).clusters[0]!.endpoints[0]!.inFlight;
    expect(await inFlight()).toBe(1);
    await proxy.admin('/api/test/shards/0/crash', { method: 'POST' });
    await untilReplaced(REPLACED_MS + SLACK_MS, 1);
    expect(await inFlight()).toBe(0);
    client.close();
  });
});

// Only the native engine can promise this: libuv goes on accepting in a thread that is told to end, until its loop stops.
describe.runIf(ENGINES.includes('native'))('connections that wait to be accepted', () => {
  it('are all served while the only shard crashes again and again', async () => {
    await start('native', 1);
    for (let crash = 1; crash <= 3; crash++) {
      const waiting = await queueBehindCrash();
      await untilReplaced(5_000, crash);
      for (const client of waiting) await client.echo('hello');
      for (const client of waiting) client.close();
    }
    expect(await restarts(0)).toBe(3);
  });

  it('are all served by the successor of a shard that hung', async () => {
    await start('native', 1);
    await proxy.admin('/api/test/shards/0/hang', { method: 'POST' });
    await untilHung();
    const waiting = Array.from({ length: 10 }, () => new TcpClient({ port: proxy.port('raw') }));
    await untilReplaced(HANG_NOTICED_MS + REPLACED_MS + SLACK_MS, 1);
    for (const client of waiting) await client.echo('patience');
    for (const client of waiting) client.close();
  });

  it('are not refused while one of two shards is replaced', async () => {
    await start('native', 2);
    const load = connectAllTheTime();
    await until(5_000, 'some load', () => load.served() > 20);
    await proxy.admin('/api/test/shards/0/crash', { method: 'POST' });
    await untilReplaced(REPLACED_MS + SLACK_MS, 1);
    const before = load.served();
    await until(5_000, 'load after the crash', () => load.served() > before + 20);
    const { failures } = await load.stop();
    // What the crashed shard had accepted dies with it: at most one connection per lane. None may be refused.
    expect(failures.length).toBeLessThanOrEqual(4);
    expect(failures.filter((failure) => failure.includes('ECONNREFUSED'))).toEqual([]);
  });

  /** Crashes the shard, and connects when its thread no longer accepts. */
  async function queueBehindCrash(): Promise<TcpClient[]> {
    const crashed = proxy.stderr.length;
    await proxy.admin('/api/test/shards/0/crash', { method: 'POST' });
    await until(5_000, 'the crash in the log', () => proxy.stderr.slice(crashed).includes('is gone'));
    return Array.from({ length: 10 }, () => new TcpClient({ port: proxy.port('raw') }));
  }
});

describe('test calls', () => {
  it('do not exist without FOURSEVEN_TEST=1', async () => {
    await start(ENGINES[0]!, 1, { FOURSEVEN_TEST: '' });
    const answer = await proxy.admin('/api/test/shards/0/crash', { method: 'POST' });
    expect(answer.status).toBe(404);
    expect(await restarts(0)).toBe(0);
  });

  it('answer 404 for a shard that is not there, and 405 for another method', async () => {
    await start(ENGINES[0]!, 1);
    expect((await proxy.admin('/api/test/shards/7/crash', { method: 'POST' })).status).toBe(404);
    expect((await proxy.admin('/api/test/shards/0/crash')).status).toBe(405);
  });
});
