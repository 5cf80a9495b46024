import { ProxyError } from '../../core/errors.ts';
import type { Addon } from '../../engine/binding.ts';
import { deferred } from '../deferred.ts';
import type { EventLog } from '../event-log.ts';
import type { Handover } from './handover.ts';
import { Successor, type SuccessorCommand } from './successor.ts';

export interface UpgraderOptions {
  readonly log: EventLog;
  /** Hands over sockets; undefined where it is missing. */
  readonly addon: Addon | undefined;
  /** How a successor is started. Undefined: there can be none. */
  readonly command: SuccessorCommand | undefined;
  /** Runs `work` while nothing changes the sockets. */
  readonly exclusively: <Result>(work: () => Promise<Result>) => Promise<Result>;
  /** What a successor is given. Throws ProxyError `draining` where there is nothing to give any more. */
  readonly handover: () => Handover;
  /** A successor accepts: what it has taken over is no longer ours. */
  readonly onTakenOver: () => void;
}

/** Lets one process take over from another. One attempt at a time; one that fails leaves everything as it was. */
export class Upgrader {
  readonly #options: UpgraderOptions;
  readonly #cancelled = new AbortController();
  readonly #handedOver = deferred<Successor>();
  #running: Promise<Successor> | undefined;
  #isTakenOver = false;

  constructor(options: UpgraderOptions) {
    this.#options = options;
  }

  /** Whether there can be a successor, as far as how this process was started goes. */
  get isPossible(): boolean {
    return this.#options.command !== undefined;
  }

  /** Resolves when a successor has taken over. */
  get handedOver(): Promise<Successor> {
    return this.#handedOver.promise;
  }

  /** Resolves to the pid of the successor when it accepts. Throws ProxyError `upgrade_failed` or `draining`. Called meanwhile, it waits for the same. */
  async upgrade(): Promise<number> {
    if (this.#isTakenOver) throw new ProxyError('draining', 'another process has taken over from this one');
    this.#running ??= this.#run();
    return (await this.#running).pid;
  }

  /** This process ends: a successor that has not taken over ends, too. */
  cancel(): void {
    this.#cancelled.abort();
  }

  async #run(): Promise<Successor> {
    const { log, exclusively, onTakenOver } = this.#options;
    log.info('upgrade: a successor is started');
    try {
      const successor = await exclusively(() => this.#start());
      this.#isTakenOver = true;
      onTakenOver();
      log.info(`upgrade: process ${successor.pid} accepts, this one drains`);
      this.#handedOver.resolve(successor);
      return successor;
    } catch (error) {
      this.#running = undefined;
      if (error instanceof ProxyError) log.error(`upgrade: ${error.message}; everything is as before`);
      throw error;
    }
  }

  async #start(): Promise<Successor> {
    const { addon, command, handover } = this.#options;
    if (command === undefined) throw new ProxyError('upgrade_failed', 'this proxy was not started by `fourseven run`');
    if (addon === undefined) {
      throw new ProxyError('upgrade_failed', 'sockets are handed over by the addon, which is missing');
    }
    return Successor.start(command, addon, handover(), this.#cancelled.signal);
  }
}
