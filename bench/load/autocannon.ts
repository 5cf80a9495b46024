import { createRequire } from 'node:module';
import type { ChildProcesses } from '../child-processes.ts';
import { PIPELINE_DEPTH } from '../vocabulary.ts';
import { type LoadGenerator, type LoadResult, type LoadTarget, problemsOf } from './load.ts';

/** What it moves on a slow core at least. In less time than all connections need for a body each, hardly one would arrive whole. */
const BYTES_PER_SECOND = 16 * 1024 * 1024;

/**
 * With a connection for each request, the share of requests that may end in a socket error. autocannon sends the next request at once, even behind an answer
 * that said `Connection: close`. What closes its socket after the answer resets that now and then (1 of 10,000), and autocannon counts an error although no
 * answer was lost.
 */
const OWN_ERRORS_SHARE = 0.001;

/** The part of `autocannon --json` that is used. Its latencies are whole milliseconds: they are not. */
interface Summary {
  readonly duration: number;
  readonly errors: number;
  readonly timeouts: number;
  readonly resets: number;
  readonly non2xx: number;
  readonly '2xx': number;
}

/** Reads what `autocannon --json` printed. Throws if that is no summary. `kind`: what it was asked to do. */
export function parseAutocannonOutput(output: string, kind: LoadTarget['kind']): LoadResult {
  const summary = JSON.parse(output) as Partial<Summary>;
  const { duration = 0, errors = 0, timeouts = 0, resets = 0, non2xx = 0, '2xx': good } = summary;
  if (good === undefined || duration <= 0) throw new Error(`not a summary of autocannon: ${output.slice(0, 200)}`);
  // Timeouts are counted among its errors.
  const socketErrors = errors - timeouts;
  const isItsOwn = kind === 'fresh' && socketErrors <= good * OWN_ERRORS_SHARE;
  return {
    requests: good,
    seconds: duration,
    problems: problemsOf({
      'socket errors': isItsOwn ? 0 : socketErrors,
      timeouts,
      resets,
      'answers that are not 2xx': non2xx,
    }),
  };
}

/** How long it runs. */
export function secondsOf({ connections, bodyBytes, seconds }: Omit<LoadTarget, 'url' | 'kind'>): number {
  return Math.max(seconds, Math.ceil((connections * bodyBytes) / BYTES_PER_SECOND));
}

/** autocannon in a process of its own, so that it shares no event loop with anything that is measured. */
export function findAutocannon(children: ChildProcesses): LoadGenerator {
  const require = createRequire(import.meta.url);
  const script = require.resolve('autocannon/autocannon.js');
  const { version } = require('autocannon/package.json') as { version: string };
  return { name: `autocannon ${version}`, run: (target) => runAutocannon(children, script, target) };
}

async function runAutocannon(children: ChildProcesses, script: string, target: LoadTarget): Promise<LoadResult> {
  const options = ['--json', '--no-progress', '-c', `${target.connections}`, '-d', `${secondsOf(target)}`];
  if (target.kind === 'fresh') options.push('-H', 'Connection=close');
  if (target.kind === 'pipelined') options.push('-p', String(PIPELINE_DEPTH));
  if (target.uploadFile !== undefined) options.push('-m', 'POST', '-i', target.uploadFile);
  const command = [process.execPath, script, ...options, target.url];
  const { child } = await children.run('autocannon', command, 'load core');
  return parseAutocannonOutput(child.stdout, target.kind);
}
