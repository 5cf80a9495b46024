import { fileURLToPath } from 'node:url';
import { decodeFromCompressedBase64, type Histogram } from 'hdr-histogram-js';
import type { ChildProcesses } from '../../child-processes.ts';
import { makeHistogram } from './generator.ts';

export interface Order {
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  /** In the mean; or as many as are answered. */
  readonly ratePerSecond: number | 'saturating';
  /** Sent as well, and not measured. */
  readonly warmUpSeconds: number;
  readonly seconds: number;
  readonly seed: number;
}

export interface Report {
  readonly answeredPerSecond: number;
  /** Histograms of microseconds, in the interchange format of HdrHistogram (V2, compressed, base64), so that runs can be merged. */
  readonly latency: string;
  readonly lateness: string;
  /** What makes it invalid, in words. */
  readonly problems: readonly string[];
}

/** Runs the generator in a process of its own. Throws if it does not come to its end. */
export async function runOpenLoop(children: ChildProcesses, order: Order): Promise<Report> {
  const script = fileURLToPath(new URL('./program.js', import.meta.url));
  const command = [process.execPath, script, JSON.stringify(order)];
  const { code, child } = await children.run('open-loop generator', command, 'generator core');
  if (code !== 0) throw new Error(`the open-loop generator did not finish:\n${child.stderr}`);
  return JSON.parse(child.stdout) as Report;
}

/** All recorded values of several runs in one: percentiles are taken of that, never averaged. */
export function mergeHistograms(encoded: readonly string[]): Histogram {
  const merged = makeHistogram();
  for (const one of encoded) merged.add(decodeFromCompressedBase64(one));
  return merged;
}
