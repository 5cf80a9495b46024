import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { type ChildProcesses, findProgram } from '../child-processes.ts';
import { RIVALS } from '../paths.ts';
import { fillTemplate } from '../template.ts';
import type { Availability, Subject } from './subject.ts';

const REMEDY = 'needs root and nftables, on Debian: apt-get install nftables';

/**
 * Destination NAT of the kernel, for connections of this machine: a connection goes straight to the origin, and each of its packets has its addresses
 * re-written. There is no process, so that its price is in the processor time of the whole machine alone.
 */
export function dnat(children: ChildProcesses): Subject {
  const program = findProgram('nft') ?? 'nft';
  return {
    name: 'dnat',
    layers: ['l4'],
    messages: true,
    configuration: 'bench/rivals/dnat.nft',
    probe: () => probe(children, program),
    prepare: async ({ directory, listenPort, originPort }) => {
      const table = `fourseven_bench_${listenPort}`;
      const file = `${directory}/dnat.nft`;
      await writeFile(
        file,
        fillTemplate(await readFile(`${RIVALS}/dnat.nft`, 'utf8'), { table, listenPort, originPort }),
      );
      await run(children, [program, '-f', file]);
      return { port: listenPort, end: onceAndAtExit(() => execFileSync(program, ['delete', 'table', 'ip', table])) };
    },
  };
}

/** A run that is interrupted leaves no table behind, either. */
function onceAndAtExit(remove: () => void): () => Promise<void> {
  process.once('exit', remove);
  return async () => {
    process.off('exit', remove);
    remove();
  };
}

async function probe(children: ChildProcesses, program: string): Promise<Availability> {
  if (process.getuid?.() !== 0 || findProgram('nft') === undefined) return { available: false, remedy: REMEDY };
  const { code, child } = await children.run('nft', [program, '--version'], 'load core');
  const version = /v([0-9.]+)/.exec(child.stdout)?.[1] ?? '';
  return code === 0 ? { available: true, version: `nftables ${version}` } : { available: false, remedy: REMEDY };
}

async function run(children: ChildProcesses, command: readonly string[]): Promise<void> {
  const { code, child } = await children.run('nft', command, 'load core');
  if (code !== 0) throw new Error(`nft does not do it: ${child.stderr.trim()}`);
}
