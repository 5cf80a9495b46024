/** Runs the real command in a process of its own. Needs dist (and the addon, for the native engine): `npm test` builds both first. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ConfigInput } from '../../src/config/config.ts';
import type { Status } from '../../src/control/admin/status.ts';
import { until, within } from './deadline.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const COMMAND = join(ROOT, 'bin/fourseven');
const ADDON = process.env.FOURSEVEN_ADDON ?? join(ROOT, 'build/Release/fourseven.node');
const READY_TIMEOUT_MS = 10_000;
const EXIT_TIMEOUT_MS = 15_000;

/** The engines that can run here. */
export const ENGINES: readonly ('native' | 'node')[] = existsSync(ADDON) ? ['native', 'node'] : ['node'];
if (ENGINES.length === 1) console.warn('the addon is not built: integration tests run with the node engine only');

const USUAL = { admin: { address: '127.0.0.1:0' }, drain: { grace: '0s' } } as const;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ProcessOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Limit of open files, set by the shell that becomes the proxy. */
  readonly descriptorsMax?: number;
}

/** One run of the command; its output is collected. */
export class CommandProcess {
  readonly exited: Promise<Exit>;
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;

  constructor(args: readonly string[], options: ProcessOptions = {}) {
    const { descriptorsMax, cwd = ROOT, env = {} } = options;
    const command = [process.execPath, COMMAND, ...args];
    const [file, ...rest] =
      descriptorsMax === undefined
        ? command
        : ['bash', '-c', `ulimit -n ${descriptorsMax}; exec "$@"`, 'bash', ...command];
    this.#child = spawn(file!, rest, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.on('data', (chunk) => {
      this.stdout += chunk;
    });
    this.#child.stderr?.on('data', (chunk) => {
      this.stderr += chunk;
    });
    // `close`, not `exit`: only then all output has been read.
    this.exited = new Promise((resolve) => this.#child.once('close', (code, signal) => resolve({ code, signal })));
  }

  get pid(): number {
    return this.#child.pid!;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves with the exit; kills the process if there is none in time. */
  async exit(ms = EXIT_TIMEOUT_MS): Promise<Exit> {
    try {
      return await within(ms, `the exit of the command; it said:\n${this.stdout}${this.stderr}`, this.exited);
    } catch (error) {
      this.#child.kill('SIGKILL');
      throw error;
    }
  }
}

/** Runs the command to its end. */
export async function runCommand(args: readonly string[], options: ProcessOptions = {}) {
  const command = new CommandProcess(args, options);
  const { code } = await command.exit();
  return { code, stdout: command.stdout, stderr: command.stderr };
}

/** A directory for the files of a test; `remove` it in the end. */
export function temporaryDirectory(): {
  path: string;
  write: (name: string, text: string) => string;
  remove: () => void;
} {
  const path = mkdtempSync(join(tmpdir(), 'fourseven-test-'));
  const write = (name: string, text: string) => {
    writeFileSync(join(path, name), text);
    return join(path, name);
  };
  return { path, write, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A proxy that accepts connections. Stop it in the end. */
export class ProxyProcess extends CommandProcess {
  /** Bound addresses by name of the listener, with the real ports. */
  readonly addresses = new Map<string, string>();
  /** Its configuration. */
  file = '';
  /** `http://…` of the admin API; empty if it is off. */
  adminUrl = '';

  /** Starts `run` and waits for `ready`. Listeners should ask for port 0. Unless the configuration says otherwise, admin does too, and a
   *  drain has no grace. */
  static async start(
    config: ConfigInput,
    options: ProcessOptions = {},
    args: readonly string[] = [],
  ): Promise<ProxyProcess> {
    const directory = temporaryDirectory();
    const file = directory.write('fourseven.json', JSON.stringify({ ...USUAL, ...config }));
    const proxy = new ProxyProcess(['run', file, ...args], options);
    proxy.file = file;
    proxy.exited.then(directory.remove);
    const ended = proxy.exited.then(({ code }) => {
      throw new Error(`the proxy ended with ${code} before it was ready:\n${proxy.stdout}${proxy.stderr}`);
    });
    const ready = until(READY_TIMEOUT_MS, '`ready` from the proxy', () => /^ready$/m.test(proxy.stdout));
    try {
      await Promise.race([ready, ended]);
    } catch (error) {
      proxy.signal('SIGKILL');
      throw error;
    }
    ended.catch(() => {});
    for (const [, name, address] of proxy.stdout.matchAll(/^listener (\S+): \S+ on (\S+) -> /gm)) {
      proxy.addresses.set(name!, address!);
    }
    proxy.adminUrl = /^admin: http on (\S+)$/m.exec(proxy.stdout)?.[1]?.replace(/^/, 'http://') ?? '';
    return proxy;
  }

  /** Another configuration in its file, from the next reload on. */
  rewrite(config: ConfigInput): void {
    writeFileSync(this.file, JSON.stringify({ ...USUAL, ...config }));
  }

  /** Port of a listener. */
  port(listener: string): number {
    const address = this.addresses.get(listener);
    if (address === undefined) throw new Error(`there is no listener ${listener}`);
    return Number(address.slice(address.lastIndexOf(':') + 1));
  }

  /** Answer of the admin API. */
  admin(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.adminUrl}${path}`, { signal: AbortSignal.timeout(5_000), ...init });
  }

  async status(): Promise<Status> {
    return (await (await this.admin('/api/status')).json()) as Status;
  }

  /** Value of a metric line that begins with `start`, or undefined. */
  async metric(start: string): Promise<number | undefined> {
    const text = await (await this.admin('/metrics')).text();
    const line = text.split('\n').find((candidate) => candidate.startsWith(start));
    return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1));
  }

  /** Drains and waits for the exit. */
  stop(): Promise<Exit> {
    this.signal('SIGTERM');
    return this.exit();
  }
}
