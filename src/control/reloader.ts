/**
 * Takes new configurations, one at a time. A bad one changes nothing and is remembered, with what is wrong with it, until a good one comes.
 * What is asked for during a reload is done once more after it: a file that has changed meanwhile is read again, once.
 */
import type { Config } from '../config/config.ts';
import type { Problem } from '../config/problem.ts';
import type { ConfigResult } from '../config/validate-config.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import { ProxyError } from '../core/errors.ts';
import type { EventCounters } from '../observe/event-counters.ts';
import type { EventLog } from './event-log.ts';

export interface Rejection {
  /** ISO time. */
  readonly at: string;
  readonly problems: readonly string[];
}

export interface ReloadOutcome {
  /** Counts the configurations that were in force, this one included. */
  readonly configVersion: number;
  /** Why the new one is not. */
  readonly rejected: Rejection | null;
}

export interface ReloaderOptions {
  /** Reads the configuration anew. Undefined: there is nothing to read. */
  readonly load?: (() => Promise<ConfigResult>) | undefined;
  /** Puts a configuration in force. Throws a ProxyError that says why not; then the old one is. */
  readonly apply: (config: Config) => Promise<void>;
  readonly log: EventLog;
  readonly counters?: EventCounters;
  /** Told when a reload begins and when it is over. */
  readonly onReload?: (phase: 'begun' | 'over') => void;
  readonly clock?: Clock;
}

export class Reloader {
  readonly #options: ReloaderOptions;
  readonly #clock: Clock;
  #version = 1;
  #rejected: Rejection | null = null;
  #running: Promise<ReloadOutcome> | undefined;
  #next: Promise<ReloadOutcome> | undefined;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  get outcome(): ReloadOutcome {
    return { configVersion: this.#version, rejected: this.#rejected };
  }

  /** Whether there is something to read anew. */
  get hasSource(): boolean {
    return this.#options.load !== undefined;
  }

  /** Reads the configuration anew and puts it in force. Never throws: the outcome says it all. */
  reload(): Promise<ReloadOutcome> {
    const load = this.#options.load ?? nothingToRead;
    if (this.#running === undefined) return this.#run(() => this.#reloadFrom(load));
    // Whoever asks now has perhaps just written the file: what is running may have read the old one.
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#run(() => this.#reloadFrom(load));
    });
    return this.#next;
  }

  /** As `reload`, from another source, after what is running. */
  async reloadFrom(load: () => Promise<ConfigResult>): Promise<ReloadOutcome> {
    while (this.#running !== undefined) await this.#running;
    return this.#run(() => this.#reloadFrom(load));
  }

  /** Puts this configuration in force, after what is running. Throws what speaks against it. */
  async take(config: Config): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    let failure: unknown;
    await this.#run(async () => {
      failure = await this.#failureOf(config, []);
      return failure === undefined ? this.outcome : this.#reject(problemsOf(failure));
    });
    if (failure !== undefined) throw failure;
  }

  #run(work: () => Promise<ReloadOutcome>): Promise<ReloadOutcome> {
    this.#options.onReload?.('begun');
    const running = work().finally(() => {
      this.#options.onReload?.('over');
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }

  async #reloadFrom(load: () => Promise<ConfigResult>): Promise<ReloadOutcome> {
    const result = await load();
    if (result.config === undefined) return this.#reject(result.problems.map(oneLine));
    const failure = await this.#failureOf(result.config, result.warnings.map(oneLine));
    return failure === undefined ? this.outcome : this.#reject(problemsOf(failure));
  }

  /** Puts a configuration in force. Returns what speaks against it, or undefined. */
  async #failureOf(config: Config, warnings: readonly string[]): Promise<unknown> {
    const { apply, log } = this.#options;
    const beganMs = this.#clock.nowMs();
    try {
      await apply(config);
    } catch (error) {
      return error;
    }
    this.#version += 1;
    this.#rejected = null;
    this.#options.counters?.count('fourseven_reloads_total', { result: 'accepted' });
    for (const warning of warnings) log.warn(`reload: ${warning}`);
    log.info(
      `reload: configuration ${this.#version} is in force after ${Math.round(this.#clock.nowMs() - beganMs)} ms`,
    );
    return undefined;
  }

  #reject(problems: readonly string[]): ReloadOutcome {
    const { log } = this.#options;
    this.#rejected = { at: new Date(this.#clock.wallMs()).toISOString(), problems };
    this.#options.counters?.count('fourseven_reloads_total', { result: 'rejected' });
    for (const problem of problems) log.error(`reload: ${problem}`);
    log.error(`reload: configuration ${this.#version} stays in force`);
    return this.outcome;
  }
}

async function nothingToRead(): Promise<ConfigResult> {
  const problem = {
    severity: 'error',
    path: '',
    message: 'there is no file to read',
    remedy: 'start the proxy with one',
  } as const;
  return { problems: [problem], warnings: [] };
}

function problemsOf(failure: unknown): readonly string[] {
  if (failure instanceof ProxyError) return failure.message.split('\n');
  return [`failed unexpectedly: ${failure instanceof Error ? failure.message : failure}`];
}

function oneLine({ path, line, message, remedy }: Problem): string {
  const where = [path, ...(line === undefined ? [] : [`line ${line}`])].filter((part) => part !== '').join(', ');
  return `${where === '' ? '' : `${where}: `}${message}; ${remedy}`;
}
