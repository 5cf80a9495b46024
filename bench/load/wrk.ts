import { type ChildProcesses, findProgram } from '../child-processes.ts';
import { ROOT } from '../paths.ts';
import { PIPELINE_DEPTH } from '../vocabulary.ts';
import { runHandshakes } from './handshakes.ts';
import { type LoadGenerator, type LoadResult, type LoadTarget, problemsOf } from './load.ts';

interface Summary {
  readonly requests: number;
  readonly durationUs: number;
  readonly connect: number;
  readonly read: number;
  readonly write: number;
  /** Answers with a status above 399. */
  readonly status: number;
  readonly timeout: number;
}

/** Reads the line that `wrk-load.lua` adds to wrk's output. Throws if it is missing: wrk did not come to its end. */
export function parseWrkOutput(output: string): LoadResult {
  const line = /^summary (\{.*\})$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`wrk did not finish:\n${output}`);
  const summary = JSON.parse(line) as Summary;
  return {
    requests: summary.requests,
    seconds: summary.durationUs / 1_000_000,
    problems: problemsOf({
      'connect errors': summary.connect,
      'read errors': summary.read,
      'write errors': summary.write,
      timeouts: summary.timeout,
      'answers that are not 2xx or 3xx': summary.status,
    }),
  };
}

/** wrk with one thread, or undefined where it is not installed. */
export async function findWrk(children: ChildProcesses): Promise<LoadGenerator | undefined> {
  const wrk = findProgram('wrk');
  if (wrk === undefined) return undefined;
  const { child } = await children.run('wrk', [wrk, '--version'], 'load core');
  const version = /^wrk (\S+)/m.exec(child.stdout)?.[1] ?? '';
  return {
    name: `wrk ${version}`.trim(),
    run: (target) =>
      target.kind === 'full' || target.kind === 'resumed'
        ? runHandshakes(children, target)
        : runWrk(children, wrk, target),
  };
}

async function runWrk(children: ChildProcesses, wrk: string, target: LoadTarget): Promise<LoadResult> {
  const options = ['-t1', `-c${target.connections}`, `-d${target.seconds}s`, '-s', `${ROOT}bench/load/wrk-load.lua`];
  const close = target.kind === 'fresh' ? ['-H', 'Connection: close'] : [];
  const more =
    target.kind === 'pipelined'
      ? ['pipelined', String(PIPELINE_DEPTH)]
      : target.uploadFile === undefined
        ? []
        : ['upload', target.uploadFile];
  const { child } = await children.run('wrk', [wrk, ...options, ...close, target.url, '--', ...more], 'load core');
  return parseWrkOutput(child.stdout + child.stderr);
}
