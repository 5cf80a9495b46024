/** A client at an even pace, a process of its own: whether others make it wait shows in nobody else's time. */
import { Agent } from 'node:http';
import { childArgument, serveParent } from '../child.ts';
import type { Failures } from '../failures.ts';
import { problemOf } from './ask.ts';
import { Pacer } from './pacer.ts';
import { Tally } from './tally.ts';

const SIZE = 1024;
const CONNECTIONS = 16;

export interface HealthyOrder {
  readonly port: number;
  readonly perSecond: number;
}

export interface HealthyReport {
  readonly doneCount: number;
  readonly failures: Failures;
  /** Requests that were not begun because a second's worth of others waited for their answers. */
  readonly skippedCount: number;
  readonly slowestMs: number;
  /** 99 of 100 were quicker. */
  readonly p99Ms: number;
}

const { port, perSecond } = childArgument<HealthyOrder>();
const pacer = new Pacer();
const tally = new Tally();
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS, scheduling: 'fifo' });
const tookMs: number[] = [];

pacer.every(perSecond, perSecond, async () => {
  const startMs = performance.now();
  const id = tally.nextId('healthy');
  await tally.run('healthy', () => problemOf({ port, agent, tally, kind: 'healthy', size: SIZE, id }));
  tookMs.push(performance.now() - startMs);
});

serveParent({}, async (): Promise<HealthyReport> => {
  await pacer.stop();
  const { failures, done } = tally;
  tookMs.sort((a, b) => a - b);
  const [slowestMs = 0] = tookMs.slice(-1);
  const p99Ms = tookMs[Math.floor(tookMs.length * 0.99)] ?? slowestMs;
  return { doneCount: done.healthy ?? 0, failures, skippedCount: pacer.skippedCount, slowestMs, p99Ms };
});
