import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { validateConfig } from '../../src/config/validate-config.ts';
import { silentLog } from '../../src/control/event-log.ts';
import type { RunningProxy as RunningProxyClass } from '../../src/control/running-proxy.ts';
import type * as Library from '../../src/index.ts';
import { until } from './deadline.ts';
import { ENGINES } from './proxy-process.ts';
import { startEchoServer, TcpClient } from './tcp-client.ts';

// The built one: shards run on threads, and a thread of Node 20 reads no TypeScript.
const { start, defineConfig }: typeof Library = await import(`${new URL('../../dist/index.js', import.meta.url)}`);
const { RunningProxy }: { RunningProxy: typeof RunningProxyClass } = await import(
  `${new URL('../../dist/control/running-proxy.js', import.meta.url)}`
);

let echo: Awaited<ReturnType<typeof startEchoServer>>;
beforeAll(async () => {
  echo = await startEchoServer();
});
afterAll(() => echo.close());

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

describe.each(ENGINES)('the library with the %s engine', (engine) => {
  const config = () =>
    defineConfig({
      engine,
      shards: 1,
      admin: 'off',
      drain: { grace: '0s', deadline: '200ms' },
      listeners: { raw: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'echo' } },
      clusters: { echo: { endpoints: [`127.0.0.1:${echo.port}`] } },
    });

  it('runs a proxy in this process, and ends it without a trace', async () => {
    const proxy = await start(config());
    expect(proxy.listeners).toEqual([
      { name: 'raw', protocol: 'tcp', address: expect.stringMatching(/^127\.0\.0\.1:\d+$/) },
    ]);
    const port = portOf(proxy.listeners[0]!.address);
    const client = new TcpClient({ port });
    await client.echo('hello');
    client.socket.end();
    await client.closed;
    expect(await proxy.drain()).toBe(0);
    expect(await new TcpClient({ port }).closed).toBe('ECONNREFUSED');
    // Ending twice is fine.
    await proxy.close();
  });

  it('cuts what is open on close, and tells on drain how many were cut', async () => {
    const [closing, draining] = await Promise.all([start(config()), start(config())]);
    const clients = [closing, draining].map(({ listeners }) => new TcpClient({ port: portOf(listeners[0]!.address) }));
    for (const client of clients) await client.echo('open');
    const [, cut] = await Promise.all([closing.close(), draining.drain()]);
    expect(cut).toBe(1);
    await Promise.all(clients.map((client) => client.closed));
  });

  it('starts, runs and ends many times in one process', async () => {
    for (let round = 0; round < 3; round++) {
      const proxy = await start(config());
      const client = new TcpClient({ port: portOf(proxy.listeners[0]!.address) });
      await client.echo(`round ${round}`);
      client.close();
      await proxy.close();
    }
  });

  it('follows a host name to its new address without a restart', async () => {
    const hosts = ['127.0.0.1'];
    // Nobody listens on this one: it is only to be seen in the status.
    const moved = '127.0.0.9';
    const result = validateConfig({ ...config(), clusters: { echo: { endpoints: [`echo.test:${echo.port}`] } } });
    const proxy = await RunningProxy.start(result.config!, {
      log: silentLog,
      names: { lookup: async () => hosts.map((address) => ({ address, family: 4 })), refreshIntervalMs: 50 },
    });
    const addresses = async () => (await proxy.status()).clusters[0]!.endpoints.map(({ address }) => address);
    expect(await addresses()).toEqual([`127.0.0.1:${echo.port}`]);
    const kept = new TcpClient({ port: portOf(proxy.listeners[0]!.address) });
    await kept.echo('before');
    hosts[0] = moved;
    await until(5_000, 'the new address', async () => (await addresses())[0] === `${moved}:${echo.port}`);
    // What runs goes on where it began, what is new goes to the new address, where nobody is.
    await kept.echo('after');
    await until(5_000, 'a session that is sent to the new address', async () => {
      const client = new TcpClient({ port: portOf(proxy.listeners[0]!.address) });
      return client.echo('anybody?').then(
        () => false,
        () => true,
      );
    });
    kept.close();
    await proxy.close();
  });
});

describe('another configuration', () => {
  it('is put in force, or refused with everything as it was', async () => {
    const configFor = (name: string, cluster = 'echo') =>
      defineConfig({
        shards: 1,
        admin: 'off',
        listeners: { [name]: { address: '127.0.0.1:0', protocol: 'tcp', cluster } },
        clusters: { echo: { endpoints: [`127.0.0.1:${echo.port}`] } },
      });
    const proxy = await start(configFor('one'));
    const before = portOf(proxy.listeners[0]!.address);
    await proxy.reload(configFor('two'));
    expect(proxy.listeners.map(({ name }) => name)).toEqual(['two']);
    await expect(proxy.reload(configFor('three', 'absent'))).rejects.toMatchObject({ code: 'config_invalid' });
    const client = new TcpClient({ port: portOf(proxy.listeners[0]!.address) });
    await client.echo('still there');
    expect(await new TcpClient({ port: before }).closed).toBe('ECONNREFUSED');
    client.close();
    await proxy.close();
  });
});

describe('a configuration that is wrong', () => {
  it('is refused with config_invalid and every problem', async () => {
    const wrong = { listeners: { a: { address: 'nowhere', cluster: 'b' } }, clusters: { c: { endpoints: [] } } };
    await expect(start(wrong)).rejects.toMatchObject({
      name: 'ProxyError',
      code: 'config_invalid',
      message: expect.stringMatching(/listeners\.a\.address.*clusters\.c\.endpoints/s),
    });
  });
});
