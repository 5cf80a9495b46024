/** A shard crashes every 5 s for two minutes, under load: only what was in flight on it is lost. */
import { expect, it } from 'vitest';
import { until } from '../integration/deadline.ts';
import { ENGINES, ProxyProcess } from '../integration/proxy-process.ts';
import { Child } from './child.ts';
import type { EverydayOrder, EverydayReport, Span } from './load/everyday.ts';
import { pause } from './load/pacer.ts';
import type { OriginPorts, OriginReport } from './origin/main.ts';

const CRASHES = 24;
const EVERY_MS = 5_000;
const REPLACED_MS = 1_000;
const REPORT_TIMEOUT_MS = 30_000;
const SHARDS = 2;
const BEFORE_MS = 2_000;
/** Documented: the exception is thrown within this time of the call. */
const THROWN_WITHIN_MS = 100;
const LOAD = { kept: 80, fresh: 60, posts: 20, slow: 40, slowMs: 200 } as const;

function restartsIn(log: string): number {
  return log.split('accepts again').length - 1;
}

function mostInFlight(spans: readonly Span[], fromMs: number, ms: number): number {
  const at = (nowMs: number) => spans.filter(({ beganMs, endedMs }) => beganMs <= nowMs && endedMs >= nowMs).length;
  return Math.max(...Array.from({ length: ms }, (_, offset) => at(fromMs + offset)));
}

it.each(ENGINES)('a crash every 5 s costs the %s engine what was in flight', { timeout: 240_000 }, async (engine) => {
  const origin = await Child.start<OriginPorts, OriginReport>('origin/main.ts');
  const endpoints = origin.started.steady.map((port) => `127.0.0.1:${port}`);
  const proxy = await ProxyProcess.start(
    {
      engine,
      shards: SHARDS,
      listeners: { web: { address: '127.0.0.1:0', cluster: 'site' } },
      clusters: { site: { endpoints } },
    },
    { env: { FOURSEVEN_TEST: '1' } },
  );
  const order: EverydayOrder = { web: proxy.port('web'), ...LOAD };
  const load = await Child.start<object, EverydayReport>('load/everyday.ts', order);
  /** From the call that crashes a shard until its successor serves. */
  const outages: { fromMs: number; toMs: number }[] = [];
  try {
    await pause(BEFORE_MS);
    for (let count = 0; count < CRASHES; count++) {
      const nextMs = Date.now() + EVERY_MS;
      const fromMs = Date.now();
      // Each twice in a row, so that it also has the connections that fled from the other.
      const shard = Math.floor(count / 2) % SHARDS;
      const before = restartsIn(proxy.stderr);
      const answer = await proxy.admin(`/api/test/shards/${shard}/crash`, { method: 'POST' });
      expect(answer.status).toBe(202);
      await until(EVERY_MS, 'the successor', () => restartsIn(proxy.stderr) > before);
      outages.push({ fromMs, toMs: Date.now() });
      await pause(nextMs - Date.now());
    }
    const { failures, spans, done, skippedCount } = await load.stop(REPORT_TIMEOUT_MS);
    const tookMs = outages.map(({ fromMs, toMs }) => toMs - fromMs);
    const lost = outages.map((outage) => ({
      inFlight: mostInFlight(spans, outage.fromMs, THROWN_WITHIN_MS),
      failed: failures.filter(({ beganMs, endedMs }) => beganMs <= outage.toMs && endedMs >= outage.fromMs).length,
    }));
    console.log(engine, {
      tookMs: tookMs.join(' '),
      lost: lost.map(({ failed, inFlight }) => `${failed}/${inFlight}`).join(' '),
      done,
      failures: failures.length,
      kinds: [...new Set(failures.map(({ kind, problem }) => `${kind}: ${problem.replace(/\S+-\d+-\S+/, '')}`))],
    });
    expect(skippedCount).toBe(0);
    expect(Math.max(...tookMs)).toBeLessThan(REPLACED_MS);
    expect(failures.filter(({ problem }) => problem.includes('ECONNREFUSED'))).toEqual([]);
    expect(
      lost.reduce((sum, { failed }) => sum + failed, 0),
      'failures outside of an outage',
    ).toBe(failures.length);
    for (const { failed, inFlight } of lost) expect(failed).toBeLessThanOrEqual(inFlight);
  } finally {
    await proxy.stop().catch(() => proxy.signal('SIGKILL'));
    load.kill();
    origin.kill();
  }
});
