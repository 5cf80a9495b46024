import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Child, type ChildProcesses, findProgram } from '../child-processes.ts';
import type { Environment } from '../environment.ts';
import { ROOT } from '../paths.ts';
import { freePorts } from '../ports.ts';
import { fillTemplate } from '../template.ts';
import { BODY_SIZES } from '../vocabulary.ts';
import { bodyOf, fileOf } from './bodies.ts';

export interface Origin {
  readonly port: number;
  /** Where it speaks TLS. */
  readonly securePort: number;
  /** Its process group. */
  readonly pid: number;
  /** For the report. */
  readonly name: string;
}

/** Starts the origin on a free port of 127.0.0.1: nginx where installed, else a small Node server. */
export async function startOrigin(
  children: ChildProcesses,
  directory: string,
  pair: Environment['pair'],
): Promise<Origin> {
  const [port = 0, securePort = 0] = await freePorts(2);
  const nginx = findProgram('nginx');
  await writeBodies(directory);
  const place = { port, securePort, directory, ...pair };
  const child = nginx === undefined ? startNode(children, place) : await startNginx(children, nginx, place);
  await child.waitForPort(port);
  await child.waitForPort(securePort);
  return { port, securePort, pid: child.pid, name: child.name };
}

interface Place {
  readonly port: number;
  readonly securePort: number;
  readonly directory: string;
  /** Files. */
  readonly certificate: string;
  readonly key: string;
}

function startNode(children: ChildProcesses, { port, securePort, certificate, key }: Place): Child {
  const script = fileURLToPath(new URL('./node-origin.js', import.meta.url));
  return children.start(
    'node origin',
    [process.execPath, script, String(port), String(securePort), certificate, key],
    'load core',
  );
}

async function startNginx(children: ChildProcesses, nginx: string, place: Place): Promise<Child> {
  const { directory } = place;
  const template = await readFile(`${ROOT}bench/origin/nginx.conf`, 'utf8');
  const smallBody = bodyOf('small').toString();
  const file = `${directory}/origin.conf`;
  await writeFile(file, fillTemplate(template, { ...place, smallBody }));
  return children.start('nginx origin', [nginx, '-e', 'stderr', '-p', directory, '-c', file], 'load core');
}

async function writeBodies(directory: string): Promise<void> {
  const folder = `${directory}/bodies`;
  await mkdir(folder);
  for (const size of BODY_SIZES) await writeFile(fileOf(directory, size), bodyOf(size));
  await chmod(folder, 0o755);
}
