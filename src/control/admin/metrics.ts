/** The metrics of the whole proxy, ready to be written down. */
import { Admin, type Board, boardTick, Health } from '../../contract/board.ts';
import type { ShardSnapshot } from '../../contract/messages.ts';
import type { ListenerPlan, Plan } from '../../contract/plan.ts';
import type { LatencySample, Sample } from '../../observe/counter-totals.ts';
import { METRICS, type MetricName } from '../../observe/metric-catalog.ts';
import type { MetricFamily } from '../../observe/prometheus-text.ts';
import { certificatesOf } from '../certificates.ts';
import { openDescriptors } from '../descriptor-budget.ts';
import { PRODUCT_VERSION } from '../product-version.ts';
import type { ShardStatus } from '../supervisor.ts';
import { activeOf, connectionsOf } from './status.ts';

export interface MetricsParts {
  readonly engine: 'native' | 'node';
  readonly totals: readonly Sample[];
  readonly latencies: readonly LatencySample[];
  readonly snapshots: readonly ShardSnapshot[];
  readonly shards: readonly ShardStatus[];
  readonly plan: Plan;
  readonly board: Pick<Board, 'health' | 'admin' | 'ejectedUntilTick' | 'inFlight'>;
  readonly configVersion: number;
  readonly draining: boolean;
  /** Open files that the process may have. */
  readonly descriptorLimit: number;
}

interface Row {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** All families of the catalog, those without a sample included, so that a query for what never happened finds nothing rather than an error. */
export function makeMetrics(parts: MetricsParts): readonly MetricFamily[] {
  const counted = groupByFamily(parts.totals);
  const state = new Map(Object.entries({ ...stateRows(parts), ...processRows(parts.descriptorLimit) }));
  return Object.entries(METRICS).map(([name, { type, help }]) => ({
    name,
    type,
    help,
    samples: [...(counted.get(name) ?? []), ...(state.get(name) ?? [])],
    latencies: type === 'histogram' ? parts.latencies.filter(({ family }) => family === name) : [],
  }));
}

function groupByFamily(samples: readonly Sample[]): Map<string, Sample[]> {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const group = groups.get(sample.family);
    if (group === undefined) groups.set(sample.family, [sample]);
    else group.push(sample);
  }
  return groups;
}

function stateRows(parts: MetricsParts): Partial<Record<MetricName, readonly Row[]>> {
  const { engine, plan, shards, snapshots } = parts;
  const perShard = <Item extends { readonly index: number }>(items: readonly Item[], value: (item: Item) => number) =>
    items.map((item) => ({ labels: { shard: String(item.index) }, value: value(item) }));
  return {
    fourseven_active: plan.listeners.map(({ name }) => ({
      labels: { listener: name },
      value: activeOf(name, snapshots),
    })),
    fourseven_connections: plan.listeners.map(({ name }) => {
      return { labels: { listener: name }, value: connectionsOf(name, snapshots) };
    }),
    fourseven_certificate_expiry_timestamp_seconds: plan.listeners.flatMap(certificateRows),
    fourseven_shard_connections: perShard(shards, ({ connections }) => connections),
    fourseven_shard_restarts_total: perShard(shards, ({ restarts }) => restarts),
    fourseven_shard_descriptors: perShard(snapshots, ({ descriptors }) => descriptors),
    ...endpointRows(parts),
    fourseven_config_version: [{ value: parts.configVersion }],
    fourseven_draining: [{ value: parts.draining ? 1 : 0 }],
    fourseven_info: [{ labels: { version: PRODUCT_VERSION, engine, node: process.versions.node }, value: 1 }],
  };
}

function endpointRows({ plan, board }: MetricsParts): Partial<Record<MetricName, readonly Row[]>> {
  const nowTick = boardTick();
  const endpoints = plan.clusters.flatMap(({ name: cluster, endpoints }) =>
    endpoints.map(({ slot, key: endpoint }) => ({ slot, labels: { cluster, endpoint } })),
  );
  const known = endpoints.filter(({ slot }) => board.health(slot) !== Health.UNKNOWN);
  const rows = (of: typeof endpoints, value: (slot: number) => number): readonly Row[] =>
    of.map(({ slot, labels }) => ({ labels, value: value(slot) }));
  return {
    fourseven_endpoint_in_flight: rows(endpoints, (slot) => board.inFlight(slot)),
    fourseven_endpoint_healthy: rows(known, (slot) => (board.health(slot) === Health.HEALTHY ? 1 : 0)),
    fourseven_endpoint_enabled: rows(endpoints, (slot) => (board.admin(slot) === Admin.ENABLED ? 1 : 0)),
    fourseven_endpoint_ejected: rows(endpoints, (slot) => (board.ejectedUntilTick(slot) > nowTick ? 1 : 0)),
  };
}

/** `name`: the first that it is for. */
function certificateRows(listener: ListenerPlan): readonly Row[] {
  return (certificatesOf(listener) ?? []).map(({ names: [name = ''], keyType, notAfter }) => ({
    labels: { listener: listener.name, name, key: keyType },
    value: Date.parse(notAfter) / 1000,
  }));
}

/** Under the names that Prometheus client libraries agree on. */
function processRows(descriptorLimit: number): Partial<Record<MetricName, readonly Row[]>> {
  const { user, system } = process.cpuUsage();
  return {
    process_cpu_seconds_total: [{ value: (user + system) / 1e6 }],
    process_resident_memory_bytes: [{ value: process.memoryUsage.rss() }],
    process_start_time_seconds: [{ value: (Date.now() - process.uptime() * 1000) / 1000 }],
    process_open_fds: [{ value: openDescriptors() ?? Number.NaN }],
    process_max_fds: [{ value: descriptorLimit }],
  };
}
