import { type Environment, type RunningSubject, startSubject } from '../environment.ts';
import { type Order, runOpenLoop } from '../load/open-loop/open-loop.ts';
import type { Failure, LatencyResult, LatencyRound } from '../results.ts';
import { roundOrder } from '../statistics.ts';
import type { Subject } from '../subjects/subject.ts';
import { checkProxied } from './proxied.ts';

/** Of what the weakest subject answers when it is asked as fast as it can. */
const LOAD_SHARE = 0.7;
const WARM_UP_SECONDS = 1;
const PATH = '/small';

/**
 * Latency of L7, small bodies, in an open loop. All subjects get the same load: 70 % of what the weakest of them answers at most. Each round has
 * a schedule of its own, the same for all subjects.
 */
export async function measureLatency(
  environment: Environment,
  subjects: readonly Subject[],
): Promise<{ results: LatencyResult[]; failures: Failure[] }> {
  const failures: Failure[] = [];
  const running: RunningSubject[] = [];
  try {
    for (const subject of subjects) {
      try {
        running.push(await startSubject(environment, subject, 'l7', environment.options.connections));
        await checkProxied(running.at(-1)!, 'l7', ['small']);
      } catch (error) {
        failures.push({ subject: subject.name, where: 'latency', reason: (error as Error).message, missing: false });
      }
    }
    return { results: await measureAll(environment, running), failures };
  } finally {
    await Promise.all(running.map(({ child }) => child.end()));
  }
}

async function measureAll(environment: Environment, running: readonly RunningSubject[]): Promise<LatencyResult[]> {
  const { options, progress } = environment;
  const saturation = new Map<RunningSubject, number>();
  for (const one of running) {
    const { answeredPerSecond } = await play(environment, one, 'saturating', 0);
    progress(`latency: ${one.subject.name} answers ${answeredPerSecond.toFixed(0)} requests per second at most`);
    saturation.set(one, answeredPerSecond);
  }
  const ratePerSecond = Math.floor(LOAD_SHARE * Math.min(...saturation.values()));
  const rounds = new Map<RunningSubject, LatencyRound[]>(running.map((one) => [one, []]));
  for (let index = 0; index < options.rounds; index++) {
    for (const one of roundOrder(running, index)) {
      const { latency, lateness, problems } = await play(environment, one, ratePerSecond, index);
      rounds.get(one)?.push({ latency, lateness, problems });
      progress(
        `latency, round ${index + 1} of ${options.rounds}: ${one.subject.name} ${problems.join(', ') || 'done'}`,
      );
    }
  }
  return [...rounds].map(([one, all]) => ({
    subject: one.subject.name,
    saturationPerSecond: saturation.get(one) ?? 0,
    ratePerSecond,
    rounds: all,
  }));
}

/** Never throws: a round that could not be measured is one with a problem, and the others go on. */
async function play(
  { children, options }: Environment,
  { port }: RunningSubject,
  ratePerSecond: Order['ratePerSecond'],
  round: number,
): Promise<LatencyRound & { readonly answeredPerSecond: number }> {
  const { connections, seconds } = options;
  const seed = options.seed + round;
  try {
    return await runOpenLoop(children, {
      port,
      path: PATH,
      connections,
      ratePerSecond,
      warmUpSeconds: WARM_UP_SECONDS,
      seconds,
      seed,
    });
  } catch (error) {
    return { latency: '', lateness: '', answeredPerSecond: 0, problems: [(error as Error).message.trim()] };
  }
}
