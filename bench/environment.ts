import { chmod, mkdir } from 'node:fs/promises';
import type { Options } from './arguments.ts';
import type { Child, ChildProcesses } from './child-processes.ts';
import type { LoadGenerator } from './load/load.ts';
import type { Messages } from './load/messages/messages.ts';
import type { Origin } from './origin/origin.ts';
import { freePorts } from './ports.ts';
import type { Progress } from './progress.ts';
import type { Arrangement, Assignment, Launch, Subject } from './subjects/subject.ts';
import type { Layer } from './vocabulary.ts';

/** What every scenario works with. */
export interface Environment {
  readonly options: Options;
  readonly children: ChildProcesses;
  readonly load: LoadGenerator;
  readonly messages: Messages;
  readonly origin: Origin;
  /** Files, PEM. */
  readonly pair: { readonly certificate: string; readonly key: string };
  /** For rendered configurations; the unprivileged workers of a proxy may read in it. */
  readonly directory: string;
  readonly ticksPerSecond: number;
  readonly progress: Progress;
}

export interface RunningSubject {
  readonly subject: Subject;
  readonly port: number;
  /** Its process group; undefined where it has no process. */
  readonly pid: number | undefined;
  readonly end: () => Promise<void>;
}

/** A process that was just started and may not serve yet. The caller ends it. */
export interface LaunchedSubject {
  readonly port: number;
  readonly child: Child;
  readonly readiness: Launch['readiness'];
  /** When it was started, by `performance.now()`. */
  readonly startedAtMs: number;
}

/** Enough for the load, its upstream twins and some more. */
const CONNECTIONS_BESIDES_THE_LOAD = 1024;

/** What a subject is started for. */
export interface Purpose {
  readonly layer: Layer;
  readonly serves: Assignment['serves'];
  /** How many connections it will have from clients. */
  readonly connections: number;
}

/** Starts a subject that is a process on a free port and does not wait for it. Throws if it is none. */
export async function launchSubject(
  environment: Environment,
  subject: Subject,
  purpose: Purpose,
): Promise<LaunchedSubject> {
  const assignment = await assign(environment, subject, purpose);
  const prepared = await subject.prepare(assignment);
  if (!isLaunch(prepared)) throw new Error(`${subject.name} is no process`);
  return launch(environment, subject, assignment.listenPort, prepared);
}

async function assign(environment: Environment, subject: Subject, purpose: Purpose): Promise<Assignment> {
  const { layer, serves, connections } = purpose;
  const [listenPort = 0] = await freePorts(1);
  const directory = `${environment.directory}/${subject.name}-${layer}-${serves}`;
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o755);
  const { origin, pair } = environment;
  const requestsPort = layer === 'passed' || layer === 'reencrypted' ? origin.securePort : origin.port;
  return {
    layer,
    serves,
    listenPort,
    originPort: serves === 'messages' ? await environment.messages.port() : requestsPort,
    ...pair,
    connections: 2 * connections + CONNECTIONS_BESIDES_THE_LOAD,
    directory,
  };
}

function isLaunch(prepared: Launch | Arrangement): prepared is Launch {
  return 'command' in prepared;
}

function launch(
  environment: Environment,
  subject: Subject,
  port: number,
  { command, readiness }: Launch,
): LaunchedSubject {
  const startedAtMs = performance.now();
  const child = environment.children.start(subject.name, command, 'proxy core');
  return { port, child, readiness, startedAtMs };
}

/** Starts a subject and waits until it serves. Throws with its own words if it does not get there; then it has ended. */
export async function startSubject(
  environment: Environment,
  subject: Subject,
  purpose: Purpose,
): Promise<RunningSubject> {
  const assignment = await assign(environment, subject, purpose);
  const prepared = await subject.prepare(assignment);
  if (!isLaunch(prepared)) return { subject, pid: undefined, ...prepared };
  const { port, child, readiness } = launch(environment, subject, assignment.listenPort, prepared);
  try {
    await (readiness === 'line' ? child.waitForLine('ready') : child.waitForPort(port));
  } catch (error) {
    await child.end();
    throw error;
  }
  return { subject, port, pid: child.pid, end: () => child.end() };
}
