import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Processor time since the start of a process, or between two readings. */
export interface ProcessorTime {
  readonly userUs: number;
  readonly systemUs: number;
}

/** The fields of /proc/PID/stat that matter here. Ticks are those of sysconf(_SC_CLK_TCK). */
export interface ProcessStat {
  readonly pid: number;
  readonly processGroup: number;
  readonly userTicks: number;
  readonly systemTicks: number;
}

/** USER_HZ is 100 on every Linux architecture that Node runs on; asked all the same (proc(5)). */
const USUAL_TICKS_PER_SECOND = 100;

/**
 * Reads one line of /proc/PID/stat (proc(5)). The name of the command is in parentheses and may itself hold spaces and
 * parentheses, so the fields are counted from the last one. Times are those of the whole process: all threads, also ended
 * ones. Throws on anything else.
 */
export function parseProcessStat(line: string): ProcessStat {
  const nameEnd = line.lastIndexOf(')');
  const pid = Number.parseInt(line, 10);
  // The first of these is field 3 of proc(5), the state.
  const fields = line.slice(nameEnd + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3] ?? Number.NaN);
  const stat = { pid, processGroup: field(5), userTicks: field(14), systemTicks: field(15) };
  if (nameEnd < 0 || Object.values(stat).some(Number.isNaN)) throw new Error(`not a line of /proc/PID/stat: ${line}`);
  return stat;
}

/** The time between two readings. */
export function elapsed(before: ProcessorTime, after: ProcessorTime): ProcessorTime {
  return { userUs: after.userUs - before.userUs, systemUs: after.systemUs - before.systemUs };
}

/** The living processes of a process group: a subject with all that it has started. */
export function groupMembers(processGroup: number): readonly ProcessStat[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .flatMap((pid) => readStat(pid))
    .filter((stat) => stat.processGroup === processGroup);
}

function readStat(pid: string): ProcessStat[] {
  try {
    return [parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'latin1'))];
  } catch {
    return []; // it has ended since the directory was read
  }
}

/**
 * Processor time of all processes of the group. `ticksPerSecond` is what `askTicksPerSecond` said. Throws if no process is
 * left: a proxy that died has no figure.
 */
export function readProcessorTime(processGroup: number, ticksPerSecond: number): ProcessorTime {
  const members = groupMembers(processGroup);
  if (members.length === 0) throw new Error(`no process is left in process group ${processGroup}`);
  const microseconds = (ticks: (stat: ProcessStat) => number): number =>
    (members.reduce((total, stat) => total + ticks(stat), 0) * 1_000_000) / ticksPerSecond;
  return { userUs: microseconds((stat) => stat.userTicks), systemUs: microseconds((stat) => stat.systemTicks) };
}

/** The kernel's sysconf(_SC_CLK_TCK). */
export function askTicksPerSecond(): number {
  try {
    return Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })) || USUAL_TICKS_PER_SECOND;
  } catch {
    return USUAL_TICKS_PER_SECOND;
  }
}
