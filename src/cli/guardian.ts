/**
 * A process that somebody waits for (the first one of a container, a child of `npm start`) must not end when a successor takes over: it stays, passes
 * on what it is told, and ends as its successor does.
 */
import type { ChildProcess } from 'node:child_process';
import { ExitCode, type ExitCodeValue } from './exit-code.ts';

const PASSED_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;
/** Tells a successor that its predecessor waits for it: it has to wait for its own, too. */
const GUARDED_VARIABLE = 'FOURSEVEN_GUARDED';
const FIRST_PID = 1;

export function isWaitedFor(env: NodeJS.ProcessEnv = process.env): boolean {
  const isGuarded = process.pid === FIRST_PID || process.channel != null || env[GUARDED_VARIABLE] === '1';
  if (isGuarded) env[GUARDED_VARIABLE] = '1';
  return isGuarded;
}

/** Passes signals on from now on. Resolves to the exit code of the successor. */
export function guard(successor: ChildProcess): { readonly ended: Promise<ExitCodeValue> } {
  for (const signal of PASSED_SIGNALS) {
    process.removeAllListeners(signal);
    process.on(signal, () => successor.kill(signal));
  }
  successor.ref();
  const ended = new Promise<ExitCodeValue>((resolve) => {
    if (successor.exitCode !== null) resolve(codeOf(successor.exitCode));
    successor.once('exit', (code) => resolve(codeOf(code)));
  });
  return { ended };
}

function codeOf(code: number | null): ExitCodeValue {
  return Object.values(ExitCode).find((known) => known === code) ?? ExitCode.FAILED;
}
