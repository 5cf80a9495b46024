import type { Environment, RunningSubject } from '../environment.ts';
import type { LoadTarget } from '../load/load.ts';
import { elapsed, readProcessorTime } from '../processor-time.ts';
import type { Failure, Round, ThroughputResult } from '../results.ts';
import { roundOrder } from '../statistics.ts';
import type { Subject } from '../subjects/subject.ts';
import { countersBetween, readSystemCounters } from '../system-counters.ts';
import { BENCH_NAME, type BodySize, isSecure, LAYER_TITLES, type Layer, SIZE_TITLES, sizesOf } from '../vocabulary.ts';
import { lineUp } from './line-up.ts';

const WARM_UP_SECONDS = 1;

/**
 * Measures one layer: all subjects run side by side, idle but for the one whose turn it is. Rounds are interleaved, forwards
 * and backwards. A subject that cannot start or changes a body is left out and reported.
 */
export async function measureThroughput(
  environment: Environment,
  layer: Layer,
  subjects: readonly Subject[],
): Promise<{ results: ThroughputResult[]; failures: Failure[] }> {
  const sizes = sizesOf(layer, environment.options.sizes);
  const { running, failures } = await lineUp(environment, subjects, layer, sizes, LAYER_TITLES[layer]);
  try {
    const results: ThroughputResult[] = [];
    for (const size of sizes) results.push(...(await measureSize(environment, layer, size, running)));
    return { results, failures };
  } finally {
    await Promise.all(running.map(({ child }) => child.end()));
  }
}

async function measureSize(
  environment: Environment,
  layer: Layer,
  size: BodySize,
  running: readonly RunningSubject[],
): Promise<ThroughputResult[]> {
  const { options, progress } = environment;
  const rounds = new Map<RunningSubject, Round[]>(running.map((one) => [one, []]));
  for (let index = 0; index < options.rounds; index++) {
    for (const one of roundOrder(running, index)) {
      const round = await measureRound(environment, layer, size, one);
      rounds.get(one)?.push(round);
      const place = `${LAYER_TITLES[layer]}, ${SIZE_TITLES[size]}, round ${index + 1} of ${options.rounds}`;
      progress(`${place}: ${one.subject.name} ${describeRound(round)}`);
    }
  }
  return [...rounds].map(([{ subject }, all]) => ({ layer, size, subject: subject.name, rounds: all }));
}

/** Never throws: a round that could not be measured is one with a problem, and the others go on. */
async function measureRound(
  environment: Environment,
  layer: Layer,
  size: BodySize,
  running: RunningSubject,
): Promise<Round> {
  const { options, load, ticksPerSecond } = environment;
  const handshakes = layer === 'full' || layer === 'resumed' ? layer : 'none';
  const scheme = isSecure(layer) ? 'https' : 'http';
  // A name, where a name decides.
  const host = isSecure(layer) ? BENCH_NAME : '127.0.0.1';
  const url = `${scheme}://${host}:${running.port}/${size}`;
  const target: Omit<LoadTarget, 'seconds'> = { url, connections: options.connections, handshakes };
  const { pid } = running.child;
  const read = () => ({
    time: readProcessorTime(pid, ticksPerSecond),
    counters: readSystemCounters(pid, ticksPerSecond),
  });
  try {
    await load.run({ ...target, seconds: WARM_UP_SECONDS });
    const before = read();
    const result = await load.run({ ...target, seconds: options.seconds });
    const after = read();
    return {
      ...result,
      ...elapsed(before.time, after.time),
      counters: countersBetween(before.counters, after.counters),
    };
  } catch (error) {
    const problems = [(error as Error).message.trim()];
    return { requests: 0, seconds: 0, userUs: 0, systemUs: 0, counters: null, problems };
  }
}

function describeRound(round: Round): string {
  if (round.problems.length > 0) return `INVALID: ${round.problems.join(', ')}`;
  return `${((round.userUs + round.systemUs) / round.requests).toFixed(1)} µs`;
}
