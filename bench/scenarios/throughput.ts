import type { Options } from '../arguments.ts';
import type { Environment, Purpose, RunningSubject } from '../environment.ts';
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
  type SubjectName,
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
interface Group {
  readonly purpose: Purpose;
  /** Less those that have failed to start. */
  subjects: readonly Subject[];
  readonly measured: readonly Measured[];
}

interface Measured {
  readonly one: Case;
  readonly rounds: Map<SubjectName, Round[]>;
}

/**
 * Measures layers: all subjects of all of them run side by side, idle but for the one whose turn it is. A round goes through all cases, and rounds are
 * interleaved, forwards and backwards: a machine that grows slower or faster with time favours neither a subject nor a case. Each round has processes of
 * its own, since two of one program differ as two programs do, and each is warmed up once for each load. A subject that cannot start or changes a
 * body is reported and left out from then on.
 */
export async function measureThroughput(
  environment: Environment,
  subjectsOf: Readonly<Partial<Record<Layer, readonly Subject[]>>>,
): Promise<Throughput> {
  const { options } = environment;
  const groups = LAYERS.flatMap((layer) =>
    (['requests', 'messages'] as const).map((serves) => groupFor(options, layer, serves, subjectsOf[layer] ?? [])),
  );
  const failures: Failure[] = [];
  for (let index = 0; index < options.rounds; index++) {
    failures.push(...(await playRound(environment, groups, index)));
  }
  const results = groups
    .flatMap(({ measured }) => measured)
    .flatMap(({ one, rounds }) =>
      [...rounds].flatMap(([subject, all]) => (all.length === 0 ? [] : { ...one, subject, rounds: all })),
    );
  return { results, failures };
}

function groupFor(
  { loads, sizes, connections }: Options,
  layer: Layer,
  serves: Assignment['serves'],
  subjects: readonly Subject[],
): Group {
  const isMessages = serves === 'messages';
  const cases = casesOf(layer, loads, sizes, connections).filter(({ load }) => (load === 'messages') === isMessages);
  const able = isMessages ? subjects.filter(({ messages }) => messages) : subjects;
  return {
    purpose: { layer, serves, connections: Math.max(...connections) },
    subjects: cases.length === 0 ? [] : able,
    measured: cases.map((one) => ({ one, rounds: new Map(able.map(({ name }) => [name, []])) })),
  };
}

/** One round of everything. Returns which subjects could not start. */
async function playRound(environment: Environment, groups: readonly Group[], index: number): Promise<Failure[]> {
  const { options, progress } = environment;
  const order = options.firstRound + index;
  const failures: Failure[] = [];
  const started: { running: readonly RunningSubject[]; measured: readonly Measured[] }[] = [];
  try {
    for (const group of groups) {
      const { running, failures: broken } = await startGroup(environment, group);
      started.push({ running, measured: group.measured });
      failures.push(...broken);
    }
    const turns = started.flatMap(({ running, measured }) => measured.map((each) => ({ ...each, running })));
    const warm = new Map<RunningSubject, Set<LoadKind>>();
    for (const { one, rounds, running } of roundOrder(turns, order)) {
      for (const subject of roundOrder(running, order)) {
        const { name } = subject.subject;
        const warmLoads = warm.get(subject) ?? new Set();
        if (!warmLoads.has(one.load)) await warmUp(environment, one, subject);
        warm.set(subject, warmLoads.add(one.load));
        const round = await measureRound(environment, one, subject);
        rounds.get(name)?.push(round);
        progress.step(`${titleOf(one)}, round ${index + 1} of ${options.rounds}: ${name} ${describeRound(round)}`);
      }
    }
    return failures;
  } finally {
    await Promise.all(started.flatMap(({ running }) => running.map(({ end }) => end())));
  }
}

/** The caller ends what runs. */
async function startGroup(environment: Environment, group: Group): ReturnType<typeof lineUp> {
  const { purpose, subjects, measured } = group;
  const sizes = purpose.serves === 'messages' ? [] : [...new Set(measured.map(({ one }) => one.size))];
  const outcome = await lineUp(environment, subjects, purpose, sizes, LAYER_TITLES[purpose.layer]);
  group.subjects = outcome.running.map(({ subject }) => subject);
  return outcome;
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
