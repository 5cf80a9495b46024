/**
 * What one shard has counted since it started: requests and sessions. Rows are made when a plan is applied and live as long as the shard, so
 * that a counter never goes back when a route leaves and returns.
 */

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

export class TrafficCounters {
  readonly #requests = new Map<string, RequestCounter>();
  readonly #sessions = new Map<string, SessionCounter>();

  /** The row of these names: the same one each time. For a request that reached no route, `route` and `cluster` are empty. */
  requestCounter(listener: string, route: string, cluster: string): RequestCounter {
    const key = JSON.stringify([listener, route, cluster]);
    let counter = this.#requests.get(key);
    if (counter === undefined) {
      counter = new RequestCounter(listener, route, cluster);
      this.#requests.set(key, counter);
    }
    return counter;
  }

  sessionCounter(listener: string, cluster: string): SessionCounter {
    const key = JSON.stringify([listener, cluster]);
    let counter = this.#sessions.get(key);
    if (counter === undefined) {
      counter = new SessionCounter(listener, cluster);
      this.#sessions.set(key, counter);
    }
    return counter;
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
}

function statusText(status: number): string {
  return status === STATUS_ABORTED ? 'aborted' : String(status);
}
