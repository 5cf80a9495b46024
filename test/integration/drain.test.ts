import { existsSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConfigInput } from '../../src/config/config.ts';
import { until } from './deadline.ts';
import { ENGINES, ProxyProcess, temporaryDirectory } from './proxy-process.ts';
import { startEchoServer, TcpClient } from './tcp-client.ts';

let echo: Awaited<ReturnType<typeof startEchoServer>>;
const directory = temporaryDirectory();

beforeEach(async () => {
  echo = await startEchoServer();
});

afterEach(async () => {
  await echo.close();
});

afterAll(() => directory.remove());

function start(engine: 'native' | 'node', drain: ConfigInput['drain'], more: Partial<ConfigInput> = {}) {
  return ProxyProcess.start(
    {
      engine,
      shards: 2,
      ...(drain === undefined ? {} : { drain }),
      listeners: { raw: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'echo' } },
      clusters: { echo: { endpoints: [`127.0.0.1:${echo.port}`] } },
      ...more,
    },
    { env: { FOURSEVEN_TEST: '1' } },
  );
}

async function isRefused(proxy: ProxyProcess): Promise<boolean> {
  const client = new TcpClient({ port: proxy.port('raw') });
  const outcome = await Promise.race([client.closed, new Promise((resolve) => client.socket.once('connect', resolve))]);
  client.close();
  return outcome === 'ECONNREFUSED';
}

describe.each(ENGINES)('SIGTERM with the %s engine', (engine) => {
  it('ends an idle proxy with exit code 0', async () => {
    const proxy = await start(engine, { grace: '0s' });
    expect(await proxy.stop()).toEqual({ code: 0, signal: null });
    expect(proxy.stderr).not.toContain('were cut');
  });

  it('turns readyz to 503 at once, and accepts for drain.grace', async () => {
    const proxy = await start(engine, { grace: '1s' });
    expect((await proxy.admin('/readyz')).status).toBe(200);
    proxy.signal('SIGTERM');
    await until(900, '503 from readyz', async () => (await proxy.admin('/readyz')).status === 503);
    expect((await proxy.admin('/livez')).status).toBe(200);
    expect((await proxy.status()).draining).toBe(true);
    const client = new TcpClient({ port: proxy.port('raw') });
    await client.echo('during the grace');
    client.socket.end();
    expect((await proxy.exit()).code).toBe(0);
  });

  it('lets sessions finish, refuses new connections meanwhile, and exits with 0', async () => {
    const proxy = await start(engine, { grace: '0s', deadline: '20s' });
    const clients = Array.from({ length: 8 }, () => new TcpClient({ port: proxy.port('raw') }));
    for (const client of clients) await client.echo('before');
    proxy.signal('SIGTERM');
    await until(5_000, 'refused connections', () => isRefused(proxy));
    for (const client of clients) await client.echo('after');
    for (const client of clients) client.socket.end();
    expect(await Promise.all(clients.map((client) => client.closed))).toEqual(clients.map(() => ''));
    expect((await proxy.exit()).code).toBe(0);
  });

  it('cuts what is left at drain.deadline, says how many, and exits with 4', async () => {
    const proxy = await start(engine, { grace: '0s', deadline: '500ms' });
    const clients = Array.from({ length: 3 }, () => new TcpClient({ port: proxy.port('raw') }));
    for (const client of clients) await client.echo('open');
    expect((await proxy.stop()).code).toBe(4);
    expect(proxy.stderr).toContain('3 connections were cut');
    await Promise.all(clients.map((client) => client.closed));
  });

  it('exits at once on a second signal, with 4 if that cuts something', async () => {
    const proxy = await start(engine, { grace: '0s', deadline: '20s' });
    const client = new TcpClient({ port: proxy.port('raw') });
    await client.echo('open');
    // The supervisor learns of connections with the next heartbeat.
    await until(5_000, 'the connection in the status', async () => (await openConnections(proxy)) > 0);
    proxy.signal('SIGTERM');
    await until(5_000, 'the drain in the log', () => proxy.stderr.includes('draining'));
    proxy.signal('SIGTERM');
    expect((await proxy.exit(2_000)).code).toBe(4);
    client.close();
  });

  it('ends in good order while a shard is being replaced', async () => {
    const proxy = await start(engine, { grace: '0s', deadline: '10s' });
    await proxy.admin('/api/test/shards/0/crash', { method: 'POST' });
    await until(5_000, 'the crash in the log', () => proxy.stderr.includes('is gone'));
    expect((await proxy.stop()).code).toBe(0);
  });

  it('takes the path of a unix socket away', async () => {
    const { path } = directory;
    const address = `unix:${path}/raw.sock`;
    const proxy = await start(
      engine,
      { grace: '0s' },
      { listeners: { raw: { address, protocol: 'tcp', cluster: 'echo' } } },
    );
    const client = new TcpClient({ path: `${path}/raw.sock` });
    await client.echo('over a path');
    client.socket.end();
    await client.closed;
    expect((await proxy.stop()).code).toBe(0);
    expect(existsSync(`${path}/raw.sock`)).toBe(false);
  });
});

async function openConnections(proxy: ProxyProcess): Promise<number> {
  const { shards } = await proxy.status();
  return shards.reduce((sum, { connections }) => sum + connections, 0);
}
