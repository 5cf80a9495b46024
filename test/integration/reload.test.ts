/** New configurations for a proxy that runs: what changes, what stays, and that nothing is lost. */
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { ConfigInput } from '../../src/config/config.ts';
import { until } from './deadline.ts';
import { HttpClient } from './http-client.ts';
import { get } from './http-rig.ts';
import type { OriginRequest } from './origin-request.ts';
import { Origin, plainAnswer } from './origin-server.ts';
import { ENGINES, ProxyProcess, runCommand, temporaryDirectory } from './proxy-process.ts';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** Answers every request with its name. */
async function origin(name: string): Promise<{ at: string; origin: Origin }> {
  const it = await Origin.start();
  cleanUps.push(() => it.close());
  it.onRequest = (_, connection) => connection.send(plainAnswer(name));
  return { at: `127.0.0.1:${it.port}`, origin: it };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function ask(port: number): Promise<string> {
  const client = new HttpClient(port);
  const { text } = await client.ask(get());
  client.close();
  return text;
}

describe.each(ENGINES)('a reload with the %s engine', (engine) => {
  const FIXED = {
    engine,
    shards: engine === 'native' ? 2 : 1,
    admin: { address: '127.0.0.1:0' },
    // Sessions with these origins end when both sides say so.
    drain: { grace: '0s', deadline: '1s' },
  } as const;

  async function run(
    config: ConfigInput,
    args: readonly string[] = [],
  ): Promise<{ proxy: ProxyProcess; file: string }> {
    const proxy = await ProxyProcess.start({ ...FIXED, ...config }, {}, args);
    cleanUps.push(() => proxy.stop());
    return { proxy, file: proxy.file };
  }

  function write(file: string, config: ConfigInput): void {
    writeFileSync(file, JSON.stringify({ ...FIXED, ...config }));
  }

  async function reload(proxy: ProxyProcess): Promise<{ status: number; configVersion: number; rejected: unknown }> {
    const answer = await proxy.admin('/api/reload', { method: 'POST' });
    return { status: answer.status, ...((await answer.json()) as { configVersion: number; rejected: unknown }) };
  }

  it('changes where a listener leads, for new requests of old connections, too', async () => {
    const [a, b] = [await origin('a'), await origin('b')];
    const configFor = (endpoint: string): ConfigInput => ({
      listeners: { web: { address: '127.0.0.1:0', cluster: 'site' } },
      clusters: { site: { endpoints: [endpoint] } },
    });
    const { proxy, file } = await run(configFor(a.at));
    const client = new HttpClient(proxy.port('web'));
    expect((await client.ask(get())).text).toBe('a');
    write(file, configFor(b.at));
    expect(await reload(proxy)).toEqual({ status: 200, configVersion: 2, rejected: null });
    expect((await client.ask(get())).text).toBe('b');
    expect(await ask(proxy.port('web'))).toBe('b');
    client.close();
    const { clusters } = await proxy.status();
    expect(clusters[0]!.endpoints.map(({ address }) => address)).toEqual([b.at]);
    await until(2_000, 'the connections to the endpoint that left are closed', async () =>
      a.origin.connections.every(({ isGone }) => isGone),
    );
  });

  it('binds listeners that are new, lets go of those that left, and leaves the others alone', async () => {
    const { at } = await origin('a');
    const [first, second, third] = [await freePort(), await freePort(), await freePort()];
    const on = (port: number) => ({ address: `127.0.0.1:${port}`, cluster: 'site' });
    const clusters = { site: { endpoints: [at] } };
    const { proxy, file } = await run({ listeners: { one: on(first), two: on(second) }, clusters });
    const kept = new HttpClient(first);
    const leaving = new HttpClient(second);
    expect((await kept.ask(get())).text + (await leaving.ask(get())).text).toBe('aa');
    write(file, { listeners: { three: on(third), renamed: on(first) }, clusters });
    expect((await reload(proxy)).status).toBe(200);
    expect((await proxy.status()).listeners.map(({ name, address }) => `${name} ${address}`)).toEqual([
      `three 127.0.0.1:${third}`,
      `renamed 127.0.0.1:${first}`,
    ]);
    expect((await kept.ask(get())).text).toBe('a');
    expect(await ask(third)).toBe('a');
    expect(await new HttpClient(second).closed).toBe('ECONNREFUSED');
    // Idle, and its listener is gone.
    expect(await leaving.closed).toBe('');
    kept.close();
  });

  it('changes the protocol of a listener, and a unix path for a port', async () => {
    const { at } = await origin('a');
    const directory = temporaryDirectory();
    cleanUps.push(directory.remove);
    const path = join(directory.path, 'edge.sock');
    const port = await freePort();
    const clusters = { site: { endpoints: [at] } };
    const { proxy, file } = await run({
      listeners: {
        web: { address: `127.0.0.1:${port}`, cluster: 'site' },
        local: { address: `unix:${path}`, cluster: 'site' },
      },
      clusters,
    });
    expect(existsSync(path)).toBe(true);
    write(file, { listeners: { web: { address: `127.0.0.1:${port}`, protocol: 'tcp', cluster: 'site' } }, clusters });
    expect((await reload(proxy)).status).toBe(200);
    expect(existsSync(path)).toBe(false);
    expect(await ask(port)).toBe('a');
    expect((await proxy.status()).listeners[0]).toMatchObject({ name: 'web', protocol: 'tcp' });
  });

  it('moves a listener from all addresses to one, on the same port', async () => {
    const { at } = await origin('a');
    const port = await freePort();
    const configFor = (host: string): ConfigInput => ({
      listeners: { web: { address: `${host}:${port}`, cluster: 'site' } },
      clusters: { site: { endpoints: [at] } },
    });
    const { proxy, file } = await run(configFor('0.0.0.0'));
    write(file, configFor('127.0.0.1'));
    const { status, rejected } = await reload(proxy);
    if (engine === 'native') expect([status, rejected]).toEqual([200, null]);
    expect(await ask(port)).toBe('a');
  });

  it.each([
    ['no configuration at all', () => '{', /listeners|unexpected|JSON|mapping/i],
    [
      'a cluster that is not there',
      (port: number, at: string) =>
        JSON.stringify({
          listeners: { web: { address: `127.0.0.1:${port}`, cluster: 'nowhere' } },
          clusters: { site: { endpoints: [at] } },
        }),
      /there is no cluster "nowhere"/,
    ],
    [
      'a port that somebody has',
      (port: number, at: string) =>
        JSON.stringify({
          ...FIXED,
          listeners: {
            web: { address: `127.0.0.1:${port}`, cluster: 'site' },
            other: { address: '127.0.0.1:0', cluster: 'site' },
            taken: { address: at, cluster: 'site' },
          },
          clusters: { site: { endpoints: [at] } },
        }),
      /taken/,
    ],
    [
      'a name that does not resolve',
      (port: number) =>
        JSON.stringify({
          ...FIXED,
          listeners: { web: { address: `127.0.0.1:${port}`, cluster: 'site' } },
          clusters: { site: { endpoints: ['nowhere.invalid:80'] } },
        }),
      /nowhere\.invalid/,
    ],
    [
      'another number of shards',
      (port: number, at: string) =>
        JSON.stringify({
          ...FIXED,
          shards: 7,
          listeners: { web: { address: `127.0.0.1:${port}`, cluster: 'site' } },
          clusters: { site: { endpoints: [at] } },
        }),
      /shards: it cannot change while the proxy runs/,
    ],
  ])('changes nothing for %s, and says why', async (_, text, why) => {
    const { at } = await origin('a');
    const port = await freePort();
    const { proxy, file } = await run({
      listeners: { web: { address: `127.0.0.1:${port}`, cluster: 'site' } },
      clusters: { site: { endpoints: [at] } },
    });
    const { shards: _shards, ...before } = await proxy.status();
    writeFileSync(file, text(port, at));
    const outcome = await reload(proxy);
    expect(outcome).toMatchObject({ status: 422, configVersion: 1, rejected: { problems: expect.anything() } });
    const { shards: __, rejected, ...after } = await proxy.status();
    expect({ ...after, rejected: null }).toEqual(before);
    expect(rejected!.problems.join('\n')).toMatch(why);
    expect(Date.parse(rejected!.at)).toBeGreaterThan(Date.now() - 60_000);
    expect(await ask(port)).toBe('a');
  });

  it('keeps health, ejection, admin state and what is in flight', async () => {
    const [a, b] = [await origin('a'), await origin('b')];
    const configFor = (policy: 'random' | 'maglev'): ConfigInput => ({
      listeners: { web: { address: '127.0.0.1:0', cluster: 'site' } },
      clusters: {
        site: {
          policy,
          endpoints: [a.at, b.at, '127.0.0.1:1'],
          healthCheck: { type: 'tcp', interval: '1h' },
        },
      },
    });
    const { proxy, file } = await run(configFor('random'));
    const healthOf = async () =>
      (await proxy.status()).clusters[0]!.endpoints.map(({ health, admin }) => [health, admin]);
    await until(2_000, 'the first checks', async () => (await healthOf())[2]![0] === 'unhealthy');
    await proxy.admin(`/api/clusters/site/endpoints/${a.at}/drain`, { method: 'POST' });
    b.origin.onRequest = () => {};
    const waiting = new HttpClient(proxy.port('web'));
    waiting.send(get());
    // The others are checks.
    const asked = await b.origin.until('the request', () =>
      b.origin.connections.find(({ requests }) => requests.length > 0),
    );
    write(file, configFor('maglev'));
    expect((await reload(proxy)).status).toBe(200);
    expect(await healthOf()).toEqual([
      ['healthy', 'draining'],
      ['healthy', 'enabled'],
      ['unhealthy', 'enabled'],
    ]);
    expect((await proxy.status()).clusters[0]!.endpoints[1]!.inFlight).toBe(1);
    asked.send(plainAnswer('late'));
    expect((await waiting.answer()).text).toBe('late');
    waiting.close();
  });

  it('lets work on an endpoint that left finish, and cuts it at the deadline', async () => {
    const [a, b] = [await origin('a'), await origin('b')];
    a.origin.onRequest = () => {};
    const configFor = (endpoint: string): ConfigInput => ({
      listeners: {
        web: { address: '127.0.0.1:0', cluster: 'site' },
        raw: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'site' },
      },
      clusters: { site: { endpoints: [endpoint], drain: { deadline: '1s' } } },
    });
    const { proxy, file } = await run(configFor(a.at));
    const [finishing, cut, session] = [proxy.port('web'), proxy.port('web'), proxy.port('raw')].map((port) =>
      new HttpClient(port).send(get()),
    );
    await a.origin.until('three requests', () => a.origin.requests.length === 3);
    write(file, configFor(b.at));
    expect((await reload(proxy)).status).toBe(200);
    expect(await ask(proxy.port('web'))).toBe('b');
    const beganMs = performance.now();
    const isForwarded = ({ headers }: OriginRequest) => headers.some(([name]) => name === 'X-Forwarded-For');
    a.origin.connections.find(({ requests }) => requests.some(isForwarded))!.send(plainAnswer('done'));
    const answers = await Promise.all([finishing, cut].map((client) => client!.answer()));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 503]);
    expect(await session!.closed).toBe('ECONNRESET');
    const tookMs = performance.now() - beganMs;
    expect(tookMs).toBeGreaterThan(500);
    expect(tookMs).toBeLessThan(2_000);
  });

  it('is begun by SIGHUP and by the command', async () => {
    const [a, b] = [await origin('a'), await origin('b')];
    const configFor = (endpoint: string): ConfigInput => ({
      listeners: { web: { address: '127.0.0.1:0', cluster: 'site' } },
      clusters: { site: { endpoints: [endpoint] } },
    });
    const { proxy, file } = await run(configFor(a.at));
    write(file, configFor(b.at));
    proxy.signal('SIGHUP');
    await until(5_000, 'the new configuration', async () => (await proxy.status()).configVersion === 2);
    expect(await ask(proxy.port('web'))).toBe('b');
    const admin = proxy.adminUrl.slice('http://'.length);
    write(file, configFor(a.at));
    expect(await runCommand(['reload', '--admin', admin])).toEqual({
      code: 0,
      stdout: 'configuration 3 is in force\n',
      stderr: '',
    });
    expect(await ask(proxy.port('web'))).toBe('a');
    writeFileSync(file, '{}');
    const refused = await runCommand(['reload', '--admin', admin]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/listeners.*\n.*\nfourseven: configuration 3 stays in force\n$/s);
    const status = await runCommand(['status', '--admin', admin]);
    expect(status.stdout).toContain('a configuration was rejected at');
  });

  it('follows the file where it is watched', async () => {
    const [a, b] = [await origin('a'), await origin('b')];
    const configFor = (endpoint: string): ConfigInput => ({
      listeners: { web: { address: '127.0.0.1:0', cluster: 'site' } },
      clusters: { site: { endpoints: [endpoint] } },
    });
    const { proxy, file } = await run(configFor(a.at), ['--watch']);
    write(file, configFor(b.at));
    await until(5_000, 'the new configuration', async () => (await proxy.status()).configVersion === 2);
    expect(await ask(proxy.port('web'))).toBe('b');
  });
});
