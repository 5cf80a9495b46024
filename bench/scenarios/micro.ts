import type { Environment } from '../environment.ts';
import { compile } from '../load/compile.ts';
import { ROOT } from '../paths.ts';
import type { MicroResult } from '../results.ts';
import { median } from '../statistics.ts';

/**
 * Has the single units measured in processes of their own, on the core of the proxies. A unit is as fast as its code and its data happen to be laid
 * out, which one process cannot tell: each sample is of another one. Throws if one does not come to its end.
 */
export async function measureMicro(environment: Environment): Promise<readonly MicroResult[]> {
  return [...(await measureUnits(environment)), ...(await measureRelay(environment))];
}

async function measureUnits({ children, options }: Environment): Promise<readonly MicroResult[]> {
  const addon = `FOURSEVEN_ADDON=${ROOT}build/Release/fourseven.node`;
  const command = ['/usr/bin/env', addon, process.execPath, `${ROOT}build-micro/bench/micro/main.js`];
  const runs: MicroResult[][] = [];
  while (runs.length < options.rounds) {
    const { code, child } = await children.run('micro-benchmarks', command, 'proxy core');
    if (code !== 0) throw new Error(`the micro-benchmarks did not finish:\n${child.stderr}`);
    runs.push(JSON.parse(child.stdout) as MicroResult[]);
  }
  return mergeRuns(runs);
}

/** One sample of each unit for each process, which has measured them in the same order. */
export function mergeRuns(runs: readonly (readonly MicroResult[])[]): MicroResult[] {
  const [first = []] = runs;
  return first.map((unit, index) => ({ ...unit, samples: runs.map((units) => median(units[index]!.samples)) }));
}

async function measureRelay({ children, options, directory }: Environment): Promise<readonly MicroResult[]> {
  const program = await compile(children, 'bench/micro/relay-splice.cc', directory, ['native/splice_pipe.cc']);
  const { code, child } = await children.run('relay-splice', [program, String(options.rounds)], 'proxy core');
  if (code !== 0) throw new Error(`relay-splice did not finish:\n${child.stderr}`);
  return parseRelayOutput(child.stdout);
}

/** Gathers the lines of relay-splice.cc: one result for each way and size. */
export function parseRelayOutput(output: string): MicroResult[] {
  const results: (MicroResult & { readonly samples: number[] })[] = [];
  for (const line of output.trim().split('\n')) {
    const { name, x, ns } = JSON.parse(line) as { name: string; x: number; ns: number };
    const known = results.find((one) => one.name === name && one.x === x);
    if (known === undefined) results.push({ group: 'relay', name, x, samples: [ns] });
    else known.samples.push(ns);
  }
  return results;
}
