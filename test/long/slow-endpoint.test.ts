/** One of four endpoints cannot keep up: what the policies make of it. */
import { expect, it } from 'vitest';
import { ENGINES, ProxyProcess } from '../integration/proxy-process.ts';
import { Child } from './child.ts';
import type { EverydayOrder, EverydayReport } from './load/everyday.ts';
import { pause } from './load/pacer.ts';
import type { SerialOrder, SerialPort } from './origin/serial.ts';

const RUN_MS = 15_000;
const REPORT_TIMEOUT_MS = 60_000;
const LOAD = { kept: 100, fresh: 20 } as const;
/** 30 requests per second are a fair share, and the last endpoint does 25. */
const SERVICE_MS = [2, 2, 2, 40];
const BETTER_MIN = 3;

async function p99Ms(engine: 'native' | 'node', policy: 'round-robin' | 'least-request', endpoints: string[]) {
  const proxy = await ProxyProcess.start({
    engine,
    shards: 2,
    listeners: { web: { address: '127.0.0.1:0', cluster: 'site' } },
    clusters: { site: { policy, endpoints, outlier: 'off' } },
  });
  const order: EverydayOrder = { web: proxy.port('web'), ...LOAD };
  const load = await Child.start<object, EverydayReport>('load/everyday.ts', order);
  try {
    await pause(RUN_MS);
    const { spans, failures } = await load.stop(REPORT_TIMEOUT_MS);
    expect(failures).toEqual([]);
    const tookMs = spans.map(({ beganMs, endedMs }) => endedMs - beganMs).sort((a, b) => a - b);
    return tookMs[Math.floor(tookMs.length * 0.99)]!;
  } finally {
    await proxy.stop().catch(() => proxy.signal('SIGKILL'));
    load.kill();
  }
}

it.each(ENGINES)('least-request keeps p99 three times lower than round-robin with the %s engine', async (engine) => {
  const origins = await Promise.all(
    SERVICE_MS.map((serviceMs) => {
      const order: SerialOrder = { serviceMs };
      return Child.start<SerialPort, unknown>('origin/serial.ts', order);
    }),
  );
  try {
    const endpoints = origins.map(({ started }) => `127.0.0.1:${started.port}`);
    const roundRobinMs = await p99Ms(engine, 'round-robin', endpoints);
    const leastRequestMs = await p99Ms(engine, 'least-request', endpoints);
    console.log(engine, { roundRobinMs, leastRequestMs });
    expect(roundRobinMs).toBeGreaterThan(BETTER_MIN * leastRequestMs);
  } finally {
    for (const origin of origins) origin.kill();
  }
});
