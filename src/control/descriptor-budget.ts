/** How many file descriptors each shard may use, so that health, admin and what already runs never find the table full. */
import { readdirSync, readFileSync } from 'node:fs';
import { ProxyError } from '../core/errors.ts';
import type { Addon } from '../engine/binding.ts';

/** Kept free for the control plane: name resolution, files, threads that are replaced. */
const RESERVE = 32;
/** Loop, wake-up and engine of a thread: epoll, eventfd, pipe, timer. Twice, as a replaced thread may still be closing. */
const PER_THREAD = 16;
/** With less, a shard could not carry a handful of connections with their upstream twins. */
const PER_SHARD_MIN = 16;
/** Health checks at a time: each holds a descriptor, and keeps the control plane busy for a moment. */
const CHECKS_PART = 32;
const CHECKS_MIN = 4;
const CHECKS_MAX = 256;
/** Where the platform does not say. The smallest usual soft limit. */
const LIMIT_FALLBACK = 1_024;
const OPEN_FALLBACK = 64;

export interface DescriptorUse {
  /** Open files that this process may have. */
  readonly limit: number;
  /** Open now, listening sockets included. */
  readonly open: number;
  /** Connections that the admin server may hold. */
  readonly admin: number;
  /** Health checks at a time. */
  readonly checks: number;
}

/** Descriptors per shard. Throws ProxyError `no_descriptors` if the limit is too low to work at all. */
export function descriptorsPerShard(use: DescriptorUse, shardCount: number): number {
  const free = use.limit - use.open - use.admin - use.checks - RESERVE;
  const perShard = Math.floor(free / shardCount) - PER_THREAD;
  if (perShard >= PER_SHARD_MIN) return perShard;
  const needed = use.open + use.admin + use.checks + RESERVE + shardCount * (PER_THREAD + PER_SHARD_MIN);
  throw new ProxyError(
    'no_descriptors',
    `the limit of open files is ${use.limit}, too low for ${shardCount} shards (they need ${needed}); raise it (ulimit -n) or lower \`shards\``,
  );
}

/** Reads the limit and what is open now. */
export function readDescriptorUse(addon: Addon | undefined, admin: number): DescriptorUse {
  const limit = addon?.descriptorLimit() ?? limitFromProc();
  return { limit, open: openDescriptors() ?? OPEN_FALLBACK, admin, checks: checksAtOnce(limit) };
}

/** A small part of what there is, so that traffic does not feel it; checks that find no room wait for one another. */
function checksAtOnce(limit: number): number {
  return Math.max(CHECKS_MIN, Math.min(CHECKS_MAX, Math.floor(limit / CHECKS_PART)));
}

/** Open files of this process, or undefined where /proc does not tell. */
export function openDescriptors(): number | undefined {
  try {
    // One of them is the directory that is being read.
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return undefined;
  }
}

function limitFromProc(): number {
  try {
    // proc_pid_limits(5): name, soft limit, hard limit, unit.
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? LIMIT_FALLBACK : Number(soft);
  } catch {
    return LIMIT_FALLBACK;
  }
}
