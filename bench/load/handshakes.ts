import { type ChildProcesses, findProgram } from '../child-processes.ts';
import type { LoadResult, LoadTarget } from './load.ts';

/** Each is busy with its own half of every handshake, so that more would only wait for the core. */
const PROCESSES = 4;

/** Reads what `openssl s_time` says. Throws where it made no connection. */
export function parseTimeOutput(output: string): { readonly connections: number; readonly resumed: number } {
  const counts = [...output.matchAll(/^([0-9]+) connections in [0-9]+ real seconds/gm)];
  const connections = Number(counts.at(-1)?.[1] ?? 0);
  if (connections === 0) throw new Error(`openssl s_time made no connection:\n${output}`);
  // A letter for each: `*` for a whole handshake (`t` of old versions), `r` for a resumed one.
  const letters = output.split('\n').find((line) => /^[*rt]+$/.test(line)) ?? '';
  return { connections, resumed: [...letters].filter((letter) => letter === 'r').length };
}

/** A connection for each request, by `openssl s_time`. */
export async function runHandshakes(children: ChildProcesses, target: LoadTarget): Promise<LoadResult> {
  const openssl = findProgram('openssl');
  if (openssl === undefined) throw new Error('install OpenSSL, on Debian: apt-get install openssl');
  const { host, pathname } = new URL(target.url);
  const kind = target.kind === 'resumed' ? '-reuse' : '-new';
  const command = [openssl, 's_time', '-connect', host, kind, '-www', pathname, '-time', String(target.seconds)];
  const runs = Array.from({ length: PROCESSES }, async () => {
    const { child } = await children.run('openssl s_time', command, 'load core');
    return parseTimeOutput(child.stdout + child.stderr);
  });
  const all = await Promise.all(runs);
  const sum = (key: 'connections' | 'resumed') => all.reduce((total, one) => total + one[key], 0);
  const requests = sum('connections');
  const whole = requests - sum('resumed');
  const isWrong = target.kind === 'resumed' && whole > PROCESSES + requests / 100;
  return {
    requests,
    seconds: target.seconds,
    problems: isWrong ? [`${whole} handshakes that were not resumed`] : [],
  };
}
