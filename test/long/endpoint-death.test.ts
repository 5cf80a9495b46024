/** One of four endpoints dies, in five ways, under load: who notices, for how long, and that no POST is sent twice. */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ConfigInput } from '../../src/config/config.ts';
import { until } from '../integration/deadline.ts';
import { ENGINES, ProxyProcess, temporaryDirectory } from '../integration/proxy-process.ts';
import { Child } from './child.ts';
import type { EverydayOrder, EverydayReport } from './load/everyday.ts';
import { pause } from './load/pacer.ts';
import { NetworkNamespace } from './network-namespace.ts';
import type { Mode, MortalOrder, MortalPorts } from './origin/mortal.ts';

const INTERVAL_MS = 1_000;
const THRESHOLD = 2;
const OUT_WITHIN_MS = INTERVAL_MS * THRESHOLD + 500;
const CHECK_TIMEOUT_MS = 300;
const CONNECT_TIMEOUT_MS = 400;
const ROUTE_TIMEOUT_MS = 1_500;
const BEFORE_MS = 3_000;
const AFTER_MS = 5_000;
const REPORT_TIMEOUT_MS = 20_000;
const LIVING = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
const LOAD = { kept: 100, fresh: 40, posts: 40 } as const;

type Origin = Child<MortalPorts, unknown>;
type Way = 'kill' | 'blackhole' | 'reset' | 'error' | 'hang';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function configFor(engine: 'native' | 'node', endpoints: readonly string[], healthPort: number): ConfigInput {
  return {
    engine,
    shards: 2,
    listeners: {
      web: { address: '127.0.0.1:0', routes: [{ cluster: 'site', timeout: `${ROUTE_TIMEOUT_MS}ms` }] },
    },
    clusters: {
      site: {
        endpoints: [...endpoints],
        timeouts: { connect: `${CONNECT_TIMEOUT_MS}ms` },
        healthCheck: {
          port: healthPort,
          interval: `${INTERVAL_MS}ms`,
          timeout: `${CHECK_TIMEOUT_MS}ms`,
          unhealthyAfter: THRESHOLD,
        },
      },
    },
  };
}

interface Arrival {
  readonly atMs: number;
  readonly method: string;
  readonly id: string;
}

function readArrivals(file: string): Arrival[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [atMs, method = '', id = ''] = line.split(' ');
      return { atMs: Number(atMs), method, id };
    });
}

/** Where a process was that was killed: notes when somebody connects. */
async function watchGrave(host: string, port: number): Promise<{ server: Server; visitsMs: number[] }> {
  const visitsMs: number[] = [];
  const server = createServer((socket) => {
    visitsMs.push(Date.now());
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return { server, visitsMs };
}

/** Runs load over four endpoints, lets the last of them die, and gives what everybody saw. */
async function letDie(engine: 'native' | 'node', way: Way) {
  const directory = temporaryDirectory();
  cleanUps.push(directory.remove);
  const files: string[] = [];
  const origins: Origin[] = [];
  const startOrigin = async (host: string, namespace?: string) => {
    const arrivals = directory.write(`${files.length}.arrivals`, '');
    files.push(arrivals);
    const order: MortalOrder = { host, healthPort: origins[0]?.started.healthPort ?? 0, arrivals };
    const origin: Origin = await Child.start('origin/mortal.ts', order, namespace);
    cleanUps.push(() => origin.kill());
    origins.push(origin);
    return `${host}:${origin.started.port}`;
  };
  const endpoints: string[] = [];
  for (const host of LIVING) endpoints.push(await startOrigin(host));
  const namespace = way === 'blackhole' ? new NetworkNamespace() : undefined;
  if (namespace !== undefined) cleanUps.push(() => namespace.remove());
  const host = namespace?.host ?? '127.0.0.4';
  endpoints.push(await startOrigin(host, namespace?.name));
  const dying = origins.at(-1)!;

  const proxy = await ProxyProcess.start(configFor(engine, endpoints, dying.started.healthPort));
  cleanUps.push(() => proxy.signal('SIGKILL'));
  const order: EverydayOrder = { web: proxy.port('web'), ...LOAD };
  const load = await Child.start<object, EverydayReport>('load/everyday.ts', order);
  cleanUps.push(() => load.kill());
  await pause(BEFORE_MS);

  const diedMs = Date.now();
  if (way === 'kill') dying.kill();
  else if (way === 'blackhole') namespace!.blackhole(dying.started.port);
  else dying.order(way satisfies Mode);
  await until(10_000, 'the endpoint is out', async () => {
    const { health, ejectedUntil } = (await proxy.status()).clusters[0]!.endpoints.at(-1)!;
    return health === 'unhealthy' || ejectedUntil !== null;
  });
  const detectedMs = Date.now();
  await pause(diedMs + OUT_WITHIN_MS - Date.now());
  const grave = way === 'kill' ? await watchGrave(host, dying.started.port) : undefined;
  if (grave !== undefined) cleanUps.push(() => grave.server.close());
  const attempts = namespace?.attempts();
  await pause(AFTER_MS);
  const report = await load.stop(REPORT_TIMEOUT_MS);
  const last = (await proxy.status()).clusters[0]!.endpoints.at(-1)!;
  const arrivals = files.map(readArrivals);
  const lateMs = [...(arrivals.at(-1) ?? []).map(({ atMs }) => atMs), ...(grave?.visitsMs ?? [])]
    .map((atMs) => atMs - diedMs)
    .filter((afterMs) => afterMs > OUT_WITHIN_MS);
  const lateAttempts = namespace === undefined ? 0 : namespace.attempts() - attempts!;
  return { report, diedMs, detectedMs, arrivals, lateMs, lateAttempts, last, exit: await proxy.stop() };
}

const canBlackhole = NetworkNamespace.isPossible;

describe.each(ENGINES)('one of four endpoints dies with the %s engine', (engine) => {
  it.for<readonly [Way, boolean]>([
    ['kill', true],
    ['reset', true],
    ['error', false],
    ['hang', false],
    ['blackhole', false],
  ])('by %s', { timeout: 90_000 }, async ([way, costsNothing], { skip }) => {
    if (way === 'blackhole' && !canBlackhole) skip();
    const { report, diedMs, detectedMs, arrivals, lateMs, lateAttempts, last, exit } = await letDie(engine, way);
    const { done, failures, skippedCount } = report;
    console.log(engine, way, {
      detectedAfterMs: detectedMs - diedMs,
      done,
      failures: failures.length,
      kinds: [...new Set(failures.map(({ kind, problem }) => `${kind}: ${problem.replace(/\S+-\d+-\S+/, '')}`))],
    });
    expect(skippedCount).toBe(0);
    expect(arrivals.every((list) => list.length > 50)).toBe(true);
    expect(failures.filter(({ beganMs }) => beganMs > detectedMs)).toEqual([]);
    expect(failures.filter(({ endedMs }) => endedMs < diedMs)).toEqual([]);
    if (costsNothing) expect(failures.filter(({ kind }) => kind !== 'post')).toEqual([]);
    const posts = arrivals.flat().flatMap(({ method, id }) => (method === 'POST' ? [id] : []));
    expect(posts.length - new Set(posts).size, 'POSTs that arrived twice').toBe(0);
    expect(posts.length).toBeGreaterThan(done.post! * 0.99);
    expect(lateMs, 'what the dead endpoint got too late, in ms after its death').toEqual([]);
    expect(lateAttempts).toBe(0);
    expect(last).toMatchObject({ health: 'unhealthy', inFlight: 0 });
    expect(exit).toEqual({ code: 0, signal: null });
  });
});
