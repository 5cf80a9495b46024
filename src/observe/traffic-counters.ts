/**
 * What one shard has counted since it started: requests, sessions, what clusters and endpoints did, and how long it all took. Rows are made when
 * a plan is applied and live as long as the shard, so that a counter never goes back when a route leaves and returns.
 */
import { type LatencyCounts, LatencyHistogram } from './latency-histogram.ts';

/** Stands for the status of an exchange that ended without an answer. */
export const STATUS_ABORTED = 0;

export const SESSION_OUTCOMES = [
  /** Both sides ended it. */
  'ok',
  'client_reset',
  'endpoint_reset',
  'idle_timeout',
  /** No endpoint took the connection. */
  'connect_failed',
  'connect_timeout',
  /** There was none to try. */
  'no_endpoint',
  /** The limits of the cluster left no room in time. */
  'no_room',
  /** The client left before an endpoint was connected. */
  'client_gone',
  /** The drain deadline passed. */
  'cut',
] as const;
export type SessionOutcome = (typeof SESSION_OUTCOMES)[number];

/** Statuses are below it (RFC 9110 section 15). */
const STATUS_END = 600;
const NO_COUNTS = new Float64Array(0);

/** Requests of one listener, route and cluster. Hot path. */
export class RequestCounter {
  readonly listener: string;
  readonly route: string;
  readonly cluster: string;
  /** From the head of a request to the end of its answer. */
  durations = new LatencyHistogram();
  /** By status; made when the first request is counted, because most of ten thousand routes have none. */
  #counts = NO_COUNTS;

  constructor(listener: string, route: string, cluster: string) {
    this.listener = listener;
    this.route = route;
    this.cluster = cluster;
  }

  /** `status`: what the client was told, or STATUS_ABORTED. */
  count(status: number): void {
    if (this.#counts === NO_COUNTS) this.#counts = new Float64Array(STATUS_END);
    this.#counts[status]! += 1;
  }

  /** Each status that was counted, and how often. */
  byStatus(): [status: number, count: number][] {
    return [...this.#counts.entries()].filter(([, count]) => count > 0);
  }
}

/** Sessions of one listener and cluster. */
export class SessionCounter {
  readonly listener: string;
  readonly cluster: string;
  readonly byOutcome = new Map<SessionOutcome, number>();

  constructor(listener: string, cluster: string) {
    this.listener = listener;
    this.cluster = cluster;
  }

  count(outcome: SessionOutcome): void {
    this.byOutcome.set(outcome, (this.byOutcome.get(outcome) ?? 0) + 1);
  }
}

/** What went to the endpoints of a cluster. Hot path. */
export class ClusterCounter {
  readonly cluster: string;
  /** Attempts after the first one of their request or session. */
  retries = 0;
  /** Requests that an idle connection carried. */
  poolHits = 0;
  /** Connections begun, and those of them that were refused or late. */
  connects = 0;
  connectFailures = 0;
  /** From the dial until bytes may flow: TLS with the endpoint included. */
  readonly connectTimes = new LatencyHistogram();
  /** From the beginning of the attempt that was answered until the head of its answer. */
  readonly firstByteTimes = new LatencyHistogram();

  constructor(cluster: string) {
    this.cluster = cluster;
  }
}

/** Answers below 100 are none. */
const CLASS_FAILED = 0;
const CLASS_END = 6;
const CLASS_NAMES = ['failed', '1xx', '2xx', '3xx', '4xx', '5xx'];

/** What one endpoint did. Hot path. */
export class EndpointCounter {
  readonly cluster: string;
  readonly endpoint: string;
  ejections = 0;
  /** Sessions that were connected to it. */
  sessions = 0;
  /** By class of status; made when the first attempt is counted. */
  #answers = NO_COUNTS;

  constructor(cluster: string, endpoint: string) {
    this.cluster = cluster;
    this.endpoint = endpoint;
  }

  /** The head of an answer has come. */
  answered(status: number): void {
    this.#count(Math.min((status / 100) | 0, CLASS_END - 1));
  }

  /** An attempt ended without an answer: refused, reset, late or malformed. */
  failed(): void {
    this.#count(CLASS_FAILED);
  }

  #count(answerClass: number): void {
    if (this.#answers === NO_COUNTS) this.#answers = new Float64Array(CLASS_END);
    this.#answers[answerClass]! += 1;
  }

  byResult(): [result: string, count: number][] {
    return [...this.#answers.entries()].flatMap(([index, count]) => (count > 0 ? [[CLASS_NAMES[index]!, count]] : []));
  }
}

/** Beyond so many routes of a listener, their durations are told together: a histogram of each would be more than a scraper can use. */
export const TIMED_ROUTES_MAX = 1_000;

export class TrafficCounters {
  readonly #requests = new Map<string, RequestCounter>();
  readonly #sessions = new Map<string, SessionCounter>();
  readonly #clusters = new Map<string, ClusterCounter>();
  readonly #endpoints = new Map<string, EndpointCounter>();
  /** By listener and route. */
  readonly #durations = new Map<string, LatencyRow>();
  readonly #handshakes = new Map<string, LatencyRow>();
  /** How much later than planned a timer of the shard fired. */
  readonly loopDelays = new LatencyHistogram();

  /**
   * The row of these names: the same one each time. For a request that reached no route, `route` and `cluster` are empty. `isTimed`: whether
   * the route has a histogram of its own, or shares that of its listener.
   */
  requestCounter(listener: string, route: string, cluster: string, isTimed = true): RequestCounter {
    const counter = rowOf(this.#requests, [listener, route, cluster], () => {
      return new RequestCounter(listener, route, cluster);
    });
    const timedRoute = isTimed ? route : '';
    counter.durations = rowOf(this.#durations, [listener, timedRoute], () => {
      return { labels: { listener, route: timedRoute }, times: new LatencyHistogram() };
    }).times;
    return counter;
  }

  clusterCounter(cluster: string): ClusterCounter {
    return rowOf(this.#clusters, [cluster], () => new ClusterCounter(cluster));
  }

  endpointCounter(cluster: string, endpoint: string): EndpointCounter {
    return rowOf(this.#endpoints, [cluster, endpoint], () => new EndpointCounter(cluster, endpoint));
  }

  /** From the hello of a client until TLS is established. */
  handshakeTimes(listener: string): LatencyHistogram {
    const row = () => ({ labels: { listener }, times: new LatencyHistogram() });
    return rowOf(this.#handshakes, [listener], row).times;
  }

  sessionCounter(listener: string, cluster: string): SessionCounter {
    return rowOf(this.#sessions, [listener, cluster], () => new SessionCounter(listener, cluster));
  }

  /** One row per status counted. */
  requests(): { listener: string; route: string; cluster: string; status: string; count: number }[] {
    return [...this.#requests.values()].flatMap((row) =>
      row.byStatus().map(([status, count]) => {
        const { listener, route, cluster } = row;
        return { listener, route, cluster, status: statusText(status), count };
      }),
    );
  }

  /** One row per outcome counted. */
  sessions(): { listener: string; cluster: string; outcome: string; count: number }[] {
    return [...this.#sessions.values()].flatMap(({ listener, cluster, byOutcome }) =>
      Array.from(byOutcome, ([outcome, count]) => ({ listener, cluster, outcome, count })),
    );
  }

  /** One row per cluster to which anything went. */
  clusters(): { cluster: string; retries: number; poolHits: number; connects: number; connectFailures: number }[] {
    return [...this.#clusters.values()].flatMap(({ cluster, retries, poolHits, connects, connectFailures }) =>
      poolHits + connects === 0 ? [] : [{ cluster, retries, poolHits, connects, connectFailures }],
    );
  }

  /** One row per endpoint to which anything went. */
  endpoints(): EndpointRow[] {
    return [...this.#endpoints.values()].flatMap((row) => {
      const { cluster, endpoint, ejections, sessions } = row;
      const results = row.byResult();
      return results.length + ejections + sessions === 0 ? [] : [{ cluster, endpoint, ejections, sessions, results }];
    });
  }

  /** One row per histogram in which there is anything. */
  latencies(): LatencyCountsRow[] {
    const clusters = [...this.#clusters.values()];
    const ofClusters = (kind: LatencyKind, times: (row: ClusterCounter) => LatencyHistogram) =>
      clusters.flatMap((row) => countsRow(kind, { cluster: row.cluster }, times(row)));
    return [
      ...[...this.#durations.values()].flatMap(({ labels, times }) => countsRow('request', labels, times)),
      ...ofClusters('connect', ({ connectTimes }) => connectTimes),
      ...ofClusters('first-byte', ({ firstByteTimes }) => firstByteTimes),
      ...[...this.#handshakes.values()].flatMap(({ labels, times }) => countsRow('handshake', labels, times)),
      ...countsRow('loop-delay', {}, this.loopDelays),
    ];
  }
}

interface LatencyRow {
  readonly labels: Readonly<Record<string, string>>;
  readonly times: LatencyHistogram;
}

export type LatencyKind = 'request' | 'connect' | 'first-byte' | 'handshake' | 'loop-delay';

export interface LatencyCountsRow {
  readonly kind: LatencyKind;
  readonly labels: Readonly<Record<string, string>>;
  readonly counts: LatencyCounts;
}

export interface EndpointRow {
  readonly cluster: string;
  readonly endpoint: string;
  readonly ejections: number;
  readonly sessions: number;
  readonly results: readonly (readonly [result: string, count: number])[];
}

function countsRow(kind: LatencyKind, labels: LatencyRow['labels'], times: LatencyHistogram): LatencyCountsRow[] {
  const counts = times.counts();
  return counts === undefined ? [] : [{ kind, labels, counts }];
}

/** The same row each time for the same names. */
function rowOf<Row>(rows: Map<string, Row>, names: readonly string[], make: () => Row): Row {
  const key = JSON.stringify(names);
  let row = rows.get(key);
  if (row === undefined) {
    row = make();
    rows.set(key, row);
  }
  return row;
}

function statusText(status: number): string {
  return status === STATUS_ABORTED ? 'aborted' : String(status);
}
