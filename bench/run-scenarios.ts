import { chmod } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Options } from './arguments.ts';
import type { ChildProcesses } from './child-processes.ts';
import type { Environment } from './environment.ts';
import { findLoadGenerator } from './load/find-load-generator.ts';
import { Messages } from './load/messages/messages.ts';
import { describeMachine } from './machine.ts';
import { startOrigin } from './origin/origin.ts';
import { ROOT } from './paths.ts';
import { askTicksPerSecond } from './processor-time.ts';
import type { Progress } from './progress.ts';
import { type Failure, RESULTS_FORMAT, type Results, type SampleResult } from './results.ts';
import { playClaims } from './scenarios/claims.ts';
import { descriptorShortage, measureIdleMemory } from './scenarios/idle-memory.ts';
import { measureLatency } from './scenarios/latency.ts';
import { measureMicro } from './scenarios/micro.ts';
import { measureStartTime } from './scenarios/start-time.ts';
import { measureThroughput } from './scenarios/throughput.ts';
import { subjectsNamed } from './subjects/all-subjects.ts';
import type { Subject } from './subjects/subject.ts';
import { BENCH_NAME, casesOf, isLayer, LAYERS, type Layer, type Scenario, type SubjectName } from './vocabulary.ts';

/** Runs what the options ask for. Subjects that cannot be measured end up in `failures`; only the suite's own trouble throws. */
export async function runScenarios(
  options: Options,
  children: ChildProcesses,
  directory: string,
  progress: Progress,
): Promise<Results> {
  const load = await findLoadGenerator(children);
  const pair = await makePair(children, options.command, directory);
  const origin = await startOrigin(children, directory, pair);
  const ticksPerSecond = askTicksPerSecond();
  const messages = new Messages(children, directory);
  const environment: Environment = {
    options,
    children,
    load,
    messages,
    origin,
    pair,
    directory,
    ticksPerSecond,
    progress,
  };
  const lineup = await probeAll(subjectsNamed(options.subjects, children, options.command), options);
  announce(lineup, progress);
  progress.expect(stepsOf(options, lineup));

  const failures: Failure[] = [...lineup.failures];
  const layers = LAYERS.filter((name) => options.scenarios.includes(name));
  const { results: throughput, failures: broken } = await measureThroughput(
    environment,
    Object.fromEntries(layers.map((layer) => [layer, lineup.ready[layer]])),
  );
  failures.push(...broken);
  const latency = options.scenarios.includes('latency')
    ? await measureLatency(environment, {
        // 70 % of what the others answer is no load for the rest.
        l7: lineup.ready.l7.filter(({ name }) => name !== 'http-proxy' && name !== 'fastify'),
        l4: lineup.ready.l4,
      })
    : { results: [], failures: [] };
  failures.push(...latency.failures);
  const sample = (scenario: 'idle' | 'start', measure: SampleMeasure): Promise<SampleResult[]> =>
    options.scenarios.includes(scenario)
      ? measureSamples(environment, scenario, lineup, measure, failures)
      : Promise.resolve([]);
  const idle = await sample('idle', measureIdle);
  const start = await sample('start', measureStartTime);
  const claims = options.scenarios.includes('claims')
    ? await playClaims(environment)
    : { experiments: {}, failures: [] };
  failures.push(...claims.failures);
  const micro = options.scenarios.includes('micro') ? await measureMicro(environment) : [];
  return {
    format: RESULTS_FORMAT,
    machine: describeMachine(),
    load: load.name,
    origin: origin.name,
    pinned: children.pinsToCores,
    connections: options.connections,
    seconds: options.seconds,
    rounds: options.rounds,
    idleConnections: options.idleConnections,
    versions: lineup.versions,
    throughput,
    seed: options.seed,
    latency: latency.results,
    idle,
    start,
    micro,
    experiments: claims.experiments,
    failures,
  };
}

/** A certificate of this run, for BENCH_NAME. The unprivileged workers of a proxy may read it. */
async function makePair(children: ChildProcesses, command: string, directory: string): Promise<Environment['pair']> {
  const program = resolve(ROOT, command);
  await children.run('fourseven cert', [program, 'cert', BENCH_NAME, '127.0.0.1', '--out', directory], 'load core');
  const pair = { certificate: `${directory}/cert.pem`, key: `${directory}/key.pem` };
  await Promise.all(Object.values(pair).map((file) => chmod(file, 0o644)));
  return pair;
}

type SampleMeasure = (environment: Environment, subject: Subject) => Promise<readonly number[]>;

const measureIdle: SampleMeasure = (environment, subject) => {
  const shortage = descriptorShortage(environment.options.idleConnections);
  return shortage === undefined ? measureIdleMemory(environment, subject) : Promise.reject(new Error(shortage));
};

async function measureSamples(
  environment: Environment,
  where: string,
  lineup: Lineup,
  measure: SampleMeasure,
  failures: Failure[],
): Promise<SampleResult[]> {
  const results: SampleResult[] = [];
  for (const subject of lineup.ready.l7) {
    try {
      results.push({ subject: subject.name, samples: await measure(environment, subject) });
    } catch (error) {
      failures.push({ subject: subject.name, where, reason: (error as Error).message, missing: false });
    }
  }
  return results;
}

/** Who can be measured here. */
interface Lineup {
  readonly ready: Readonly<Record<Layer, readonly Subject[]>>;
  readonly versions: Partial<Record<SubjectName, string>>;
  readonly failures: readonly Failure[];
}

async function probeAll(subjects: readonly Subject[], options: Options): Promise<Lineup> {
  const ready: Record<Layer, Subject[]> = {
    l7: [],
    logged: [],
    l4: [],
    tls: [],
    'tls-logged': [],
    reencrypted: [],
    full: [],
    resumed: [],
    passed: [],
  };
  const versions: Partial<Record<SubjectName, string>> = {};
  const failures: Failure[] = [];
  const needed = LAYERS.filter((layer) =>
    options.scenarios.some((name) => name === layer || needsLayer(name, layer, options)),
  );
  for (const subject of subjects) {
    for (const layer of subject.layers.filter((name) => needed.includes(name))) {
      const availability = await subject.probe(layer);
      if (availability.available) {
        ready[layer].push(subject);
        versions[subject.name] = availability.version;
      } else {
        failures.push({ subject: subject.name, where: layer, reason: availability.remedy, missing: true });
      }
    }
  }
  return { ready, versions, failures };
}

/** Whether a scenario that is no layer itself needs subjects of this one. */
function needsLayer(scenario: Scenario, layer: Layer, { latency }: Options): boolean {
  if (scenario === 'latency') return latency.layers.includes(layer);
  return layer === 'l7' && (scenario === 'idle' || scenario === 'start');
}

/** How many measurements there will be, if all goes well. */
function stepsOf(
  { scenarios, loads, sizes, connections, rounds, latency, claims }: Options,
  { ready }: Lineup,
): number {
  const measured = scenarios.map((scenario) => {
    if (scenario === 'micro') return 0;
    if (scenario === 'claims') return claims.length;
    if (scenario === 'latency') {
      const each = latency.sizes.length * latency.shares.length * rounds;
      return latency.layers.reduce((sum, layer) => sum + ready[layer].length, 0) * each;
    }
    if (!isLayer(scenario)) return ready.l7.length * rounds;
    return casesOf(scenario, loads, sizes, connections).length * ready[scenario].length * rounds;
  });
  return measured.reduce((sum, count) => sum + count, 0);
}

function announce(lineup: Lineup, progress: Progress): void {
  for (const subject of new Set(Object.values(lineup.ready).flat())) {
    progress.say(`${subject.name} ${lineup.versions[subject.name]} (configured by ${subject.configuration})`);
  }
  for (const { subject, where, reason } of lineup.failures)
    progress.say(`${subject}, ${where}: not measured; ${reason}`);
}
