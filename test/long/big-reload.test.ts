/** A reload of ten thousand routes and a thousand endpoints, beside a load at an even pace: nothing fails, and few notice. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { median } from '../../bench/statistics.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { ProxyProcess, temporaryDirectory } from '../integration/proxy-process.ts';
import { Child } from './child.ts';
import type { HealthyOrder, HealthyReport } from './load/healthy.ts';
import { pause } from './load/pacer.ts';
import type { OriginPorts, OriginReport } from './origin/main.ts';

const ROUTES = 10_000;
const CLUSTERS = 500;
const HOSTS = 100;
const PER_SECOND = 200;
const ROUNDS = 6;
const ROUND_MS = 15_000;
const REPORT_TIMEOUT_MS = 20_000;

const directory = temporaryDirectory();
afterAll(directory.remove);

interface Case {
  readonly ports: readonly number[];
  /** Of the access log; undefined: none is written. */
  readonly log: string | undefined;
}

function configOf({ ports, log }: Case, version: number): ConfigInput {
  const endpoints = ports.map((port) => `127.0.0.1:${port}`);
  const service = (index: number) => ({
    name: `service-${index}`,
    match: { hosts: [`h${index % HOSTS}.test`], path: `/service-${index}/${index === 5 ? version : 1}/*` },
    cluster: `c${index % CLUSTERS}`,
  });
  const everyone = { name: 'everyone', match: { path: '/*' }, cluster: 'c0' };
  return {
    shards: 2,
    listeners: {
      web: {
        address: '127.0.0.1:0',
        ...(log === undefined ? {} : { accessLog: { file: log } }),
        routes: [...Array.from({ length: ROUTES - 1 }, (_, index) => service(index)), everyone],
      },
    },
    clusters: Object.fromEntries(Array.from({ length: CLUSTERS }, (_, index) => [`c${index}`, { endpoints }])),
  };
}

async function loadFor(port: number, ms: number, meanwhile: () => Promise<void>): Promise<HealthyReport> {
  const order: HealthyOrder = { port, perSecond: PER_SECOND };
  const load = await Child.start<object, HealthyReport>('load/healthy.ts', order);
  try {
    await Promise.all([pause(ms), meanwhile()]);
    return await load.stop(REPORT_TIMEOUT_MS);
  } finally {
    load.kill();
  }
}

it.each([
  ['no access log', undefined],
  ['an access log to a file', join(directory.path, 'access.log')],
])(
  'fails no request, and does not double the time that 99 of 100 stay below: %s',
  { timeout: 400_000 },
  async (_, log) => {
    const origin = await Child.start<OriginPorts, OriginReport>('origin/main.ts');
    const ports = origin.started.steady;
    const proxy = await ProxyProcess.start(configOf({ ports, log }, 1));
    const quiet: HealthyReport[] = [];
    const reloaded: HealthyReport[] = [];
    const tookMs: number[] = [];
    const reload = async (version: number) => {
      proxy.rewrite(configOf({ ports, log }, version));
      await pause(ROUND_MS / 3);
      const startMs = performance.now();
      const answer = await proxy.admin('/api/reload', { method: 'POST', signal: AbortSignal.timeout(ROUND_MS) });
      expect(answer.status, await answer.text()).toBe(200);
      tookMs.push(performance.now() - startMs);
    };
    try {
      for (let round = 0; round < ROUNDS; round++) {
        quiet.push(await loadFor(proxy.port('web'), ROUND_MS, async () => {}));
        reloaded.push(await loadFor(proxy.port('web'), ROUND_MS, () => reload(round + 2)));
      }
      const p99Ms = (reports: readonly HealthyReport[]) => median(reports.map((report) => report.p99Ms));
      console.log({
        quiet: quiet.map((report) => [report.p99Ms, report.slowestMs]),
        reloaded: reloaded.map((report) => [report.p99Ms, report.slowestMs]),
        tookMs,
      });
      for (const { failures, skippedCount } of [...quiet, ...reloaded]) {
        expect(failures).toMatchObject({ count: 0 });
        expect(skippedCount).toBe(0);
      }
      expect(p99Ms(reloaded)).toBeLessThan(2 * p99Ms(quiet));
      expect(await proxy.stop()).toEqual({ code: 0, signal: null });
      const lineCount = log === undefined ? 0 : readFileSync(log, 'utf8').split('\n').length - 1;
      const doneCount = [...quiet, ...reloaded].reduce((sum, report) => sum + report.doneCount, 0);
      expect(lineCount).toBe(log === undefined ? 0 : doneCount);
    } finally {
      proxy.signal('SIGKILL');
      origin.kill();
    }
  },
);
