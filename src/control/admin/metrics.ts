/** The metrics of the whole proxy as Prometheus text. */
import type { ShardSnapshot } from '../../contract/messages.ts';
import type { ListenerPlan } from '../../contract/plan.ts';
import type { Sample } from '../../observe/counter-totals.ts';
import { formatMetrics, type MetricFamily } from '../../observe/prometheus-text.ts';
import { certificatesOf } from '../certificates.ts';
import { openDescriptors } from '../descriptor-budget.ts';
import { PRODUCT_VERSION } from '../product-version.ts';
import { TRAFFIC_COUNTERS } from '../snapshot-samples.ts';
import type { ShardStatus } from '../supervisor.ts';
import { connectionsOf } from './status.ts';

export interface MetricsParts {
  readonly engine: 'native' | 'node';
  readonly totals: readonly Sample[];
  readonly snapshots: readonly ShardSnapshot[];
  readonly shards: readonly ShardStatus[];
  readonly listeners: readonly ListenerPlan[];
  /** Open files that the process may have. */
  readonly descriptorLimit: number;
}

export function makeMetrics(parts: MetricsParts): string {
  const traffic = Object.entries(TRAFFIC_COUNTERS).map(([name, help]): MetricFamily => {
    return { name, help, type: 'counter', samples: parts.totals.filter(({ family }) => family === name) };
  });
  return formatMetrics([...traffic, ...stateFamilies(parts), ...processFamilies(parts.descriptorLimit)]);
}

function stateFamilies({ engine, listeners, shards, snapshots }: MetricsParts): readonly MetricFamily[] {
  return [
    {
      name: 'fourseven_connections',
      help: 'Connections of clients that are open.',
      type: 'gauge',
      samples: listeners.map(({ name }) => ({ labels: { listener: name }, value: connectionsOf(name, snapshots) })),
    },
    {
      name: 'fourseven_certificate_expiry_timestamp_seconds',
      help: 'When a certificate of a listener expires, since the Unix epoch in seconds.',
      type: 'gauge',
      samples: listeners.flatMap(certificateSamples),
    },
    {
      name: 'fourseven_shard_connections',
      help: 'Connections that are open in a shard, to clients and to endpoints.',
      type: 'gauge',
      samples: shards.map(({ index, connections }) => ({ labels: { shard: String(index) }, value: connections })),
    },
    {
      name: 'fourseven_shard_restarts_total',
      help: 'How often a shard was started again after a crash or a hang.',
      type: 'counter',
      samples: shards.map(({ index, restarts }) => ({ labels: { shard: String(index) }, value: restarts })),
    },
    {
      name: 'fourseven_info',
      help: 'Always 1; the labels tell what runs.',
      type: 'gauge',
      samples: [{ labels: { version: PRODUCT_VERSION, engine, node: process.versions.node }, value: 1 }],
    },
  ];
}

/** `name`: the first that it is for. */
function certificateSamples(listener: ListenerPlan): MetricFamily['samples'] {
  return (certificatesOf(listener) ?? []).map(({ names: [name = ''], keyType, notAfter }) => ({
    labels: { listener: listener.name, name, key: keyType },
    value: Date.parse(notAfter) / 1000,
  }));
}

/** Under the names that Prometheus client libraries agree on. */
function processFamilies(descriptorLimit: number): readonly MetricFamily[] {
  const { user, system } = process.cpuUsage();
  const family = (name: string, help: string, type: MetricFamily['type'], value: number): MetricFamily => {
    return { name, help, type, samples: [{ value }] };
  };
  const startSeconds = (Date.now() - process.uptime() * 1000) / 1000;
  return [
    family(
      'process_cpu_seconds_total',
      'User and system time of all threads in seconds.',
      'counter',
      (user + system) / 1e6,
    ),
    family('process_resident_memory_bytes', 'Resident memory in bytes.', 'gauge', process.memoryUsage.rss()),
    family(
      'process_start_time_seconds',
      'Start of the process since the Unix epoch in seconds.',
      'gauge',
      startSeconds,
    ),
    family('process_open_fds', 'Open file descriptors.', 'gauge', openDescriptors() ?? Number.NaN),
    family('process_max_fds', 'Most file descriptors that may be open.', 'gauge', descriptorLimit),
  ];
}
