/**
 * Every metric of the proxy: what it is called, what it is, and by what it is told apart. Base units throughout (seconds, bytes). No label
 * takes its values from what clients send. docs/metrics.md is made from this table.
 */
import type { MetricType } from './prometheus-text.ts';

export interface MetricDescription {
  readonly type: MetricType;
  readonly help: string;
  readonly labels: readonly string[];
}

const counter = (help: string, ...labels: string[]): MetricDescription => ({ type: 'counter', help, labels });
const gauge = (help: string, ...labels: string[]): MetricDescription => ({ type: 'gauge', help, labels });
const histogram = (help: string, ...labels: string[]): MetricDescription => ({ type: 'histogram', help, labels });

export const METRICS = {
  fourseven_http_requests_total: counter(
    'HTTP requests whose head was accepted, by the status of the answer (aborted: ended without one).',
    'listener',
    'route',
    'cluster',
    'status',
  ),
  fourseven_http_request_duration_seconds: histogram(
    'From the head of a request until its answer was handed over, or it was aborted.',
    'listener',
    'route',
  ),
  fourseven_tcp_sessions_total: counter('TCP sessions that have ended, by outcome.', 'listener', 'cluster', 'outcome'),
  fourseven_active: gauge('HTTP exchanges or TCP sessions in flight.', 'listener'),
  fourseven_connections: gauge('Connections of clients that are open.', 'listener'),
  fourseven_connections_accepted_total: counter('Connections of clients that were accepted.', 'listener'),
  fourseven_bytes_total: counter(
    'Bytes exchanged with clients: received from them, sent to them.',
    'listener',
    'direction',
  ),
  fourseven_proxy_headers_refused_total: counter(
    'Connections closed because they did not begin with a PROXY header that counts.',
    'listener',
  ),
  fourseven_tls_refused_total: counter('Connections of clients that ended before TLS was established.', 'listener'),
  fourseven_tls_handshakes_total: counter(
    'TLS handshakes with clients and endpoints, by outcome: full, resumed, failed.',
    'outcome',
  ),
  fourseven_tls_handshake_duration_seconds: histogram(
    'From the hello of a client until TLS was established.',
    'listener',
  ),
  fourseven_certificate_expiry_timestamp_seconds: gauge(
    'When a certificate of a listener expires, since the Unix epoch in seconds.',
    'listener',
    'name',
    'key',
  ),
  fourseven_upstream_attempts_total: counter(
    'HTTP requests as endpoints answered them, by class of the status (failed: refused, reset, late or malformed).',
    'cluster',
    'endpoint',
    'result',
  ),
  fourseven_upstream_sessions_total: counter('TCP sessions that were connected to an endpoint.', 'cluster', 'endpoint'),
  fourseven_upstream_retries_total: counter('Attempts after the first one of a request or session.', 'cluster'),
  fourseven_upstream_pool_hits_total: counter('Requests that went out on a connection that was open.', 'cluster'),
  fourseven_upstream_connects_total: counter('Connections to endpoints that were begun.', 'cluster'),
  fourseven_upstream_connect_failures_total: counter('Connections to endpoints that were refused or late.', 'cluster'),
  fourseven_upstream_connect_duration_seconds: histogram(
    'From the beginning of a connection to an endpoint until bytes may flow, TLS included.',
    'cluster',
  ),
  fourseven_upstream_first_byte_duration_seconds: histogram(
    'From the beginning of the attempt that was answered until the head of its answer.',
    'cluster',
  ),
  fourseven_endpoint_in_flight: gauge('Requests and sessions in flight on an endpoint.', 'cluster', 'endpoint'),
  fourseven_endpoint_healthy: gauge(
    'What active checks say: 1 healthy, 0 unhealthy. Absent: not known.',
    'cluster',
    'endpoint',
  ),
  fourseven_endpoint_enabled: gauge(
    'What the operator wants: 1 in service, 0 drained or disabled.',
    'cluster',
    'endpoint',
  ),
  fourseven_endpoint_ejected: gauge('1 while live traffic has an endpoint ejected.', 'cluster', 'endpoint'),
  fourseven_endpoint_ejections_total: counter('How often live traffic ejected an endpoint.', 'cluster', 'endpoint'),
  fourseven_health_checks_total: counter('Active checks by result: passed, failed.', 'cluster', 'endpoint', 'result'),
  fourseven_forwarded_bytes_total: counter(
    'Bytes that the engine moved, by how: copied through its buffers, spliced within the kernel.',
    'method',
  ),
  fourseven_shard_connections: gauge('Connections that are open in a shard, to clients and to endpoints.', 'shard'),
  fourseven_shard_restarts_total: counter('How often a shard was started again after a crash or a hang.', 'shard'),
  fourseven_shard_descriptors: gauge('File descriptors that a shard holds.', 'shard'),
  fourseven_shard_accept_pauses_total: counter(
    'How often a shard paused accepting for want of file descriptors.',
    'shard',
  ),
  fourseven_event_loop_delay_seconds: histogram(
    'How much later than planned a timer fired in a shard, looked at twice a second.',
  ),
  fourseven_reloads_total: counter('Configurations that came while the proxy ran, by result.', 'result'),
  fourseven_config_version: gauge('Counts the configurations that were in force.'),
  fourseven_draining: gauge('1 while the proxy drains.'),
  fourseven_endpoint_operations_total: counter('What operators did with endpoints: drain, disable, enable.', 'action'),
  fourseven_log_lines_dropped_total: counter(
    'Lines of access logs that were dropped rather than waited for.',
    'listener',
  ),
  fourseven_info: gauge('Always 1; the labels tell what runs.', 'version', 'engine', 'node'),
  process_cpu_seconds_total: counter('User and system time of all threads in seconds.'),
  process_resident_memory_bytes: gauge('Resident memory in bytes.'),
  process_start_time_seconds: gauge('Start of the process since the Unix epoch in seconds.'),
  process_open_fds: gauge('Open file descriptors.'),
  process_max_fds: gauge('Most file descriptors that may be open.'),
} as const satisfies Readonly<Record<string, MetricDescription>>;

export type MetricName = keyof typeof METRICS;
