/** 50 upgrades under load: nobody notices. */
import { expect, it } from 'vitest';
import { ENGINES, ProxyProcess } from '../integration/proxy-process.ts';
import { Child } from './child.ts';
import type { EverydayOrder, EverydayReport } from './load/everyday.ts';
import { pause } from './load/pacer.ts';
import type { OriginPorts, OriginReport } from './origin/main.ts';

const UPGRADES = 50;
const REST_MS = 1_500;
const REPORT_TIMEOUT_MS = 30_000;
const EXIT_TIMEOUT_MS = 30_000;
const LOAD = { kept: 100, fresh: 60, posts: 20, slow: 20, slowMs: 300, webSockets: 50, sessions: 50 } as const;

it.each(ENGINES)('50 upgrades with the %s engine lose and refuse nothing', { timeout: 480_000 }, async (engine) => {
  const origin = await Child.start<OriginPorts, OriginReport>('origin/main.ts');
  const { steady, sessions } = origin.started;
  const proxy = await ProxyProcess.start({
    engine,
    shards: 2,
    listeners: {
      web: { address: '127.0.0.1:0', cluster: 'site' },
      raw: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'sessions' },
    },
    clusters: {
      site: { endpoints: steady.map((port) => `127.0.0.1:${port}`) },
      sessions: { endpoints: [`127.0.0.1:${sessions}`] },
    },
  });
  const order: EverydayOrder = { web: proxy.port('web'), raw: proxy.port('raw'), ...LOAD };
  const load = await Child.start<object, EverydayReport>('load/everyday.ts', order);
  const pids = [proxy.pid];
  try {
    await pause(REST_MS);
    for (let count = 0; count < UPGRADES; count++) {
      const answer = await proxy.admin('/api/upgrade', { method: 'POST', signal: AbortSignal.timeout(35_000) });
      const { pid } = (await answer.json()) as { pid: number };
      expect(answer.status, proxy.stderr.slice(-2_000)).toBe(200);
      pids.push(pid);
      await pause(REST_MS);
    }
    const report = await load.stop(REPORT_TIMEOUT_MS);
    console.log(engine, { done: report.done, failures: report.failures, skipped: report.skippedCount });
    expect(report.failures).toEqual([]);
    expect(report.skippedCount).toBe(0);
    expect(report.done['web-socket']).toBe(LOAD.webSockets);
    expect(report.done.session).toBe(LOAD.sessions);
    expect(new Set(pids).size).toBe(UPGRADES + 1);
    process.kill(pids.at(-1)!, 'SIGTERM');
    expect((await proxy.exit(EXIT_TIMEOUT_MS)).code).toBe(0);
  } finally {
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
    load.kill();
    origin.kill();
  }
});
