/** Starts the next process of this proxy, and waits until it accepts. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { ProxyError } from '../../core/errors.ts';
import type { Addon } from '../../engine/binding.ts';
import { type Handover, sendHandover } from './handover.ts';

/** Told to a successor by its environment. */
export const INHERITS_VARIABLE = 'FOURSEVEN_INHERITS';
/** What a successor finds: the socket over which it is given what it inherits, and the pipe in which it says that it is ready. */
export const INHERITANCE_DESCRIPTOR = 3;
export const READY_DESCRIPTOR = 4;
/** Until a successor accepts. */
export const READY_TIMEOUT_MS = 30_000;

/** How this process was started. */
export interface SuccessorCommand {
  readonly file: string;
  readonly args: readonly string[];
}

export class Successor {
  readonly process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.process = process;
  }

  get pid(): number {
    return this.process.pid!;
  }

  /**
   * Resolves when it accepts. Throws ProxyError `upgrade_failed` that says why it does not, with the process ended and nothing changed. `cancelled`:
   * the same, when it aborts.
   */
  static async start(
    command: SuccessorCommand,
    addon: Addon,
    handover: Handover,
    cancelled: AbortSignal,
  ): Promise<Successor> {
    const pair = addon.socketPair();
    if (typeof pair === 'number') throw new ProxyError('upgrade_failed', `no socket can be made: errno ${-pair}`);
    const [ours, theirs] = pair;
    const child = spawn(command.file, command.args, {
      // A group of its own: what is typed at the terminal of this process is not for both.
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', theirs, 'pipe'],
      env: { ...process.env, [INHERITS_VARIABLE]: '1' },
    });
    addon.closeDescriptor(theirs);
    try {
      const ready = whenReady(child, cancelled);
      // Whatever comes first is what is told.
      ready.catch(() => {});
      await Promise.race([sendHandover(addon, ours, handover), ready.then(() => {})]);
      await ready;
      return new Successor(child);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    } finally {
      addon.closeDescriptor(ours);
      (child.stdio[READY_DESCRIPTOR] as Readable).destroy();
      child.unref();
    }
  }
}

function whenReady(child: ChildProcess, cancelled: AbortSignal): Promise<void> {
  const fail = (reason: string) => new ProxyError('upgrade_failed', `the new process ${reason}`);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(fail(`did not get ready within ${READY_TIMEOUT_MS / 1000} s, and was ended`));
    }, READY_TIMEOUT_MS);
    const settle = (call: () => void) => {
      clearTimeout(timer);
      call();
    };
    child.once('error', (error) => settle(() => reject(fail(`could not be started: ${error.message}`))));
    child.once('exit', (code, signal) => {
      settle(() => reject(fail(`ended with ${signal ?? `code ${code}`} before it was ready; its output says why`)));
    });
    cancelled.addEventListener('abort', () => settle(() => reject(fail('was ended: this one is ending, too'))));
    (child.stdio[READY_DESCRIPTOR] as Readable).once('data', () => settle(resolve));
  });
}
