import { readFileSync } from 'node:fs';
import { groupMembers } from './processor-time.ts';

/** Reads the proportional set size out of /proc/PID/smaps_rollup (proc(5)), in bytes. Throws if it is not there. */
export function parsePssBytes(smapsRollup: string): number {
  const kib = /^Pss:\s+([0-9]+) kB$/m.exec(smapsRollup)?.[1];
  if (kib === undefined) throw new Error('no line "Pss:" in smaps_rollup');
  return Number(kib) * 1024;
}

/** Memory of all processes of the group: what each has alone, plus its share of what it has in common with others. */
export function readPssBytes(processGroup: number): number {
  return groupMembers(processGroup)
    .map((stat) => parsePssBytes(readFileSync(`/proc/${stat.pid}/smaps_rollup`, 'latin1')))
    .reduce((total, bytes) => total + bytes, 0);
}
