import { chmod, mkdir } from 'node:fs/promises';
import type { Options } from './arguments.ts';
import type { Child, ChildProcesses } from './child-processes.ts';
import type { LoadGenerator } from './load/load.ts';
import type { Origin } from './origin/origin.ts';
import { freePorts } from './ports.ts';
import type { Launch, Subject } from './subjects/subject.ts';
import type { Layer } from './vocabulary.ts';

/** What every scenario works with. */
export interface Environment {
  readonly options: Options;
  readonly children: ChildProcesses;
  readonly load: LoadGenerator;
  readonly origin: Origin;
  /** Files, PEM. */
  readonly pair: { readonly certificate: string; readonly key: string };
  /** For rendered configurations; the unprivileged workers of a proxy may read in it. */
  readonly directory: string;
  readonly ticksPerSecond: number;
  /** Says what goes on. Not part of the report. */
  readonly progress: (text: string) => void;
}

export interface RunningSubject {
  readonly subject: Subject;
  readonly port: number;
  readonly child: Child;
}

/** A subject that was just started and may not serve yet. */
export interface LaunchedSubject extends RunningSubject {
  readonly readiness: Launch['readiness'];
  /** When it was started, by `performance.now()`. */
  readonly startedAtMs: number;
}

/** Enough for the load, its upstream twins and some more. */
const CONNECTIONS_BESIDES_THE_LOAD = 1024;

/**
 * Starts a subject on a free port and does not wait for it. `clientConnections` is how many connections it will have from
 * clients. The caller ends the child.
 */
export async function launchSubject(
  environment: Environment,
  subject: Subject,
  layer: Layer,
  clientConnections: number,
): Promise<LaunchedSubject> {
  const [port = 0] = await freePorts(1);
  const directory = `${environment.directory}/${subject.name}-${layer}`;
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o755);
  const { command, readiness } = await subject.prepare({
    layer,
    listenPort: port,
    originPort: layer === 'passed' ? environment.origin.securePort : environment.origin.port,
    ...environment.pair,
    connections: 2 * clientConnections + CONNECTIONS_BESIDES_THE_LOAD,
    directory,
  });
  const startedAtMs = performance.now();
  const child = environment.children.start(subject.name, command, 'proxy core');
  return { subject, port, child, readiness, startedAtMs };
}

/** Starts a subject and waits until it serves. Throws with its own words if it does not get there; then it has ended. */
export async function startSubject(
  environment: Environment,
  subject: Subject,
  layer: Layer,
  clientConnections: number,
): Promise<RunningSubject> {
  const { port, child, readiness } = await launchSubject(environment, subject, layer, clientConnections);
  try {
    await (readiness === 'line' ? child.waitForLine('ready') : child.waitForPort(port));
  } catch (error) {
    await child.end();
    throw error;
  }
  return { subject, port, child };
}
