import type { Environment } from '../environment.ts';
import { ROOT } from '../paths.ts';
import type { MicroResult } from '../results.ts';

/** Has the single units measured in a process of their own, on the core of the proxies. Throws if that does not come to its end. */
export async function measureMicro({ children }: Environment): Promise<readonly MicroResult[]> {
  const addon = `FOURSEVEN_ADDON=${ROOT}build/Release/fourseven.node`;
  const command = ['/usr/bin/env', addon, process.execPath, `${ROOT}build-micro/bench/micro/main.js`];
  const { code, child } = await children.run('micro-benchmarks', command, 'proxy core');
  if (code !== 0) throw new Error(`the micro-benchmarks did not finish:\n${child.stderr}`);
  return JSON.parse(child.stdout) as MicroResult[];
}
