import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { connect } from 'node:net';
import { availableParallelism } from 'node:os';
import { delimiter, isAbsolute } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** How long a process may take to end after SIGTERM; then its whole group is killed. */
const END_DEADLINE_MS = 5_000;
const READY_DEADLINE_MS = 15_000;
/** How often a port is tried while its process starts. */
const PORT_RETRY_MS = 5;
/** How much of a process's output is kept for the message when it fails. */
const OUTPUT_KEPT_CHARACTERS = 64 * 1024;
/** Debian keeps servers where the PATH of an ordinary user does not look. */
const MORE_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/**
 * Where a process runs: the proxies have a core of their own, origin and load share the other. The open-loop generator has a third one; where there is
 * none, it shares that of the load.
 */
export type Place = 'proxy core' | 'load core' | 'generator core';
const CORES: Readonly<Record<Place, string>> = {
  'proxy core': '0',
  'load core': '1',
  'generator core': availableParallelism() >= 3 ? '2' : '1',
};

/** The path of a program, or undefined if it is not installed. */
export function findProgram(name: string): string | undefined {
  if (isAbsolute(name)) return isExecutable(name) ? name : undefined;
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...MORE_FOLDERS];
  return folders.map((folder) => `${folder}/${name}`).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** One started process, leader of a process group of its own. */
export class Child {
  readonly name: string;
  readonly pid: number;
  /** Resolves with the exit code once it has ended and its output is read; null if a signal ended it. Never rejects. */
  readonly ended: Promise<number | null>;
  readonly #process: ChildProcess;
  #stdout = '';
  #stderr = '';
  #hasEnded = false;

  constructor(name: string, child: ChildProcess) {
    if (child.pid === undefined) throw new Error(`${name} could not be started (${child.spawnfile})`);
    this.name = name;
    this.pid = child.pid;
    this.#process = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout = (this.#stdout + text).slice(-OUTPUT_KEPT_CHARACTERS);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-OUTPUT_KEPT_CHARACTERS);
    });
    this.ended = new Promise((resolve) => {
      child.once('close', (code) => {
        this.#hasEnded = true;
        resolve(code);
      });
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Resolves once standard output has this line. Throws if the process ends before, or at the deadline. */
  async waitForLine(line: string): Promise<void> {
    await this.#wait(`the line "${line}"`, async () => this.#stdout.split('\n').includes(line));
  }

  /** Resolves with the first line of standard output. Throws if the process ends before, or at the deadline. */
  async waitForFirstLine(): Promise<string> {
    await this.#wait('a first line', async () => this.#stdout.includes('\n'));
    return this.#stdout.slice(0, this.#stdout.indexOf('\n'));
  }

  /** Resolves once something accepts on this port of 127.0.0.1. Throws if the process ends before, or at the deadline. */
  async waitForPort(port: number): Promise<void> {
    await this.#wait(`port ${port}`, () => accepts(port));
  }

  async #wait(what: string, isThere: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + READY_DEADLINE_MS;
    while (!(await isThere())) {
      if (this.#hasEnded) throw new Error(`${this.name} ended before it was ready:\n${this.#stderr || this.#stdout}`);
      if (performance.now() > deadline) {
        throw new Error(`${this.name}: ${what} did not come within ${READY_DEADLINE_MS} ms:\n${this.#stderr}`);
      }
      await delay(PORT_RETRY_MS);
    }
  }

  /** SIGTERM, then after a deadline SIGKILL to the whole group. Resolves once it has ended. */
  async end(): Promise<void> {
    if (!this.#hasEnded) this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.killGroup(), END_DEADLINE_MS);
    await this.ended;
    clearTimeout(timer);
    this.killGroup(); // what it may have left behind
  }

  /** SIGKILL to the process and all that it has started. Harmless if nothing is left. */
  killGroup(): void {
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch {
      // ESRCH: the group is empty
    }
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** Starts processes and knows all that still run, so that none outlives the suite. */
export class ChildProcesses {
  readonly #running = new Set<Child>();
  /** taskset (util-linux), where it is installed and there are two cores to tell apart. */
  readonly #taskset = availableParallelism() >= 2 ? findProgram('taskset') : undefined;

  #isEnding = false;

  /** Whether `endAll` was called: nothing can be started any more. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  get pinsToCores(): boolean {
    return this.#taskset !== undefined;
  }

  /** Starts a program. The caller may end it; `endAll` does for those that are left. Throws if it cannot be started. */
  start(name: string, command: readonly string[], place: Place): Child {
    if (this.#isEnding) throw new Error(`${name} is not started: the suite is ending`);
    // taskset replaces itself by the program, so the pid is the program's own.
    const pinned = this.#taskset === undefined ? command : [this.#taskset, '-c', CORES[place], ...command];
    const [file, ...args] = pinned;
    if (file === undefined) throw new Error(`${name} has no command`);
    // A group of its own: to sum up the times of all its processes, and to kill them all by one id.
    const spawned = spawn(file, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    spawned.on('error', () => {}); // said by the missing pid
    const child = new Child(name, spawned);
    this.#running.add(child);
    void child.ended.then(() => this.#running.delete(child));
    return child;
  }

  /** Runs a program to its end. */
  async run(name: string, command: readonly string[], place: Place): Promise<{ code: number | null; child: Child }> {
    const child = this.start(name, command, place);
    return { code: await child.ended, child };
  }

  async endAll(): Promise<void> {
    this.#isEnding = true;
    await Promise.all([...this.#running].map((child) => child.end()));
  }

  /** For the last moment, when nothing can be awaited any more. */
  killAll(): void {
    for (const child of this.#running) child.killGroup();
  }
}
