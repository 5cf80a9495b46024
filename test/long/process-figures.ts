/** What a process costs, from Linux's /proc, and what a series of samples says. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const TICK_MS = 10;

/** User and system time of a process in milliseconds: fields 14 and 15 of proc_pid_stat(5). */
export function processorMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Share of one core that a process uses during `ms`. */
export async function processorShare(pid: number, ms: number): Promise<number> {
  const beforeMs = processorMs(pid);
  const startMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, ms));
  return (processorMs(pid) - beforeMs) / (performance.now() - startMs);
}

/** Open descriptors. Pipes are apart: the engine keeps some for the next stream. */
export function openDescriptors(pid: number): { pipes: number; others: number } {
  let pipes = 0;
  let others = 0;
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    if (linkTarget(`/proc/${pid}/fd/${fd}`).startsWith('pipe:')) pipes++;
    else others++;
  }
  return { pipes, others };
}

function linkTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // Closed since it was listed.
  }
}

export interface Sample {
  readonly atMs: number;
  readonly value: number;
}

/** Growth per minute: the slope of the line of least squares. */
export function slopePerMinute(samples: readonly Sample[]): number {
  const meanMs = samples.reduce((sum, { atMs }) => sum + atMs, 0) / samples.length;
  const mean = samples.reduce((sum, { value }) => sum + value, 0) / samples.length;
  let covariance = 0;
  let variance = 0;
  for (const { atMs, value } of samples) {
    covariance += (atMs - meanMs) * (value - mean);
    variance += (atMs - meanMs) ** 2;
  }
  return (covariance / variance) * 60_000;
}
