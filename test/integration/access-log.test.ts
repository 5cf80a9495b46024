/** What is told of requests and sessions, by the real command. */
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from './deadline.ts';
import { HttpClient } from './http-client.ts';
import { get } from './http-rig.ts';
import { Origin } from './origin-server.ts';
import { ENGINES, ProxyProcess, runCommand, temporaryDirectory } from './proxy-process.ts';

describe.each(ENGINES)('access logs, %s engine', (engine) => {
  let origin: Origin;
  let proxy: ProxyProcess;
  let directory: ReturnType<typeof temporaryDirectory>;
  let file: string;

  beforeEach(async () => {
    origin = await Origin.start();
    directory = temporaryDirectory();
    file = join(directory.path, 'web.log');
    const endpoints = [`127.0.0.1:${origin.port}`];
    proxy = await ProxyProcess.start({
      engine,
      shards: 1,
      listeners: {
        web: {
          address: '127.0.0.1:0',
          routes: [
            { name: 'dead', match: { path: '/dead' }, cluster: 'dead' },
            { name: 'rest', cluster: 'origin' },
          ],
          accessLog: { file },
        },
        raw: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'origin', accessLog: { format: 'combined' } },
      },
      clusters: { origin: { endpoints }, dead: { endpoints: ['127.0.0.1:1'] } },
    });
  });
  afterEach(async () => {
    await proxy.stop();
    await origin.close();
    directory.remove();
  });

  const lines = (path = file) =>
    existsSync(path)
      ? readFileSync(path, 'utf8')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line))
      : [];

  test('tell of each request where it went and how it ended', async () => {
    const client = new HttpClient(proxy.port('web'));
    await client.send(get('/dead')).answer();
    await client.send(get('/x')).answer();
    client.close();
    const bad = createConnection(proxy.port('web'), '127.0.0.1', () => bad.end('GET / HTTP/1.1\r\n\r\n'));
    bad.resume();
    await until(5_000, 'three lines', () => lines().length === 3);
    const [dead, fine, refused] = lines();
    expect(dead).toMatchObject({
      status: 502,
      route: 'dead',
      reason: 'connect_refused',
      endedBy: 'upstream',
      phase: 'connect',
    });
    expect(fine).toMatchObject({ status: 200, route: 'rest', target: '/x', reason: 'ok', attempts: 1 });
    expect(fine.requestId).toMatch(/^[0-9a-f]{32}$/);
    expect(refused).toMatchObject({ status: 400, endedBy: 'downstream', phase: 'request' });
  });

  test('tell of sessions on standard output', async () => {
    const client = new HttpClient(proxy.port('raw'));
    await client.send(get('/x')).answer();
    client.socket.resetAndDestroy();
    await until(5_000, 'the line', () => proxy.stdout.includes(' raw origin '));
    expect(proxy.stdout).toMatch(
      /^127\.0\.0\.1 - - \[.*\] raw origin 127\.0\.0\.1:\d+ client_reset downstream \d+ \d+ \d+\.\d{3}$/m,
    );
  });

  test('go on in a new file after SIGUSR1, with nothing lost in between', async () => {
    const client = new HttpClient(proxy.port('web'));
    await client.send(get('/1')).answer();
    await until(5_000, 'the first line', () => lines().length === 1);
    renameSync(file, `${file}.1`);
    await client.send(get('/2')).answer();
    await until(5_000, 'the second line, in the old file', () => lines(`${file}.1`).length === 2);
    proxy.signal('SIGUSR1');
    await until(5_000, 'the new file', () => existsSync(file));
    await client.send(get('/3')).answer();
    await until(5_000, 'the third line', () => lines().length === 1);
    client.close();
    expect(lines()[0].target).toBe('/3');
  });

  test('are whole when the proxy has ended', async () => {
    const client = new HttpClient(proxy.port('web'));
    for (let count = 0; count < 20; count++) await client.send(get(`/${count}`)).answer();
    client.close();
    await proxy.stop();
    expect(lines().map(({ target }) => target)).toEqual(Array.from({ length: 20 }, (_, count) => `/${count}`));
  });
});

test('an access log that cannot be opened ends the start, and says which', async () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory.path, 'taken'));
  const config = {
    admin: 'off',
    listeners: { web: { address: '127.0.0.1:0', cluster: 'c', accessLog: { file: 'taken' } } },
    clusters: { c: { endpoints: ['127.0.0.1:1'] } },
  };
  const { code, stderr } = await runCommand(['run', directory.write('fourseven.json', JSON.stringify(config))]);
  directory.remove();
  expect(code).toBe(1);
  expect(stderr).toContain('taken: EISDIR');
});
