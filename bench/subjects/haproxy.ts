import { readFile, writeFile } from 'node:fs/promises';
import { type ChildProcesses, findProgram } from '../child-processes.ts';
import { RIVALS } from '../paths.ts';
import { fillTemplate } from '../template.ts';
import { isLogged } from '../vocabulary.ts';
import { type Assignment, type Availability, type Launch, type Subject, templateOf } from './subject.ts';

const REMEDY = 'install HAProxy, on Debian: apt-get install haproxy';

/** HAProxy as packaged, one thread. */
export function haproxy(children: ChildProcesses): Subject {
  const program = findProgram('haproxy');
  return {
    name: 'haproxy',
    layers: ['l7', 'logged', 'l4', 'tls', 'tls-logged', 'reencrypted', 'full', 'resumed'],
    messages: true,
    configuration: 'bench/rivals/haproxy-l7.cfg, haproxy-l4.cfg, haproxy-tls.cfg',
    probe: () => probe(children, program),
    prepare: (assignment) => prepare(program ?? 'haproxy', assignment),
  };
}

async function probe(children: ChildProcesses, program: string | undefined): Promise<Availability> {
  if (program === undefined) return { available: false, remedy: REMEDY };
  const { child } = await children.run('haproxy -v', [program, '-v'], 'load core');
  return { available: true, version: /version ([0-9][0-9.]*)/.exec(child.stdout)?.[1] ?? 'of unknown version' };
}

async function prepare(program: string, assignment: Assignment): Promise<Launch> {
  const { layer, listenPort, originPort, connections, directory, certificate, key } = assignment;
  const kind = templateOf(layer);
  const template = await readFile(`${RIVALS}/haproxy-${kind}.cfg`, 'utf8');
  // HAProxy wants both in one file.
  const pair = `${directory}/pair.pem`;
  if (kind === 'tls') await writeFile(pair, (await readFile(certificate, 'utf8')) + (await readFile(key, 'utf8')));
  // The certificate of the origin is one that nobody has signed, for nginx as well.
  const toOrigin = layer === 'reencrypted' ? ' ssl verify none' : '';
  // It writes no files itself; its standard output may be one.
  const log = isLogged(layer) ? 'option httplog\n  log stdout format raw local0' : '';
  const own = kind === 'tls' ? { pair, toOrigin, log } : kind === 'l7' ? { log } : {};
  const file = `${directory}/haproxy-${layer}.cfg`;
  // HAProxy counts those of clients alone, and takes descriptors for both sides of each when it starts.
  const clients = Math.ceil(connections / 2);
  await writeFile(file, fillTemplate(template, { listenPort, originPort, clients, ...own }));
  // -db: one process in the foreground.
  const command = [program, '-db', '-f', file];
  if (isLogged(layer)) command.unshift('sh', '-c', 'exec "$@" > "$0"', `${directory}/access.log`);
  return { command, readiness: 'port' };
}
