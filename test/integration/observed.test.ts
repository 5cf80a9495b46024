/** Whoever looks at the proxy, or does not: traffic goes on. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from './deadline.ts';
import { HttpClient } from './http-client.ts';
import { get } from './http-rig.ts';
import { Origin } from './origin-server.ts';
import { ENGINES, ProxyProcess, temporaryDirectory } from './proxy-process.ts';

const COMMAND = join(fileURLToPath(new URL('../../', import.meta.url)), 'bin/fourseven');
const FULL = '/dev/full';
const SCRAPERS = 100;
const REQUESTS = 300;

describe.each(ENGINES)('traffic goes on, %s engine', (engine) => {
  let origin: Origin;
  let proxy: ProxyProcess | undefined;
  let child: ChildProcess | undefined;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    origin = await Origin.start();
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    child?.kill('SIGKILL');
    await proxy?.stop();
    proxy = undefined;
    await origin.close();
  });

  const config = (accessLog: object | 'off') => ({
    engine,
    shards: 1,
    listeners: { web: { address: '127.0.0.1:0', cluster: 'site', accessLog } },
    // Many endpoints, so that an answer of the admin API is too long for the buffers of a socket.
    clusters: {
      site: { endpoints: [`127.0.0.1:${origin.port}`] },
      many: { endpoints: Array.from({ length: 4_000 }, (_, index) => `127.9.${index >> 8}.${index & 255}:1`) },
    },
  });

  /** Requests, one after the other; all must be answered. */
  async function serve(port: number, count = REQUESTS): Promise<void> {
    const client = new HttpClient(port);
    for (let number = 0; number < count; number++) {
      expect((await client.send(get(`/${number}`)).answer()).status).toBe(200);
    }
    client.close();
  }

  test.skipIf(!existsSync(FULL))('while the disk of an access log is full; what is lost is counted', async () => {
    proxy = await ProxyProcess.start(config({ file: FULL }) as Parameters<typeof ProxyProcess.start>[0]);
    await serve(proxy.port('web'));
    const dropped = 'fourseven_log_lines_dropped_total{listener="web"}';
    await until(5_000, 'the count', async () => (await proxy!.metric(dropped)) === REQUESTS);
    expect(proxy.stderr).toContain(`access log ${FULL}: ENOSPC; lines are dropped`);
  });

  // What the main thread does is the same whatever carries the traffic.
  if (engine === ENGINES[0]) {
    test('when the reader of standard output has gone', async () => {
      const directory = temporaryDirectory();
      const file = directory.write('fourseven.json', JSON.stringify({ ...config({ file: 'stdout' }), admin: 'off' }));
      child = spawn(process.execPath, [COMMAND, 'run', file], { stdio: ['ignore', 'pipe', 'ignore'] });
      let output = '';
      child.stdout!.on('data', (chunk) => {
        output += chunk;
      });
      await until(10_000, 'ready', () => output.includes('ready'));
      child.stdout!.destroy();
      const port = Number(/on 127\.0\.0\.1:(\d+) /.exec(output)![1]);
      await serve(port);
      expect(child.exitCode).toBeNull();
      directory.remove();
    });

    test('when the reader of standard output does not read', async () => {
      const directory = temporaryDirectory();
      const file = directory.write('fourseven.json', JSON.stringify({ ...config({ file: 'stdout' }), admin: 'off' }));
      child = spawn(process.execPath, [COMMAND, 'run', file], { stdio: ['ignore', 'pipe', 'ignore'] });
      const { stdout } = child;
      let output = '';
      const read = (chunk: Buffer) => {
        output += chunk;
      };
      stdout!.on('data', read);
      await until(10_000, 'ready', () => output.includes('ready'));
      stdout!.off('data', read);
      stdout!.pause();
      const port = Number(/on 127\.0\.0\.1:(\d+) /.exec(output)![1]);
      // More than a pipe holds.
      await serve(port, 1_000);
      child.kill('SIGTERM');
      await until(10_000, 'its end', () => child!.exitCode !== null);
      expect(child.exitCode).toBe(0);
      directory.remove();
    });

    test('while a scraper does not read', async () => {
      proxy = await ProxyProcess.start(config('off') as Parameters<typeof ProxyProcess.start>[0]);
      const [host, port] = proxy.adminUrl.replace('http://', '').split(':');
      for (let count = 0; count < 8; count++) {
        const socket = connect(Number(port), host!, () =>
          socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(4)),
        );
        socket.pause();
        sockets.push(socket);
      }
      await serve(proxy.port('web'));
      expect((await proxy.admin('/readyz')).status).toBe(200);
      expect(await proxy.metric('fourseven_http_requests_total{listener="web"')).toBe(REQUESTS);
    });

    test(`while ${SCRAPERS} scrape`, async () => {
      proxy = await ProxyProcess.start(config('off') as Parameters<typeof ProxyProcess.start>[0]);
      let isServing = true;
      let scrapes = 0;
      const scrape = async () => {
        while (isServing) {
          // More than may be connected: those that are turned away come again.
          const answer = await fetch(`${proxy!.adminUrl}/metrics`)
            .then((response) => response.text())
            .catch(() => '');
          if (answer.includes('fourseven_http_requests_total')) scrapes++;
          else await new Promise((resolve) => setTimeout(resolve, 20));
        }
      };
      const scrapers = Array.from({ length: SCRAPERS }, scrape);
      await until(10_000, 'the first scrapes', () => scrapes > 10);
      await serve(proxy.port('web'));
      isServing = false;
      await Promise.all(scrapers);
      expect(await proxy.metric('fourseven_http_requests_total{listener="web"')).toBe(REQUESTS);
    });
  }
});
