/** 200 reloads in 200 s, under load: nobody notices, and nothing is left of them. */
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import type { ConfigInput } from '../../src/config/config.ts';
import { residentBytes } from '../integration/process-memory.ts';
import { ENGINES, ProxyProcess, temporaryDirectory } from '../integration/proxy-process.ts';
import { Child } from './child.ts';
import type { EverydayOrder, EverydayReport } from './load/everyday.ts';
import { pause } from './load/pacer.ts';
import type { OriginPorts, OriginReport } from './origin/main.ts';

const COLLECT_GARBAGE = fileURLToPath(new URL('collect-garbage.cjs', import.meta.url));
const RELOADS = 200;
const EVERY_MS = 1_000;
/** Until memory is what it is in the long run: under this load, and with reloads. */
const WARM_UP_RELOADS = 60;
/** Garbage is collected where memory is measured: what is left is what is kept. */
const NODE_OPTIONS = `--require ${COLLECT_GARBAGE}`;
const MEASURED_SAMPLES = 30;
const REPORT_TIMEOUT_MS = 30_000;
const MEMORY_TOLERANCE = 0.05;
const LOAD = { kept: 100, fresh: 60, posts: 20, slow: 20, slowMs: 300, webSockets: 100, sessions: 50 } as const;

/** Something of everything is different in each version: routes, weights, endpoints, checks, listeners. */
function configFor({ steady, sessions }: OriginPorts, version: number): ConfigInput {
  const isOdd = version % 2 === 1;
  const endpoints = steady.map((port, index) => ({
    address: `127.0.0.1:${port}`,
    weight: 1 + ((version + index) % 3),
  }));
  const other = { address: '127.0.0.1:0', cluster: 'site' };
  return {
    shards: 2,
    listeners: {
      web: {
        address: '127.0.0.1:0',
        routes: [
          ...Array.from({ length: 50 }, (_, index) => ({
            match: { path: `/version-${version % 7}/${index}/*` },
            cluster: 'site',
          })),
          { cluster: 'site', timeout: `${60 + (version % 5)}s` },
        ],
      },
      raw: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'sessions' },
      ...(isOdd ? { other } : {}),
    },
    clusters: {
      site: {
        policy: isOdd ? 'round-robin' : 'least-request',
        endpoints: isOdd ? endpoints : endpoints.toReversed(),
        healthCheck: {
          path: '/health/0/health',
          host: 'health',
          interval: `${1 + (version % 2)}s`,
          expect: ['200-499'],
        },
      },
      sessions: { endpoints: [`127.0.0.1:${sessions}`] },
      ...(isOdd ? { extra: { endpoints: [`127.0.0.1:${steady[0]}`] } } : {}),
    },
  };
}

it.each(ENGINES)(
  '200 reloads with the %s engine lose, refuse and leave nothing',
  { timeout: 480_000 },
  async (engine) => {
    const origin = await Child.start<OriginPorts, OriginReport>('origin/main.ts');
    const configOf = (version: number) => ({ ...configFor(origin.started, version), engine });
    const directory = temporaryDirectory();
    const collecting = `${directory.path}/collect`;
    const env = { NODE_OPTIONS, FOURSEVEN_TEST_COLLECT: collecting };
    const proxy = await ProxyProcess.start(configOf(0), { env });
    const order: EverydayOrder = { web: proxy.port('web'), raw: proxy.port('raw'), ...LOAD };
    const load = await Child.start<object, EverydayReport>('load/everyday.ts', order);
    let version = 0;
    const reload = async () => {
      const dueMs = performance.now() + EVERY_MS;
      proxy.rewrite(configOf(++version));
      const answer = await proxy.admin('/api/reload', { method: 'POST' });
      expect(answer.status, await answer.text()).toBe(200);
      await pause(Math.max(0, dueMs - performance.now()));
    };
    /** What is in use: between two collections there is always more. */
    const measure = async () => {
      const samples: number[] = [];
      directory.write('collect', '');
      for (let count = 0; count < MEASURED_SAMPLES; count++) {
        await pause(EVERY_MS);
        samples.push(residentBytes(proxy.pid));
      }
      rmSync(collecting);
      return Math.min(...samples);
    };
    try {
      for (let count = 0; count < WARM_UP_RELOADS; count++) await reload();
      const before = await measure();
      const startMs = performance.now();
      for (let count = 0; count < RELOADS; count++) await reload();
      const tookMs = performance.now() - startMs;
      const after = await measure();
      const report = await load.stop(REPORT_TIMEOUT_MS);
      const { configVersion, shards } = await proxy.status();
      console.log(engine, {
        before,
        after,
        ratio: after / before,
        tookMs,
        done: report.done,
        failures: report.failures,
      });
      expect(report.failures).toEqual([]);
      expect(report.skippedCount).toBe(0);
      expect(report.done['web-socket']).toBe(LOAD.webSockets);
      expect(report.done.session).toBe(LOAD.sessions);
      expect(configVersion).toBe(1 + WARM_UP_RELOADS + RELOADS);
      expect(shards.map(({ restarts }) => restarts)).toEqual([0, 0]);
      expect(tookMs).toBeLessThan(RELOADS * EVERY_MS * 1.1);
      expect(Math.abs(after / before - 1)).toBeLessThan(MEMORY_TOLERANCE);
      expect(await proxy.stop()).toEqual({ code: 0, signal: null });
    } finally {
      proxy.signal('SIGKILL');
      load.kill();
      origin.kill();
      directory.remove();
    }
  },
);
