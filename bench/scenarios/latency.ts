import { setTimeout as delay } from 'node:timers/promises';
import type { Environment, RunningSubject } from '../environment.ts';
import { makeOrder, OpenLoop } from '../load/open-loop/open-loop.ts';
import { elapsed, readProcessorTime } from '../processor-time.ts';
import type { Failure, LatencyResult, LatencyRound } from '../results.ts';
import { roundOrder } from '../statistics.ts';
import type { Subject } from '../subjects/subject.ts';
import { readStolenMs } from '../system-counters.ts';
import { type BodySize, LAYER_TITLES, type Layer, SIZE_TITLES, USUAL_CONNECTIONS } from '../vocabulary.ts';
import { lineUp } from './line-up.ts';

const WARM_UP_SECONDS = 1;
const NO_TIME = { userUs: 0, systemUs: 0 };
/**
 * How long after its start a proxy is measured. V8 tidies up the heap of the main thread once, some 15 s after the last it has had to do; on a machine
 * where that thread has to share the core of a shard, the shard stands still for tens of milliseconds. That is of the start, not of the load.
 */
const SETTLE_MS = 25_000;
/** A round from which more was stolen is played again: it would be told by its percentiles, which are of requests that waited as long. */
const STOLEN_MAX_MS = 20;
const TRIES_MAX = 4;

/** A running subject, and what it was started for. */
interface Runner extends RunningSubject {
  readonly layer: Layer;
}

type Saturation = Pick<LatencyRound, 'saturationPerSecond' | 'saturationBusy'>;

/** One run of the generator. */
type Played = Omit<LatencyRound, 'ratePerSecond' | keyof Saturation>;

/**
 * Latency in an open loop, by size and load. All subjects get the same load: shares of what the weakest of them answers at most, which is measured
 * anew in each round. Each round has a schedule of its own, the same for all subjects.
 */
export async function measureLatency(
  environment: Environment,
  subjectsOf: Readonly<Partial<Record<Layer, readonly Subject[]>>>,
): Promise<{ results: LatencyResult[]; failures: Failure[] }> {
  const { latency } = environment.options;
  const running: Runner[] = [];
  const failures: Failure[] = [];
  try {
    for (const layer of latency.layers) {
      const purpose = { layer, serves: 'requests', connections: USUAL_CONNECTIONS } as const;
      const lined = await lineUp(environment, subjectsOf[layer] ?? [], purpose, latency.sizes, 'latency');
      running.push(...lined.running.map((one) => ({ ...one, layer })));
      failures.push(...lined.failures);
    }
    return { results: await measureAll(environment, running), failures };
  } catch (error) {
    const [first] = running;
    if (first === undefined) throw error;
    const reason = (error as Error).message;
    return {
      results: [],
      failures: [...failures, { subject: first.subject.name, where: 'latency', reason, missing: true }],
    };
  } finally {
    await Promise.all(running.map(({ end }) => end()));
  }
}

async function measureAll(environment: Environment, running: readonly Runner[]): Promise<LatencyResult[]> {
  const { options, children, directory } = environment;
  if (running.length === 0) return [];
  const settledAtMs = performance.now() + SETTLE_MS;
  const openLoop = await OpenLoop.build(children, directory);
  const measured = options.latency.sizes.flatMap((size) =>
    options.latency.shares.flatMap((share) =>
      running.map((runner) => ({ runner, size, share, rounds: [] as LatencyRound[] })),
    ),
  );
  for (let index = 0; index < options.rounds; index++) {
    const order = options.firstRound + index;
    for (const size of options.latency.sizes) {
      const saturations = await saturate(environment, openLoop, roundOrder(running, order), size);
      await delay(Math.max(0, settledAtMs - performance.now()));
      const weakest = Math.min(...[...saturations.values()].map(({ saturationPerSecond }) => saturationPerSecond));
      const ofSize = measured.filter((one) => one.size === size);
      for (const { runner, share, rounds } of roundOrder(ofSize, order)) {
        const ratePerSecond = Math.max(1, Math.floor(share * weakest));
        const played = await playUndisturbed(environment, openLoop, runner, size, ratePerSecond, order);
        rounds.push({ ...played, ratePerSecond, ...saturations.get(runner)! });
        const place = `${placeOf(runner, size)}, ${ratePerSecond} requests/s, round ${index + 1} of ${options.rounds}`;
        environment.progress.step(`${place}: ${runner.subject.name} ${describe(played)}`);
      }
    }
  }
  return measured.map(({ runner, size, share, rounds }) => ({
    subject: runner.subject.name,
    layer: runner.layer,
    size,
    share,
    rounds,
  }));
}

/** What each of them answers if it is asked as fast as it can answer. */
async function saturate(
  environment: Environment,
  openLoop: OpenLoop,
  running: readonly Runner[],
  size: BodySize,
): Promise<Map<Runner, Saturation>> {
  const saturations = new Map<Runner, Saturation>();
  for (const one of running) {
    const { answeredPerSecond, busy, problems } = await play(environment, openLoop, one, size, 'saturating', 0);
    const answer = `${answeredPerSecond.toFixed(0)} requests per second at most, ${(busy * 100).toFixed(0)} % busy`;
    environment.progress.say(`${placeOf(one, size)}: ${one.subject.name} answers ${problems.join(', ') || answer}`);
    saturations.set(one, { saturationPerSecond: answeredPerSecond, saturationBusy: busy });
  }
  return saturations;
}

function describe({ busy, problems, stolenMs }: Played): string {
  const stolen = stolenMs > STOLEN_MAX_MS ? `, ${stolenMs.toFixed(0)} ms were stolen from the machine` : '';
  return problems.join(', ') || `${(busy * 100).toFixed(0)} % busy${stolen}`;
}

function placeOf({ layer }: Runner, size: BodySize): string {
  return `latency, ${LAYER_TITLES[layer]}, ${SIZE_TITLES[size]}`;
}

/**
 * One round that says something of the proxy: while others have the processors, requests wait for those, whatever there is between. The least disturbed of a few
 * tries where there is no other.
 */
async function playUndisturbed(...round: Parameters<typeof play>): Promise<Played> {
  let best: Played | undefined;
  for (let tries = 0; tries < TRIES_MAX && (best === undefined || best.stolenMs > STOLEN_MAX_MS); tries++) {
    const { answeredPerSecond: _, ...played } = await play(...round);
    if (played.problems.length > 0) return played;
    if (best === undefined || played.stolenMs < best.stolenMs) best = played;
  }
  return best!;
}

/** Never throws: a round that could not be measured is one with a problem, and the others go on. */
async function play(
  { options, ticksPerSecond }: Environment,
  openLoop: OpenLoop,
  { port, pid }: Runner,
  size: BodySize,
  ratePerSecond: number | 'saturating',
  round: number,
): Promise<Played & { readonly answeredPerSecond: number }> {
  const time = { warmUpSeconds: WARM_UP_SECONDS, seconds: options.seconds };
  const place = { port, path: `/${size}`, connections: USUAL_CONNECTIONS };
  const order = makeOrder(place, ratePerSecond, time, options.seed + round);
  const read = () => (pid === undefined ? NO_TIME : readProcessorTime(pid, ticksPerSecond));
  try {
    const [before, stolenBeforeMs] = [read(), readStolenMs(ticksPerSecond)];
    const report = await openLoop.run(order);
    const { userUs, systemUs } = elapsed(before, read());
    const stolenMs = readStolenMs(ticksPerSecond) - stolenBeforeMs;
    return { ...report, stolenMs, busy: (userUs + systemUs) / order.endUs };
  } catch (error) {
    const problems = [(error as Error).message.trim()];
    return { latency: '', lateness: '', stolenMs: 0, busy: 0, answeredPerSecond: 0, problems };
  }
}
