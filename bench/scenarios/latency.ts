import { setTimeout as delay } from 'node:timers/promises';
import type { Environment, RunningSubject } from '../environment.ts';
import { makeOrder, OpenLoop } from '../load/open-loop/open-loop.ts';
import { elapsed, readProcessorTime } from '../processor-time.ts';
import type { Failure, LatencyResult, LatencyRound } from '../results.ts';
import { roundOrder } from '../statistics.ts';
import type { Subject } from '../subjects/subject.ts';
import { USUAL_CONNECTIONS } from '../vocabulary.ts';
import { lineUp } from './line-up.ts';

/** Of what the weakest subject answers when it is asked as fast as it can. */
const LOAD_SHARE = 0.7;
const WARM_UP_SECONDS = 1;
/**
 * How long after its start a proxy is measured. V8 tidies up the heap of the main thread once, some 15 s after the last it has had to do; on a machine
 * where that thread has to share the core of a shard, the shard stands still for tens of milliseconds. That is of the start, not of the load.
 */
const SETTLE_MS = 25_000;
const PATH = '/small';
const PURPOSE = { layer: 'l7', serves: 'requests', connections: USUAL_CONNECTIONS } as const;

/**
 * Latency of L7, small bodies, in an open loop. All subjects get the same load: 70 % of what the weakest of them answers at most. Each round has
 * a schedule of its own, the same for all subjects.
 */
export async function measureLatency(
  environment: Environment,
  subjects: readonly Subject[],
): Promise<{ results: LatencyResult[]; failures: Failure[] }> {
  const { running, failures } = await lineUp(environment, subjects, PURPOSE, ['small'], 'latency');
  try {
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

async function measureAll(environment: Environment, running: readonly RunningSubject[]): Promise<LatencyResult[]> {
  const { options, progress, children, directory } = environment;
  if (running.length === 0) return [];
  const settledAtMs = performance.now() + SETTLE_MS;
  const openLoop = await OpenLoop.build(children, directory);
  const results = new Map<RunningSubject, LatencyResult & { readonly rounds: LatencyRound[] }>();
  const saturation: number[] = [];
  for (const one of running) {
    const { answeredPerSecond, busy, problems } = await play(environment, openLoop, one, 'saturating', 0);
    const answer = `${answeredPerSecond.toFixed(0)} requests per second at most, ${(busy * 100).toFixed(0)} % busy`;
    progress(`latency: ${one.subject.name} answers ${problems.join(', ') || answer}`);
    saturation.push(answeredPerSecond);
    const saturated = { saturationPerSecond: answeredPerSecond, saturationBusy: busy };
    results.set(one, { subject: one.subject.name, ...saturated, ratePerSecond: 0, rounds: [] });
  }
  await delay(settledAtMs - performance.now());
  const ratePerSecond = Math.max(1, Math.floor(LOAD_SHARE * Math.min(...saturation)));
  for (let index = 0; index < options.rounds; index++) {
    for (const one of roundOrder(running, index)) {
      const { latency, lateness, busy, problems } = await play(environment, openLoop, one, ratePerSecond, index);
      results.get(one)?.rounds.push({ latency, lateness, busy, problems });
      const outcome = problems.join(', ') || `${(busy * 100).toFixed(0)} % busy`;
      progress(`latency, round ${index + 1} of ${options.rounds}: ${one.subject.name} ${outcome}`);
    }
  }
  return [...results.values()].map((result) => ({ ...result, ratePerSecond }));
}

/** Never throws: a round that could not be measured is one with a problem, and the others go on. */
async function play(
  { options, ticksPerSecond }: Environment,
  openLoop: OpenLoop,
  { port, pid }: RunningSubject,
  ratePerSecond: number | 'saturating',
  round: number,
): Promise<LatencyRound & { readonly answeredPerSecond: number }> {
  const time = { warmUpSeconds: WARM_UP_SECONDS, seconds: options.seconds };
  const place = { port, path: PATH, connections: USUAL_CONNECTIONS };
  const order = makeOrder(place, ratePerSecond, time, options.seed + round);
  try {
    if (pid === undefined) throw new Error('it is no process');
    const before = readProcessorTime(pid, ticksPerSecond);
    const report = await openLoop.run(order);
    const { userUs, systemUs } = elapsed(before, readProcessorTime(pid, ticksPerSecond));
    return { ...report, busy: (userUs + systemUs) / order.endUs };
  } catch (error) {
    return { latency: '', lateness: '', busy: 0, answeredPerSecond: 0, problems: [(error as Error).message.trim()] };
  }
}
