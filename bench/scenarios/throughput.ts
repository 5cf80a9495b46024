import type { Environment, RunningSubject } from '../environment.ts';
import type { LoadResult, LoadTarget } from '../load/load.ts';
import { fileOf } from '../origin/bodies.ts';
import { elapsed, readProcessorTime } from '../processor-time.ts';
import type { Failure, Round, ThroughputResult } from '../results.ts';
import { roundOrder } from '../statistics.ts';
import type { Assignment, Subject } from '../subjects/subject.ts';
import { countersBetween, readSystemCounters } from '../system-counters.ts';
import { BENCH_NAME, type Case, casesOf, isSecure, LAYER_TITLES, type Layer, titleOf } from '../vocabulary.ts';
import { lineUp } from './line-up.ts';

const WARM_UP_SECONDS = 1;
const NO_TIME = { userUs: 0, systemUs: 0 };

interface Throughput {
  readonly results: ThroughputResult[];
  readonly failures: Failure[];
}

/**
 * Measures one layer: all subjects run side by side, idle but for the one whose turn it is. Rounds are interleaved, forwards
 * and backwards. A subject that cannot start or changes a body is left out and reported.
 */
export async function measureThroughput(
  environment: Environment,
  layer: Layer,
  subjects: readonly Subject[],
): Promise<Throughput> {
  const { loads, sizes, connections } = environment.options;
  const cases = casesOf(layer, loads, sizes, connections);
  const messages = cases.filter(({ load }) => load === 'messages');
  const requests = cases.filter(({ load }) => load !== 'messages');
  const passing = subjects.filter((subject) => subject.messages);
  const measured = [
    await measureCases(environment, 'requests', requests, subjects),
    await measureCases(environment, 'messages', messages, passing),
  ];
  return {
    results: measured.flatMap(({ results }) => results),
    failures: measured.flatMap(({ failures }) => failures),
  };
}

async function measureCases(
  environment: Environment,
  serves: Assignment['serves'],
  cases: readonly Case[],
  subjects: readonly Subject[],
): Promise<Throughput> {
  const [first] = cases;
  if (first === undefined) return { results: [], failures: [] };
  const { layer } = first;
  const purpose = { layer, serves, connections: Math.max(...environment.options.connections) };
  const sizes = serves === 'requests' ? [...new Set(cases.map(({ size }) => size))] : [];
  const { running, failures } = await lineUp(environment, subjects, purpose, sizes, LAYER_TITLES[layer]);
  try {
    const results: ThroughputResult[] = [];
    for (const one of cases) results.push(...(await measureCase(environment, one, running)));
    return { results, failures };
  } finally {
    await Promise.all(running.map(({ end }) => end()));
  }
}

async function measureCase(
  environment: Environment,
  measured: Case,
  running: readonly RunningSubject[],
): Promise<ThroughputResult[]> {
  const { options, progress } = environment;
  const rounds = new Map<RunningSubject, Round[]>(running.map((one) => [one, []]));
  for (let index = 0; index < options.rounds; index++) {
    for (const one of roundOrder(running, index)) {
      if (index === 0) await warmUp(environment, measured, one);
      const round = await measureRound(environment, measured, one);
      rounds.get(one)?.push(round);
      const place = `${titleOf(measured)}, round ${index + 1} of ${options.rounds}`;
      progress.step(`${place}: ${one.subject.name} ${describeRound(round)}`);
    }
  }
  return [...rounds].map(([{ subject }, all]) => ({ ...measured, subject: subject.name, rounds: all }));
}

/** What goes wrong here goes wrong in the first round, too, and is told there. */
async function warmUp(environment: Environment, measured: Case, { port }: RunningSubject): Promise<void> {
  await play(environment, measured, port, WARM_UP_SECONDS).catch(() => {});
}

/** Never throws: a round that could not be measured is one with a problem, and the others go on. */
async function measureRound(environment: Environment, measured: Case, { pid, port }: RunningSubject): Promise<Round> {
  const { options, origin, ticksPerSecond } = environment;
  const read = () => ({
    time: pid === undefined ? NO_TIME : readProcessorTime(pid, ticksPerSecond),
    counters: readSystemCounters(pid, origin.pid, ticksPerSecond),
  });
  try {
    const before = read();
    const result = await play(environment, measured, port, options.seconds);
    const after = read();
    return {
      ...result,
      ...elapsed(before.time, after.time),
      counters: countersBetween(before.counters, after.counters),
    };
  } catch (error) {
    const problems = [(error as Error).message.trim()];
    return { requests: 0, seconds: 0, ...NO_TIME, counters: null, problems };
  }
}

function play(environment: Environment, measured: Case, port: number, seconds: number): Promise<LoadResult> {
  const { layer, load, size, connections } = measured;
  if (load === 'messages') return environment.messages.run({ port, connections, size, seconds });
  const scheme = isSecure(layer) ? 'https' : 'http';
  // A name, where a name decides.
  const host = isSecure(layer) ? BENCH_NAME : '127.0.0.1';
  const at = `${scheme}://${host}:${port}`;
  if (load === 'upload') {
    const uploadFile = fileOf(environment.directory, size);
    return environment.load.run({ url: `${at}/upload`, connections, seconds, kind: load, uploadFile });
  }
  const path = load === 'unpooled' ? 'closing' : size;
  return environment.load.run({ url: `${at}/${path}`, connections, seconds, kind: kindOf(measured) });
}

function kindOf({ layer, load }: Case): LoadTarget['kind'] {
  if (layer === 'full' || layer === 'resumed') return layer;
  if (load === 'fresh') return isSecure(layer) ? 'full' : 'fresh';
  return load === 'pipelined' ? 'pipelined' : 'kept';
}

function describeRound(round: Round): string {
  if (round.problems.length > 0) return `INVALID: ${round.problems.join(', ')}`;
  return `${((round.userUs + round.systemUs) / round.requests).toFixed(1)} µs`;
}
