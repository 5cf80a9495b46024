/** A cluster with a limit, asked for more than that by all shards: no moment shows one too many. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ENGINES, ProxyProcess } from '../integration/proxy-process.ts';
import { Child } from './child.ts';
import type { EverydayOrder, EverydayReport } from './load/everyday.ts';
import { pause } from './load/pacer.ts';
import type { OriginPorts, OriginReport } from './origin/main.ts';

const RUN_MS = 20_000;
const LOOK_EVERY_MS = 5;
const REPORT_TIMEOUT_MS = 30_000;
const LIMIT = 100;
const SHARDS = 2;
/** 130 at once, if all found room. */
const LOAD = { slow: 650, slowMs: 200, connections: 300 } as const;
const ESTABLISHED = '01';

/** The connections to these ports, by their two addresses. No snapshot: the kernel tells them piece by piece. */
function connectionsTo(ports: ReadonlySet<number>): Set<string> {
  const rows = readFileSync('/proc/net/tcp', 'latin1').split('\n').slice(1);
  const found = new Set<string>();
  for (const row of rows) {
    const [, local, remote = ':0', state] = row.trim().split(/\s+/);
    if (state === ESTABLISHED && ports.has(Number.parseInt(remote.split(':')[1]!, 16))) found.add(`${local} ${remote}`);
  }
  return found;
}

/** Connections that one reading shows and the next as well were all there in between. */
function watchConnections(ports: ReadonlySet<number>) {
  const seen = { mostCount: 0, lookCount: 0 };
  let before = connectionsTo(ports);
  const timer = setInterval(() => {
    const now = connectionsTo(ports);
    seen.mostCount = Math.max(seen.mostCount, [...now].filter((connection) => before.has(connection)).length);
    seen.lookCount += 1;
    before = now;
  }, LOOK_EVERY_MS);
  return { seen, stop: () => clearInterval(timer) };
}

async function mostInFlight(proxy: ProxyProcess): Promise<number> {
  const status = (await (await proxy.admin('/api/status')).json()) as {
    clusters: { endpoints: { inFlight: number }[] }[];
  };
  return status.clusters[0]!.endpoints.reduce((sum, { inFlight }) => sum + inFlight, 0);
}

it.each(ENGINES.flatMap((engine) => (['connections', 'requests'] as const).map((limit) => [limit, engine] as const)))(
  'never shows one more than %s: 100 with the %s engine',
  { timeout: 120_000 },
  async (limit, engine) => {
    const origin = await Child.start<OriginPorts, OriginReport>('origin/main.ts');
    const endpoints = origin.started.steady.map((port) => `127.0.0.1:${port}`);
    const proxy = await ProxyProcess.start({
      engine,
      shards: SHARDS,
      listeners: { web: { address: '127.0.0.1:0', cluster: 'site' } },
      clusters: { site: { endpoints, limits: { [limit]: LIMIT } } },
    });
    const load = await Child.start<object, EverydayReport>('load/everyday.ts', {
      web: proxy.port('web'),
      ...LOAD,
    } satisfies EverydayOrder);
    const watch = watchConnections(new Set(origin.started.steady));
    let inFlightMost = 0;
    try {
      for (const endMs = Date.now() + RUN_MS; Date.now() < endMs; await pause(LOOK_EVERY_MS)) {
        inFlightMost = Math.max(inFlightMost, await mostInFlight(proxy));
      }
      const { done, failures } = await load.stop(REPORT_TIMEOUT_MS);
      const kinds = [...new Set(failures.map(({ problem }) => problem.replace(/\S*slow-\d+\S*/, '')))];
      console.log(engine, limit, { ...watch.seen, inFlightMost, done, failures: failures.length, kinds });
      const most = limit === 'connections' ? watch.seen.mostCount : inFlightMost;
      expect(most).toBeLessThanOrEqual(LIMIT);
      expect(most, 'the limit was reached').toBeGreaterThan(LIMIT - 5);
      expect(failures.filter(({ problem }) => !problem.includes('503'))).toEqual([]);
      expect(done.slow!, 'requests served').toBeGreaterThan((LIMIT * RUN_MS * 0.7) / LOAD.slowMs);
    } finally {
      watch.stop();
      await proxy.stop().catch(() => proxy.signal('SIGKILL'));
      load.kill();
      origin.kill();
    }
  },
);
