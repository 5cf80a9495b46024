import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { type ChildProcesses, findProgram } from '../child-processes.ts';
import { RIVALS } from '../paths.ts';
import { fillTemplate } from '../template.ts';
import { isLogged, type Layer } from '../vocabulary.ts';
import { type Assignment, type Availability, type Launch, type Subject, templateOf } from './subject.ts';

const REMEDY = 'install nginx, on Debian: apt-get install nginx';
const STREAM_REMEDY = "install nginx's stream module, on Debian: apt-get install libnginx-mod-stream";
const STREAM_MODULE = 'ngx_stream_module.so';

/** How this build of nginx has its stream module: compiled in, as a file to load, or not at all. */
export type StreamModule = 'built-in' | 'absent' | { readonly path: string };

/** Reads the output of `nginx -V`: its version, and where its stream module is. */
export function parseNginxBuild(output: string): { version: string; stream: StreamModule } {
  const version = /nginx version: nginx\/(\S+)/.exec(output)?.[1] ?? 'of unknown version';
  if (/--with-stream(?=\s|$)/.test(output)) return { version, stream: 'built-in' };
  const folder = /--modules-path=(\S+)/.exec(output)?.[1];
  const dynamic = output.includes('--with-stream=dynamic') && folder !== undefined;
  return { version, stream: dynamic ? { path: `${folder}/${STREAM_MODULE}` } : 'absent' };
}

/** nginx as packaged, one worker. */
export function nginx(children: ChildProcesses): Subject {
  const program = findProgram('nginx');
  return {
    name: 'nginx',
    layers: ['l7', 'logged', 'l4', 'tls', 'tls-logged', 'reencrypted', 'full', 'resumed'],
    messages: true,
    configuration: 'bench/rivals/nginx-l7.conf, nginx-l4.conf, nginx-tls.conf',
    probe: (layer) => probe(children, program, layer),
    prepare: (assignment) => prepare(children, program ?? 'nginx', assignment),
  };
}

async function askBuild(children: ChildProcesses, program: string) {
  const { child } = await children.run('nginx -V', [program, '-V'], 'load core');
  return parseNginxBuild(child.stderr);
}

async function probe(children: ChildProcesses, program: string | undefined, layer: Layer): Promise<Availability> {
  if (program === undefined) return { available: false, remedy: REMEDY };
  const { version, stream } = await askBuild(children, program);
  const missing = stream === 'absent' || (stream !== 'built-in' && !existsSync(stream.path));
  return layer === 'l4' && missing ? { available: false, remedy: STREAM_REMEDY } : { available: true, version };
}

async function prepare(children: ChildProcesses, program: string, assignment: Assignment): Promise<Launch> {
  const { layer, serves, listenPort, originPort, connections, directory, certificate, key } = assignment;
  const kind = templateOf(layer);
  const template = await readFile(`${RIVALS}/nginx-${kind}.conf`, 'utf8');
  const { stream } = await askBuild(children, program);
  const loadModule = typeof stream === 'object' ? `load_module ${stream.path};` : '';
  const connection =
    serves === 'messages'
      ? 'proxy_set_header Connection upgrade; proxy_set_header Upgrade $http_upgrade;'
      : 'proxy_set_header Connection "";';
  const scheme = layer === 'reencrypted' ? 'https' : 'http';
  const log = isLogged(layer) ? `${directory}/access.log` : 'off';
  const own = {
    l4: { loadModule },
    l7: { connection, log },
    tls: { certificate, key, scheme, connection, log },
  }[kind];
  const file = `${directory}/nginx-${layer}.conf`;
  await writeFile(file, fillTemplate(template, { directory, listenPort, originPort, connections, ...own }));
  return { command: [program, '-e', 'stderr', '-p', directory, '-c', file], readiness: 'port' };
}
