/** What the kernel counts besides processor time: of the whole machine, of the loopback device, of a subject's threads. */
import { readdirSync, readFileSync } from 'node:fs';
import { groupMembers, readProcessorTime } from './processor-time.ts';

/** Counts since the machine, or a process, was started; or between two readings. */
export interface SystemCounters {
  /** Processor time of everything on the machine: proxy, load, origin, the kernel's own threads. */
  readonly machineUs: number;
  /**
   * Packets that passed through the loopback device, as the kernel's stack handled them: one of up to 64 KiB counts as one, since it costs what one costs. Both
   * legs and both directions, with acknowledgements. The machine is expected to do nothing else.
   */
  readonly packets: number;
  /** Bytes of these packets with their headers. */
  readonly packetBytes: number;
  /** Processor time of the origin. */
  readonly originUs: number;
  /** Context switches of the subject's threads, voluntary or not. */
  readonly contextSwitches: number;
}

/**
 * Ticks that the processors were busy, from the first line of /proc/stat (proc(5)): user, nice, system, irq, softirq. Not idle, iowait and steal;
 * guest time is part of user. Throws on anything else.
 */
export function parseBusyTicks(stat: string): number {
  const fields = /^cpu +([0-9 ]+)$/m.exec(stat)?.[1]?.split(' ').map(Number) ?? [];
  const [user, nice, system, , , irq, softirq] = fields;
  const busy = [user, nice, system, irq, softirq]
    .map((ticks) => ticks ?? Number.NaN)
    .reduce((sum, ticks) => sum + ticks, 0);
  if (Number.isNaN(busy)) throw new Error('/proc/stat has no line "cpu" as expected');
  return busy;
}

/** Ticks that the hypervisor gave the processors to others while they had work, from the same line: `steal`. 0 on a machine that does not know it. */
export function parseStolenTicks(stat: string): number {
  return Number(/^cpu +(?:[0-9]+ ){7}([0-9]+)/m.exec(stat)?.[1] ?? 0);
}

/** Milliseconds that were stolen since the machine was started, of all processors together. */
export function readStolenMs(ticksPerSecond: number): number {
  return (parseStolenTicks(readFileSync('/proc/stat', 'latin1')) * 1000) / ticksPerSecond;
}

/** What a device has received, from /proc/net/dev (proc(5)). What loopback sends it receives. Throws if there is no such device. */
export function parseDevice(dev: string, name: string): { readonly packets: number; readonly bytes: number } {
  const line = dev.split('\n').find((text) => text.trimStart().startsWith(`${name}:`));
  const [bytes, packets] =
    line
      ?.slice(line.indexOf(':') + 1)
      .trim()
      .split(/ +/)
      .map(Number) ?? [];
  if (bytes === undefined || packets === undefined || Number.isNaN(bytes + packets)) {
    throw new Error(`/proc/net/dev has no counters of ${name}`);
  }
  return { packets, bytes };
}

/** Voluntary and other switches of one thread, from /proc/PID/task/TID/status (proc(5)). */
export function parseContextSwitches(status: string): number {
  const counts = [...status.matchAll(/^(?:non)?voluntary_ctxt_switches:\s+([0-9]+)$/gm)].map(([, count]) =>
    Number(count),
  );
  if (counts.length !== 2) throw new Error('no context switches in /proc/PID/task/TID/status');
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Process groups of the subject, if it has one, and of the origin; `ticksPerSecond`: what `askTicksPerSecond` said. */
export function readSystemCounters(
  processGroup: number | undefined,
  originGroup: number,
  ticksPerSecond: number,
): SystemCounters {
  const origin = readProcessorTime(originGroup, ticksPerSecond);
  const device = parseDevice(readFileSync('/proc/net/dev', 'latin1'), 'lo');
  return {
    machineUs: (parseBusyTicks(readFileSync('/proc/stat', 'latin1')) * 1_000_000) / ticksPerSecond,
    packets: device.packets,
    packetBytes: device.bytes,
    originUs: origin.userUs + origin.systemUs,
    contextSwitches: (processGroup === undefined ? [] : groupMembers(processGroup))
      .flatMap(({ pid }) => threadSwitches(pid))
      .reduce((sum, count) => sum + count, 0),
  };
}

function threadSwitches(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) =>
      parseContextSwitches(readFileSync(`/proc/${pid}/task/${thread}/status`, 'latin1')),
    );
  } catch {
    return []; // it has ended since the directory was read
  }
}

/** The counts between two readings. */
export function countersBetween(before: SystemCounters, after: SystemCounters): SystemCounters {
  return {
    machineUs: after.machineUs - before.machineUs,
    packets: after.packets - before.packets,
    packetBytes: after.packetBytes - before.packetBytes,
    originUs: after.originUs - before.originUs,
    contextSwitches: after.contextSwitches - before.contextSwitches,
  };
}
