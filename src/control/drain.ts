/** How the proxy ends without hurting anybody. */
import type { EventLog } from './event-log.ts';

export interface DrainOptions {
  /** How long listeners still accept, so that a load balancer in front of us sees /readyz turn before connections are refused. */
  readonly graceMs: number;
  /** From the beginning of the drain: what is left then is cut. */
  readonly deadlineMs: number;
  readonly log: EventLog;
}

export interface DrainableShards {
  drain(): void;
  stopAccepting(): Promise<void>;
  close(): Promise<number>;
}

/** Drains and ends the shards. Returns how many connections were cut because the deadline had passed. */
export async function drainShards(shards: DrainableShards, options: DrainOptions): Promise<number> {
  const { graceMs, deadlineMs, log } = options;
  const firstMs = Math.min(graceMs, deadlineMs);
  log.info(`draining: listeners accept for ${firstMs} ms more, what is left after ${deadlineMs} ms is cut`);
  shards.drain();
  await sleep(firstMs);
  log.info('draining: listeners are closed, what runs is finished');
  const finished = shards.stopAccepting().then(() => true);
  const inTime = await before(finished, deadlineMs - firstMs);
  const cut = await shards.close();
  if (inTime) log.info('drained');
  else log.warn(`drain deadline passed: ${cut} connections were cut`);
  return inTime ? 0 : cut;
}

async function before(finished: Promise<boolean>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const inTime = await Promise.race([finished, deadline]);
  clearTimeout(timer);
  return inTime;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
