import type { Environment, RunningSubject } from '../environment.ts';
import type { LoadResult, LoadTarget } from '../load/load.ts';
import { BODY_BYTES, fileOf } from '../origin/bodies.ts';
import { elapsed, readProcessorTime } from '../processor-time.ts';
import type { Failure, Round, ThroughputResult } from '../results.ts';
import { roundOrder } from '../statistics.ts';
import type { Assignment, Subject } from '../subjects/subject.ts';
import { countersBetween, readSystemCounters } from '../system-counters.ts';
import {
  BENCH_NAME,
  type Case,
  casesOf,
  isSecure,
  LAYER_TITLES,
  LAYERS,
  type Layer,
  type LoadKind,
  titleOf,
} from '../vocabulary.ts';
import { lineUp } from './line-up.ts';

const WARM_UP_SECONDS = 1;
const NO_TIME = { userUs: 0, systemUs: 0 };

interface Throughput {
  readonly results: ThroughputResult[];
  readonly failures: Failure[];
}

/** Subjects that run side by side, and what is measured of them. */
interface LineUp {
  readonly running: readonly RunningSubject[];
  readonly cases: readonly Case[];
}

/**
 * Measures layers: all subjects of all of them run side by side, idle but for the one whose turn it is. A round goes through all cases, and rounds are
 * interleaved, forwards and backwards: a machine that grows slower or faster with time favours neither a subject nor a case. Each is warmed up once for
 * each load. A subject that cannot start or changes a body is left out and reported.
 */
export async function measureThroughput(
  environment: Environment,
  subjectsOf: Readonly<Partial<Record<Layer, readonly Subject[]>>>,
): Promise<Throughput> {
  const lineUps: LineUp[] = [];
  const failures: Failure[] = [];
  try {
    for (const layer of LAYERS) {
      const subjects = subjectsOf[layer];
      if (subjects === undefined) continue;
      for (const serves of ['requests', 'messages'] as const) {
        const lined = await lineUpFor(environment, layer, serves, subjects);
        lineUps.push(lined);
        failures.push(...lined.failures);
      }
    }
    return { results: await measureRounds(environment, lineUps), failures };
  } finally {
    await Promise.all(lineUps.flatMap(({ running }) => running.map(({ end }) => end())));
  }
}

async function lineUpFor(
  environment: Environment,
  layer: Layer,
  serves: Assignment['serves'],
  subjects: readonly Subject[],
): Promise<LineUp & { readonly failures: readonly Failure[] }> {
  const { loads, sizes, connections } = environment.options;
  const isMessages = serves === 'messages';
  const cases = casesOf(layer, loads, sizes, connections).filter(({ load }) => (load === 'messages') === isMessages);
  if (cases.length === 0) return { running: [], cases, failures: [] };
  const able = isMessages ? subjects.filter(({ messages }) => messages) : subjects;
  const purpose = { layer, serves, connections: Math.max(...connections) };
  const checked = isMessages ? [] : [...new Set(cases.map(({ size }) => size))];
  const { running, failures } = await lineUp(environment, able, purpose, checked, LAYER_TITLES[layer]);
  return { running, cases, failures };
}

async function measureRounds(environment: Environment, lineUps: readonly LineUp[]): Promise<ThroughputResult[]> {
  const { options, progress } = environment;
  const measured = lineUps.flatMap(({ running, cases }) =>
    cases.map((one) => ({ one, running, rounds: new Map<RunningSubject, Round[]>(running.map((each) => [each, []])) })),
  );
  const warm = new Map<RunningSubject, Set<LoadKind>>();
  for (let index = 0; index < options.rounds; index++) {
    const order = options.firstRound + index;
    for (const { one, running, rounds } of roundOrder(measured, order)) {
      for (const subject of roundOrder(running, order)) {
        const warmLoads = warm.get(subject) ?? new Set();
        if (!warmLoads.has(one.load)) await warmUp(environment, one, subject);
        warm.set(subject, warmLoads.add(one.load));
        const round = await measureRound(environment, one, subject);
        rounds.get(subject)?.push(round);
        const place = `${titleOf(one)}, round ${index + 1} of ${options.rounds}`;
        progress.step(`${place}: ${subject.subject.name} ${describeRound(round)}`);
      }
    }
  }
  return measured.flatMap(({ one, rounds }) =>
    [...rounds].map(([{ subject }, all]) => ({ ...one, subject: subject.name, rounds: all })),
  );
}

/** With the smallest bodies, which are the most requests. What goes wrong here goes wrong in the first round, too, and is told there. */
async function warmUp(environment: Environment, measured: Case, { port }: RunningSubject): Promise<void> {
  await play(environment, { ...measured, size: 'small' }, port, WARM_UP_SECONDS).catch(() => {});
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
    // A body so large that none arrived whole: there is nothing to divide by.
    const none = result.requests === 0 ? ['no answer arrived whole in time'] : [];
    return {
      ...result,
      problems: [...result.problems, ...none],
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
  const extent = { connections, seconds, bodyBytes: BODY_BYTES[size] };
  if (load === 'upload') {
    const uploadFile = fileOf(environment.directory, size);
    return environment.load.run({ url: `${at}/upload`, ...extent, kind: load, uploadFile });
  }
  const path = load === 'unpooled' ? 'closing' : size;
  return environment.load.run({ url: `${at}/${path}`, ...extent, kind: kindOf(measured) });
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
