/** Everything at once against the real command, for FOURSEVEN_SOAK_MINUTES (5 unless set). */
import { expect, it } from 'vitest';
import { median } from '../../bench/statistics.ts';
import { until } from '../integration/deadline.ts';
import { residentBytes } from '../integration/process-memory.ts';
import { ENGINES, ProxyProcess } from '../integration/proxy-process.ts';
import { Child } from './child.ts';
import type { LoadReport, LoadTarget } from './load/main.ts';
import type { OriginPorts, OriginReport } from './origin/main.ts';
import { openDescriptors, processorMs, processorShare, type Sample, slopePerMinute } from './process-figures.ts';

const MINUTES = Number(process.env.FOURSEVEN_SOAK_MINUTES ?? 5);
const SHARDS = 2;
const SAMPLE_EVERY_MS = 5_000;
const STANDSTILL_MAX_MS = 10_000;
/** Whatever runs when the load is told to stop still gets its answer, or its deadline. */
const LOAD_END_MS = 90_000;
const MARGIN_MINUTES = 5;
/** Pooled upstream connections are kept for 4 s, clients that are told to go for 2 s. */
const QUIET_WITHIN_MS = 20_000;
const IDLE_WATCHED_MS = 5_000;
const IDLE_SHARE_MAX = 0.03;
const DESCRIPTORS_TOLERANCE = 5;
/** Each shard keeps up to 16 empty pipes for the next stream. */
const PIPE_DESCRIPTORS_MAX = SHARDS * 16 * 2;
const MIB = 1024 * 1024;
const GROWTH_MAX = 2 * MIB;
const RESIDENT_RATIO_MAX = 1.2;

function configuration({ steady, restless, faulty, late, flapping, sessions }: OriginPorts) {
  const endpoints = (...ports: readonly number[]) => ({ endpoints: ports.map((port) => `127.0.0.1:${port}`) });
  const route = (path: string, cluster: string) => ({ match: { path }, cluster });
  // Nobody listens on this address: the origins are on 127.0.0.1 alone.
  const refusing = (port: number) => `127.0.0.2:${port}`;
  const faults = [
    'reset-before',
    'end-before',
    'garbage',
    'two-lengths',
    'reset-within',
    'end-within',
    'bad-chunk',
    'surplus',
  ];
  return {
    engine: 'native' as const,
    shards: SHARDS,
    listeners: {
      web: {
        address: '127.0.0.1:0',
        routes: [
          ...faults.map((kind) => route(`/${kind}/*`, 'faulty')),
          { ...route('/hang/*', 'faulty'), timeout: '1s' },
          route('/late/*', 'late'),
          route('/restless/*', 'restless'),
          route('/flapping/*', 'flapping'),
          route('/half-dead/*', 'half-dead'),
          { cluster: 'steady' },
        ],
      },
      raw: { address: '127.0.0.1:0', protocol: 'tcp' as const, cluster: 'sessions' },
    },
    clusters: {
      steady: endpoints(...steady),
      restless: endpoints(restless),
      faulty: endpoints(faulty),
      late: endpoints(late),
      flapping: endpoints(flapping),
      'half-dead': { endpoints: [`127.0.0.1:${steady[0]}`, refusing(steady[0]!)] },
      sessions: { endpoints: [`127.0.0.1:${sessions}`, refusing(sessions)] },
    },
  };
}

interface Watched {
  /** Resident memory. */
  readonly samples: readonly Sample[];
  /** The longest time that this process, which does nothing else, did not get to run. */
  readonly standstillMs: number;
}

/** Looks at the proxy while the load runs. Throws at once if a process ends. */
async function watch(proxy: ProxyProcess, children: readonly Child<unknown, unknown>[]): Promise<Watched> {
  const samples: Sample[] = [];
  const startMs = performance.now();
  const endMs = startMs + MINUTES * 60_000;
  let lastMs = startMs;
  let standstillMs = 0;
  let hasEnded = false;
  proxy.exited.then(() => {
    hasEnded = true;
  });
  while (performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_EVERY_MS));
    if (hasEnded) throw new Error(`the proxy has ended:\n${proxy.stderr}`);
    if (children.some((child) => child.hasEnded)) throw new Error('the load or the origin has ended');
    standstillMs = Math.max(standstillMs, performance.now() - lastMs - SAMPLE_EVERY_MS);
    lastMs = performance.now();
    samples.push({ atMs: performance.now() - startMs, value: residentBytes(proxy.pid) });
  }
  return { samples, standstillMs };
}

/** Nothing in flight and nobody connected. */
async function isQuiet(proxy: ProxyProcess): Promise<boolean> {
  const { shards, listeners, clusters } = await proxy.status();
  const inFlight = clusters.flatMap(({ endpoints }) => endpoints.map((endpoint) => endpoint.inFlight));
  return [
    ...inFlight,
    ...shards.map((shard) => shard.connections),
    ...listeners.map((listener) => listener.connections),
  ].every((count) => count === 0);
}

it.skipIf(!ENGINES.includes('native'))(
  'serves a mixed load without a crash, a wrong answer, a leak or a spin',
  async () => {
    const origin = await Child.start<OriginPorts, OriginReport>('origin/main.ts');
    const proxy = await ProxyProcess.start(configuration(origin.started));
    const before = openDescriptors(proxy.pid);
    const target: LoadTarget = { web: proxy.port('web'), raw: proxy.port('raw') };
    const load = await Child.start<object, LoadReport>('load/main.ts', target);
    try {
      const { samples, standstillMs } = await watch(proxy, [load, origin]);
      const processorSeconds = processorMs(proxy.pid) / 1000;
      const report = await load.stop(LOAD_END_MS);
      const isQuietInTime = await until(QUIET_WITHIN_MS, 'quiet', () => isQuiet(proxy)).catch(() => false);
      const after = openDescriptors(proxy.pid);
      const idleShare = await processorShare(proxy.pid, IDLE_WATCHED_MS);
      const status = await proxy.status();
      const seen = await origin.stop(LOAD_END_MS);
      const resident = residentFigures(samples);
      console.log(
        JSON.stringify(
          { ...report, origin: seen, before, after, resident, processorSeconds, idleShare, standstillMs },
          undefined,
          1,
        ),
        proxy.stderr,
      );
      if (!isQuietInTime) console.log(JSON.stringify(status));

      // While the machine is suspended deadlines pass that nobody can keep.
      expect(standstillMs, 'the machine stood still; run it again').toBeLessThan(STANDSTILL_MAX_MS);
      expect(report.failures.first, 'what went wrong for clients').toEqual([]);
      expect(seen.failures.first, 'what origins should not have seen').toEqual([]);
      expect(isQuietInTime, 'nothing in flight and nobody connected').toBe(true);
      expect(status.shards.map(({ restarts }) => restarts)).toEqual(Array(SHARDS).fill(0));
      // Each upload and session exactly once: none lost, none repeated.
      expect(seen.wholeUploadCount).toBe(report.done.upload);
      expect(seen.wholeSessionCount).toBe(report.done.session);
      expect(Math.abs(after.others - before.others)).toBeLessThanOrEqual(DESCRIPTORS_TOLERANCE);
      expect(after.pipes - before.pipes).toBeLessThanOrEqual(PIPE_DESCRIPTORS_MAX);
      expect(idleShare).toBeLessThan(IDLE_SHARE_MAX);
      expect(resident.slopePerMinute).toBeLessThan(GROWTH_MAX);
      expect(resident.last).toBeLessThan(resident.firstQuarter * RESIDENT_RATIO_MAX);
      expect((await proxy.stop()).code).toBe(0);
    } finally {
      proxy.signal('SIGKILL');
      load.kill();
      origin.kill();
    }
  },
  (MINUTES + MARGIN_MINUTES) * 60_000,
);

function residentFigures(samples: readonly Sample[]) {
  const values = samples.map(({ value }) => value);
  return {
    first: values[0]!,
    firstQuarter: median(values.slice(0, Math.ceil(values.length / 4))),
    most: Math.max(...values),
    last: values.at(-1)!,
    slopePerMinute: slopePerMinute(samples.slice(Math.floor(samples.length / 2))),
  };
}
