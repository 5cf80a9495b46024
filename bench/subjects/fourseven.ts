import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { findProgram } from '../child-processes.ts';
import { ROOT } from '../paths.ts';
import type { Assignment, Availability, Launch, Subject } from './subject.ts';

/** The engines of the proxy, and the subject that measures each. */
const ENGINES = { fourseven: 'native', 'fourseven-node': 'node' } as const;

/**
 * The proxy under test, one shard. `command` is an executable that takes `run FILE` and prints `ready`; a relative path is
 * one in the repository. The engine is named, never `auto`: a benchmark that falls back unseen measures the wrong thing.
 */
export function fourseven(name: keyof typeof ENGINES, command: string): Subject {
  const program = resolve(ROOT, command);
  return {
    name,
    layers: ['l7', 'l4'],
    configuration: 'bench/subjects/fourseven.ts',
    probe: () => probe(program),
    prepare: (assignment) => prepare(program, ENGINES[name], assignment),
  };
}

async function probe(program: string): Promise<Availability> {
  if (findProgram(program) === undefined)
    return { available: false, remedy: `${program} is not there; build it first` };
  const { version } = JSON.parse(await readFile(`${ROOT}package.json`, 'utf8')) as { version: string };
  return { available: true, version };
}

async function prepare(program: string, engine: string, assignment: Assignment): Promise<Launch> {
  const file = `${assignment.directory}/${engine}-${assignment.layer}.yaml`;
  await writeFile(file, configurationFor(engine, assignment));
  return { command: [program, 'run', file], readiness: 'line' };
}

/** The configuration of the proxy under test. Everything that it does not name is a default. */
export function configurationFor(engine: string, assignment: Omit<Assignment, 'directory'>): string {
  const { layer, listenPort, originPort } = assignment;
  return `# Fourseven in the benchmark: one shard, all defaults on.
shards: 1
engine: ${engine}
admin: off

listeners:
  bench:
    address: 127.0.0.1:${listenPort}
    protocol: ${layer === 'l7' ? 'http' : 'tcp'}
    cluster: origin

clusters:
  origin:
    endpoints:
      - 127.0.0.1:${originPort}
`;
}
