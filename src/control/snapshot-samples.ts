import type { ShardSnapshot } from '../contract/messages.ts';
import type { Sample } from '../observe/counter-totals.ts';

/** Names and explanations of the counters that shards keep. */
export const TRAFFIC_COUNTERS = {
  fourseven_http_requests_total:
    'HTTP requests whose head was accepted, by the status of the answer (aborted: ended without one).',
  fourseven_tcp_sessions_total: 'TCP sessions that have ended, by outcome.',
  fourseven_proxy_headers_refused_total:
    'Connections closed because they did not begin with a PROXY header that counts.',
  fourseven_tls_refused_total: 'Connections of clients that ended before TLS was established.',
  fourseven_tls_handshakes_total: 'TLS handshakes with clients and endpoints, by outcome: full, resumed, failed.',
  fourseven_bytes_total: 'Bytes exchanged with clients: received from them, sent to them.',
} as const;

/** The counters of a snapshot under their public names. */
export function samplesOf(snapshot: ShardSnapshot): readonly Sample[] {
  const requests = snapshot.requests.map(({ count, ...labels }) =>
    sample('fourseven_http_requests_total', labels, count),
  );
  const sessions = snapshot.sessions.map(({ count, ...labels }) =>
    sample('fourseven_tcp_sessions_total', labels, count),
  );
  const bytes = snapshot.listeners.flatMap(({ name, bytesReceived, bytesSent }) => [
    sample('fourseven_bytes_total', { listener: name, direction: 'received' }, bytesReceived),
    sample('fourseven_bytes_total', { listener: name, direction: 'sent' }, bytesSent),
  ]);
  const refused = snapshot.listeners.flatMap(({ name, proxyHeadersRefused: count }) =>
    count === undefined ? [] : [sample('fourseven_proxy_headers_refused_total', { listener: name }, count)],
  );
  const unsecured = snapshot.listeners.flatMap(({ name, handshakesRefused: count }) =>
    count === undefined ? [] : [sample('fourseven_tls_refused_total', { listener: name }, count)],
  );
  const handshakes = Object.entries(snapshot.handshakes ?? {}).map(([outcome, count]) =>
    sample('fourseven_tls_handshakes_total', { outcome }, count),
  );
  return [...requests, ...sessions, ...refused, ...unsecured, ...handshakes, ...bytes];
}

function sample(family: keyof typeof TRAFFIC_COUNTERS, labels: Record<string, string>, value: number): Sample {
  return { family, labels, value };
}
