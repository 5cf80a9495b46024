/** What shards count, under its public names. */
import type { ShardSnapshot } from '../contract/messages.ts';
import type { LatencySample, Sample } from '../observe/counter-totals.ts';
import type { MetricName } from '../observe/metric-catalog.ts';
import type { LatencyKind } from '../observe/traffic-counters.ts';

const LATENCY_FAMILIES: Readonly<Record<LatencyKind, MetricName>> = {
  request: 'fourseven_http_request_duration_seconds',
  connect: 'fourseven_upstream_connect_duration_seconds',
  'first-byte': 'fourseven_upstream_first_byte_duration_seconds',
  handshake: 'fourseven_tls_handshake_duration_seconds',
  'loop-delay': 'fourseven_event_loop_delay_seconds',
};

/** The counters of a snapshot. */
export function samplesOf(snapshot: ShardSnapshot): readonly Sample[] {
  const shard = String(snapshot.index);
  const { copied, spliced } = snapshot.bytes;
  return [
    ...snapshot.requests.map(({ count, ...labels }) => sample('fourseven_http_requests_total', labels, count)),
    ...snapshot.sessions.map(({ count, ...labels }) => sample('fourseven_tcp_sessions_total', labels, count)),
    ...snapshot.listeners.flatMap(listenerSamples),
    ...Object.entries(snapshot.handshakes ?? {}).map(([outcome, count]) =>
      sample('fourseven_tls_handshakes_total', { outcome }, count),
    ),
    ...snapshot.clusters.flatMap(clusterSamples),
    ...snapshot.endpoints.flatMap(endpointSamples),
    sample('fourseven_forwarded_bytes_total', { method: 'copied' }, copied),
    sample('fourseven_forwarded_bytes_total', { method: 'spliced' }, spliced),
    ...snapshot.logDrops.map(({ listener, count }) => sample('fourseven_log_lines_dropped_total', { listener }, count)),
    sample('fourseven_shard_accept_pauses_total', { shard }, snapshot.acceptPauses),
  ];
}

/** The histograms of a snapshot. */
export function latenciesOf(snapshot: ShardSnapshot): readonly LatencySample[] {
  return snapshot.latencies.map(({ kind, labels, counts }) => ({
    family: LATENCY_FAMILIES[kind],
    labels,
    value: counts,
  }));
}

function listenerSamples(row: ShardSnapshot['listeners'][number]): readonly Sample[] {
  const listener = row.name;
  const { proxyHeadersRefused, handshakesRefused } = row;
  return [
    sample('fourseven_connections_accepted_total', { listener }, row.accepted),
    sample('fourseven_bytes_total', { listener, direction: 'received' }, row.bytesReceived),
    sample('fourseven_bytes_total', { listener, direction: 'sent' }, row.bytesSent),
    ...(proxyHeadersRefused === undefined
      ? []
      : [sample('fourseven_proxy_headers_refused_total', { listener }, proxyHeadersRefused)]),
    ...(handshakesRefused === undefined
      ? []
      : [sample('fourseven_tls_refused_total', { listener }, handshakesRefused)]),
  ];
}

function clusterSamples(row: ShardSnapshot['clusters'][number]): readonly Sample[] {
  const labels = { cluster: row.cluster };
  return [
    sample('fourseven_upstream_retries_total', labels, row.retries),
    sample('fourseven_upstream_pool_hits_total', labels, row.poolHits),
    sample('fourseven_upstream_connects_total', labels, row.connects),
    sample('fourseven_upstream_connect_failures_total', labels, row.connectFailures),
  ];
}

function endpointSamples(row: ShardSnapshot['endpoints'][number]): readonly Sample[] {
  const labels = { cluster: row.cluster, endpoint: row.endpoint };
  const optional = (family: MetricName, value: number) => (value === 0 ? [] : [sample(family, labels, value)]);
  return [
    ...row.results.map(([result, count]) => sample('fourseven_upstream_attempts_total', { ...labels, result }, count)),
    ...optional('fourseven_upstream_sessions_total', row.sessions),
    ...optional('fourseven_endpoint_ejections_total', row.ejections),
  ];
}

function sample(family: MetricName, labels: Record<string, string>, value: number): Sample {
  return { family, labels, value };
}
