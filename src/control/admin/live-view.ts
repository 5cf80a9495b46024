/**
 * What happens now, for people who look: rates and latencies of the last moments, made of the difference between two looks at the counters. Looks once
 * a second while somebody watches, and every few seconds otherwise, so that there is a history to begin with.
 */
import type { ShardSnapshot } from '../../contract/messages.ts';
import type { LatencySample, Sample } from '../../observe/counter-totals.ts';
import {
  addLatencies,
  type LatencyCounts,
  latenciesSince,
  latencyQuantileMs,
} from '../../observe/latency-histogram.ts';
import type { MetricName } from '../../observe/metric-catalog.ts';
import type { RecentEvent } from '../recent-events.ts';
import type { Status } from './status.ts';

const WATCHED_INTERVAL_MS = 1_000;
const UNWATCHED_INTERVAL_MS = 5_000;
/** Five minutes without anybody watching, one with. */
const HISTORY_MAX = 60;
/** Each is a timer's worth of work and some kilobytes per second. */
export const WATCHERS_MAX = 16;

/** Numbers per second, and milliseconds. Latencies are null where nothing was measured. */
export interface ListenerLoad {
  readonly name: string;
  /** Requests or sessions that have ended. */
  readonly perSecond: number;
  /** Of them those that failed: answers from 500 on, aborted, or sessions that ended badly. */
  readonly failuresPerSecond: number;
  readonly receivedPerSecond: number;
  readonly sentPerSecond: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

export interface RouteLoad {
  readonly listener: string;
  readonly route: string;
  readonly perSecond: number;
  readonly failuresPerSecond: number;
}

export interface ClusterLoad {
  readonly name: string;
  readonly perSecond: number;
  readonly retriesPerSecond: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

export interface ShardLoad {
  readonly index: number;
  readonly perSecond: number;
  /** How late a timer fired lately. */
  readonly delayMs: number | null;
}

export interface Load {
  /** ISO time. */
  readonly at: string;
  readonly listeners: readonly ListenerLoad[];
  readonly routes: readonly RouteLoad[];
  readonly clusters: readonly ClusterLoad[];
  readonly shards: readonly ShardLoad[];
}

/** One look at the proxy. */
export interface Look {
  readonly status: Status;
  readonly snapshots: readonly ShardSnapshot[];
  readonly totals: readonly Sample[];
  readonly latencies: readonly LatencySample[];
}

export interface LiveUpdate {
  readonly status: Status;
  readonly load: Load;
  readonly events: readonly RecentEvent[];
}

export interface LiveViewOptions {
  readonly look: () => Promise<Look>;
  readonly events: (afterNumber: number) => readonly RecentEvent[];
  readonly nowMs: () => number;
  readonly wallMs: () => number;
}

type Watcher = (update: LiveUpdate) => void;

export class LiveView {
  readonly #options: LiveViewOptions;
  readonly #watchers = new Set<Watcher>();
  readonly #history: Load[] = [];
  #before: { readonly look: Look; readonly atMs: number } | undefined;
  #last: LiveUpdate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastEvent = 0;
  #isStopped = false;

  constructor(options: LiveViewOptions) {
    this.#options = options;
  }

  start(): void {
    void this.#turn();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#watchers.clear();
  }

  /** Loads of the last minutes, oldest first. */
  get history(): readonly Load[] {
    return this.#history;
  }

  /** The last update, with all events that are remembered. Undefined: there was none yet. */
  get last(): LiveUpdate | undefined {
    return this.#last && { ...this.#last, events: this.#options.events(0) };
  }

  /** Calls with each update from now on. Returns how to end that; undefined if too many watch already. */
  watch(watcher: Watcher): (() => void) | undefined {
    if (this.#isStopped || this.#watchers.size >= WATCHERS_MAX) return undefined;
    this.#watchers.add(watcher);
    if (this.#watchers.size === 1) void this.#turn();
    return () => this.#watchers.delete(watcher);
  }

  async #turn(): Promise<void> {
    clearTimeout(this.#timer);
    const look = await this.#options.look().catch(() => undefined);
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    if (look !== undefined) this.#update(look);
    const intervalMs = this.#watchers.size > 0 ? WATCHED_INTERVAL_MS : UNWATCHED_INTERVAL_MS;
    this.#timer = setTimeout(() => void this.#turn(), intervalMs);
    this.#timer.unref();
  }

  #update(look: Look): void {
    const { nowMs, wallMs, events } = this.#options;
    const atMs = nowMs();
    const before = this.#before;
    this.#before = { look, atMs };
    const seconds = before === undefined ? 0 : (atMs - before.atMs) / 1000;
    // Two looks at once say nothing about a second.
    const load = loadBetween(before?.look, look, seconds, new Date(wallMs()).toISOString());
    if (before !== undefined) this.#history.push(load);
    if (this.#history.length > HISTORY_MAX) this.#history.shift();
    const fresh = events(this.#lastEvent);
    this.#lastEvent = fresh.at(-1)?.number ?? this.#lastEvent;
    this.#last = { status: look.status, load, events: fresh };
    for (const watcher of this.#watchers) watcher(this.#last);
  }
}

/** What happened between two looks, `seconds` apart; 0: nothing is known. */
export function loadBetween(before: Look | undefined, now: Look, seconds: number, at: string): Load {
  const rates = new Rates(before?.totals ?? [], now.totals, seconds);
  const latency = (family: MetricName, label: string, value: string) =>
    quantiles(before?.latencies ?? [], now.latencies, family, label, value, seconds);
  return {
    at,
    listeners: now.status.listeners.map(({ name, protocol }) => ({
      name,
      ...(protocol === 'http' ? rates.requests({ listener: name }) : rates.sessions(name)),
      receivedPerSecond: rates.sum('fourseven_bytes_total', { listener: name, direction: 'received' }),
      sentPerSecond: rates.sum('fourseven_bytes_total', { listener: name, direction: 'sent' }),
      ...latency('fourseven_http_request_duration_seconds', 'listener', name),
    })),
    routes: rates.routes(),
    clusters: now.status.clusters.map(({ name }) => ({
      name,
      perSecond:
        rates.sum('fourseven_upstream_attempts_total', { cluster: name }) +
        rates.sum('fourseven_upstream_sessions_total', { cluster: name }),
      retriesPerSecond: rates.sum('fourseven_upstream_retries_total', { cluster: name }),
      ...latency('fourseven_upstream_first_byte_duration_seconds', 'cluster', name),
    })),
    shards: now.snapshots.map((snapshot) => shardLoad(before?.snapshots, snapshot, seconds)),
  };
}

/** Differences of counters per second. */
class Rates {
  readonly #rows: readonly { readonly sample: Sample; readonly perSecond: number }[];

  constructor(before: readonly Sample[], now: readonly Sample[], seconds: number) {
    const earlier = new Map(before.map((sample) => [JSON.stringify([sample.family, sample.labels]), sample.value]));
    this.#rows = now.flatMap((sample) => {
      const past = earlier.get(JSON.stringify([sample.family, sample.labels])) ?? 0;
      const perSecond = seconds > 0 ? (sample.value - past) / seconds : 0;
      return perSecond > 0 ? [{ sample, perSecond }] : [];
    });
  }

  sum(family: MetricName, labels: Readonly<Record<string, string>>, isMeant: (sample: Sample) => boolean = () => true) {
    let sum = 0;
    for (const { sample, perSecond } of this.#rows) {
      if (sample.family !== family || !isMeant(sample)) continue;
      if (Object.entries(labels).every(([name, value]) => sample.labels[name] === value)) sum += perSecond;
    }
    return sum;
  }

  requests(labels: Readonly<Record<string, string>>) {
    return {
      perSecond: this.sum('fourseven_http_requests_total', labels),
      failuresPerSecond: this.sum('fourseven_http_requests_total', labels, ({ labels: { status = '' } }) => {
        return status === 'aborted' || status >= '500';
      }),
    };
  }

  sessions(listener: string) {
    return {
      perSecond: this.sum('fourseven_tcp_sessions_total', { listener }),
      failuresPerSecond: this.sum('fourseven_tcp_sessions_total', { listener }, (row) => row.labels.outcome !== 'ok'),
    };
  }

  /** Only those to which anything came. */
  routes(): readonly RouteLoad[] {
    const loads = new Map<string, RouteLoad>();
    for (const { sample } of this.#rows) {
      const { listener, route } = sample.labels;
      if (sample.family !== 'fourseven_http_requests_total' || listener === undefined || route === undefined) continue;
      const key = JSON.stringify([listener, route]);
      if (!loads.has(key)) loads.set(key, { listener, route, ...this.requests({ listener, route }) });
    }
    return [...loads.values()];
  }
}

function quantiles(
  before: readonly LatencySample[],
  now: readonly LatencySample[],
  family: MetricName,
  label: string,
  value: string,
  seconds: number,
) {
  const sumOf = (samples: readonly LatencySample[]) =>
    samples
      .filter((sample) => sample.family === family && sample.labels[label] === value)
      .reduce<LatencyCounts | undefined>(
        (sum, sample) => (sum === undefined ? sample.value : addLatencies(sum, sample.value)),
        undefined,
      );
  const total = seconds > 0 ? sumOf(now) : undefined;
  const counts = total && latenciesSince(total, sumOf(before));
  return {
    p50Ms: (counts && latencyQuantileMs(counts, 0.5)) ?? null,
    p99Ms: (counts && latencyQuantileMs(counts, 0.99)) ?? null,
  };
}

function shardLoad(before: readonly ShardSnapshot[] | undefined, now: ShardSnapshot, seconds: number): ShardLoad {
  const earlier = before?.find(({ index }) => index === now.index);
  const done = (snapshot: ShardSnapshot | undefined) =>
    [...(snapshot?.requests ?? []), ...(snapshot?.sessions ?? [])].reduce((sum, { count }) => sum + count, 0);
  const delays = (snapshot: ShardSnapshot | undefined) =>
    snapshot?.latencies.find(({ kind }) => kind === 'loop-delay')?.counts;
  const counts = delays(now);
  const delayMs = counts && latencyQuantileMs(latenciesSince(counts, delays(earlier)), 1);
  // A shard that was replaced meanwhile has begun at zero.
  const perSecond = seconds > 0 ? Math.max(0, done(now) - done(earlier)) / seconds : 0;
  return { index: now.index, perSecond, delayMs: delayMs ?? null };
}
