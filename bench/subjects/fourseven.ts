import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { findProgram } from '../child-processes.ts';
import { ROOT } from '../paths.ts';
import { BENCH_NAME, isHttp, isLogged, isSecure, LAYERS } from '../vocabulary.ts';
import type { Assignment, Availability, Launch, Subject } from './subject.ts';

/** The engines of the proxy, and the subject that measures each. */
const ENGINES = {
  fourseven: 'native',
  'fourseven-node': 'node',
  'fourseven-logged': 'native',
  'fourseven-plain': 'native',
} as const;

/**
 * The proxy under test, one shard. `command` is an executable that takes `run FILE` and prints `ready`; a relative path is
 * one in the repository. The engine is named, never `auto`: a benchmark that falls back unseen measures the wrong thing.
 */
export function fourseven(name: keyof typeof ENGINES, command: string): Subject {
  const program = resolve(ROOT, command);
  return {
    name,
    layers:
      name === 'fourseven-plain'
        ? ['passed']
        : LAYERS.filter((layer) => !isLogged(layer) || name !== 'fourseven-logged'),
    messages: true,
    configuration: 'bench/subjects/fourseven.ts',
    probe: () => probe(program),
    prepare: (assignment) => prepare(program, name, assignment),
  };
}

async function probe(program: string): Promise<Availability> {
  if (findProgram(program) === undefined)
    return { available: false, remedy: `${program} is not there; build it first` };
  const { version } = JSON.parse(await readFile(`${ROOT}package.json`, 'utf8')) as { version: string };
  return { available: true, version };
}

async function prepare(program: string, name: keyof typeof ENGINES, assignment: Assignment): Promise<Launch> {
  const file = `${assignment.directory}/${name}-${assignment.layer}.yaml`;
  await writeFile(file, configurationFor(name, assignment));
  return { command: [program, 'run', file], readiness: 'line' };
}

function tlsFor({ layer, certificate, key }: Assignment): string {
  if (!isSecure(layer)) return '';
  const what =
    layer === 'passed'
      ? `passthrough: [{ names: [${BENCH_NAME}], cluster: origin }]`
      : `certificates: [{ certificate: ${certificate}, key: ${key} }]`;
  return `\n    tls: { ${what} }`;
}

/** The configuration of the proxy under test. Everything that it does not name is a default. */
export function configurationFor(name: keyof typeof ENGINES, assignment: Assignment): string {
  const { layer, listenPort, originPort, directory } = assignment;
  const logs = isLogged(layer) || name === 'fourseven-logged';
  const log = logs ? `\n    accessLog: { file: ${directory}/access.log }` : '';
  const admin = name === 'fourseven-logged' ? `{ address: 'unix:${directory}/admin.sock' }` : 'off';
  return `# Fourseven in the benchmark: one shard, all defaults on.
shards: 1
engine: ${ENGINES[name]}
admin: ${admin}

listeners:
  bench:
    address: 127.0.0.1:${listenPort}
    protocol: ${isHttp(layer) ? 'http' : 'tcp'}
    cluster: origin${name === 'fourseven-plain' ? '' : tlsFor(assignment)}${log}

clusters:
  origin:
    endpoints:
      - 127.0.0.1:${originPort}
${layer === 'reencrypted' ? '    # The certificate of the origin is one that nobody has signed.\n    tls: { verify: off }\n' : ''}`;
}
