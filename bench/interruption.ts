import { constants } from 'node:os';

/** The user, or the system, wants the suite to end. */
export class Interruption extends Error {
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`ended by ${signal}`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

/** Rejects with an Interruption at the first signal. Later ones change nothing: the end is on its way, and has a deadline. */
export function untilInterrupted(): Promise<never> {
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => reject(new Interruption(signal)));
    }
  });
  interrupted.catch(() => {}); // it may come before somebody waits for it
  return interrupted;
}
