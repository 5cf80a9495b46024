/** The mixed load of the soak, a process of its own. Runs until it is told to stop, and ends what it has begun. */
import { childArgument, serveParent } from '../child.ts';
import type { Failures } from '../failures.ts';
import { startAborts } from './aborts.ts';
import { startHostile } from './hostile.ts';
import { Pacer } from './pacer.ts';
import { startRawRequests } from './raw-requests.ts';
import { startRequests } from './requests.ts';
import { startSessions } from './sessions.ts';
import { Tally } from './tally.ts';

export interface LoadTarget {
  readonly web: number;
  readonly raw: number;
}

export interface LoadReport {
  readonly done: Readonly<Record<string, number>>;
  readonly failures: Failures;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly skippedCount: number;
  readonly longestStallMs: number;
}

const { web, raw } = childArgument<LoadTarget>();
const pacer = new Pacer();
const tally = new Tally();
startRequests(web, pacer, tally);
startRawRequests(web, pacer, tally);
startSessions(raw, pacer, tally);
startAborts(web, raw, pacer, tally);
startHostile(web, pacer, tally);

serveParent({}, async (): Promise<LoadReport> => {
  await pacer.stop();
  const { done, failures, receivedBytes, sentBytes } = tally;
  const { skippedCount, longestStallMs } = pacer;
  return { done, failures, receivedBytes, sentBytes, skippedCount, longestStallMs };
});
