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
import type { EndpointStatus, Status } from './status.ts';

const WATCHED_INTERVAL_MS = 1_000;
const UNWATCHED_INTERVAL_MS = 5_000;
/** Five minutes without anybody watching, one with. */
const HISTORY_MAX = 60;
/** Routes that are told: nobody reads ten thousand. */
const ROUTES_MAX = 50;
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
  /** Every endpoint, and as text: made once, however many watch. */
  readonly endpoints: readonly LiveEndpoint[];
}

export interface LiveEndpoint {
  readonly endpoint: EndpointStatus & { readonly cluster: string };
  readonly key: string;
  readonly text: string;
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
    if (this.#last === undefined) return undefined;
    return { ...this.#last, events: this.#options.events(0), endpoints: endpointsOf(this.#last.status) };
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
    this.#last = {
      status: look.status,
      load,
      events: fresh,
      endpoints: this.#watchers.size > 0 ? endpointsOf(look.status) : [],
    };
    for (const watcher of this.#watchers) watcher(this.#last);
  }
}

export function endpointsOf({ clusters }: Status): readonly LiveEndpoint[] {
  return clusters.flatMap(({ name: cluster, endpoints }) =>
    endpoints.map((status) => {
      const endpoint = { cluster, ...status };
      return { endpoint, key: `${cluster} ${status.address}`, text: JSON.stringify(endpoint) };
    }),
  );
}

/** What happened between two looks, `seconds` apart; 0: nothing is known. */
export function loadBetween(before: Look | undefined, now: Look, seconds: number, at: string): Load {
  const rates = new Rates(before?.totals ?? [], now.totals, seconds);
  const requests = rates.by('fourseven_http_requests_total', 'listener');
  const failedRequests = rates.by('fourseven_http_requests_total', 'listener', isFailedRequest);
  const sessions = rates.by('fourseven_tcp_sessions_total', 'listener');
  const failedSessions = rates.by('fourseven_tcp_sessions_total', 'listener', ({ outcome }) => outcome !== 'ok');
  const received = rates.by('fourseven_bytes_total', 'listener', ({ direction }) => direction === 'received');
  const sent = rates.by('fourseven_bytes_total', 'listener', ({ direction }) => direction === 'sent');
  const attempts = rates.by('fourseven_upstream_attempts_total', 'cluster');
  const upstreamSessions = rates.by('fourseven_upstream_sessions_total', 'cluster');
  const retries = rates.by('fourseven_upstream_retries_total', 'cluster');
  const durations = latenciesBy('fourseven_http_request_duration_seconds', 'listener', before, now, seconds);
  const firstBytes = latenciesBy('fourseven_upstream_first_byte_duration_seconds', 'cluster', before, now, seconds);
  return {
    at,
    listeners: now.status.listeners.map(({ name, protocol }) => ({
      name,
      perSecond: (protocol === 'http' ? requests : sessions).get(name) ?? 0,
      failuresPerSecond: (protocol === 'http' ? failedRequests : failedSessions).get(name) ?? 0,
      receivedPerSecond: received.get(name) ?? 0,
      sentPerSecond: sent.get(name) ?? 0,
      ...quantiles(durations.get(name)),
    })),
    routes: rates.routes(),
    clusters: now.status.clusters.map(({ name }) => ({
      name,
      perSecond: (attempts.get(name) ?? 0) + (upstreamSessions.get(name) ?? 0),
      retriesPerSecond: retries.get(name) ?? 0,
      ...quantiles(firstBytes.get(name)),
    })),
    shards: now.snapshots.map((snapshot) => shardLoad(before?.snapshots, snapshot, seconds)),
  };
}

type Labels = Sample['labels'];

function isFailedRequest({ status = '' }: Labels): boolean {
  return status === 'aborted' || status >= '500';
}

/** Differences of counters per second, of those that have changed. */
class Rates {
  readonly #byFamily = new Map<string, { readonly labels: Labels; readonly perSecond: number }[]>();

  constructor(before: readonly Sample[], now: readonly Sample[], seconds: number) {
    const earlier = new Map(before.map((sample) => [JSON.stringify([sample.family, sample.labels]), sample.value]));
    for (const { family, labels, value } of now) {
      const past = earlier.get(JSON.stringify([family, labels])) ?? 0;
      if (seconds <= 0 || value <= past) continue;
      const rows = this.#byFamily.get(family) ?? [];
      if (rows.length === 0) this.#byFamily.set(family, rows);
      rows.push({ labels, perSecond: (value - past) / seconds });
    }
  }

  /** Sums by the value of a label. */
  by(family: MetricName, label: string, isMeant: (labels: Labels) => boolean = () => true): Map<string, number> {
    const sums = new Map<string, number>();
    for (const { labels, perSecond } of this.#byFamily.get(family) ?? []) {
      const value = labels[label];
      if (value !== undefined && isMeant(labels)) sums.set(value, (sums.get(value) ?? 0) + perSecond);
    }
    return sums;
  }

  /** Those to which most came. */
  routes(): readonly RouteLoad[] {
    const loads = new Map<string, { listener: string; route: string; perSecond: number; failuresPerSecond: number }>();
    for (const { labels, perSecond } of this.#byFamily.get('fourseven_http_requests_total') ?? []) {
      const { listener = '', route = '' } = labels;
      const key = JSON.stringify([listener, route]);
      const load = loads.get(key) ?? { listener, route, perSecond: 0, failuresPerSecond: 0 };
      load.perSecond += perSecond;
      if (isFailedRequest(labels)) load.failuresPerSecond += perSecond;
      loads.set(key, load);
    }
    return [...loads.values()].sort((a, b) => b.perSecond - a.perSecond).slice(0, ROUTES_MAX);
  }
}

/** What was measured between two looks, by the value of a label. */
function latenciesBy(
  family: MetricName,
  label: string,
  before: Look | undefined,
  now: Look,
  seconds: number,
): Map<string, LatencyCounts> {
  const sumsOf = (samples: readonly LatencySample[]) => {
    const sums = new Map<string, LatencyCounts>();
    for (const sample of samples) {
      const value = sample.labels[label];
      if (sample.family !== family || value === undefined) continue;
      const sum = sums.get(value);
      sums.set(value, sum === undefined ? sample.value : addLatencies(sum, sample.value));
    }
    return sums;
  };
  if (before === undefined || seconds <= 0) return new Map();
  const earlier = sumsOf(before.latencies);
  return new Map(
    [...sumsOf(now.latencies)].map(([value, counts]) => [value, latenciesSince(counts, earlier.get(value))]),
  );
}

function quantiles(counts: LatencyCounts | undefined) {
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
