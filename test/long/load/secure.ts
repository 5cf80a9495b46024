/** Clients that speak TLS, a process of its own: kept connections, fresh ones, and fresh ones that resume a session. Nothing may fail. */
import { Agent } from 'node:https';
import { askSecurely } from '../../integration/tls-client.ts';
import { childArgument, serveParent } from '../child.ts';
import { Pacer } from './pacer.ts';
import { Tally } from './tally.ts';

const AT_ONCE_MAX = 200;
const CONNECTIONS = 16;

export interface SecureOrder {
  readonly port: number;
  readonly servername: string;
  /** PEM. */
  readonly ca: string;
  /** Requests per second. */
  readonly kept?: number;
  readonly fresh?: number;
  readonly resumed?: number;
}

export interface SecureReport {
  readonly done: Readonly<Record<string, number>>;
  readonly failures: readonly string[];
  readonly resumedCount: number;
  readonly skippedCount: number;
}

const { port, servername, ca, kept = 0, fresh = 0, resumed = 0 } = childArgument<SecureOrder>();
const pacer = new Pacer();
const tally = new Tally();
const failures: string[] = [];
let resumedCount = 0;

function start(kind: string, perSecond: number, agent: Agent): void {
  pacer.every(perSecond, AT_ONCE_MAX, async () => {
    const id = tally.nextId(kind);
    const problem = await askSecurely(port, { servername, ca, agent, path: `/${id}` }).then(
      ({ status, text, isResumed }) => {
        if (isResumed) resumedCount++;
        return status === 200 && text.includes(id) ? '' : `${id} was answered with ${status} and ${text.slice(0, 50)}`;
      },
      (error: Error) => error.message,
    );
    tally.count(kind, problem);
    if (problem !== '') failures.push(`${kind}: ${problem}`);
  });
}

start('kept', kept, new Agent({ keepAlive: true, maxSockets: CONNECTIONS, scheduling: 'fifo' }));
start('fresh', fresh, new Agent({ keepAlive: false, maxCachedSessions: 0 }));
start('resumed', resumed, new Agent({ keepAlive: false }));

serveParent({}, async (): Promise<SecureReport> => {
  await pacer.stop();
  return { done: tally.done, failures, resumedCount, skippedCount: pacer.skippedCount };
});
