/** The options of a cluster that reach the plan as they are. */

/** What a hash policy goes by. `name`: of a header (lower case), cookie or query parameter. */
export type HashOn =
  | { readonly kind: 'source' | 'path' }
  | { readonly kind: 'header' | 'cookie' | 'query'; readonly name: string };

interface CheckTiming {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Successes in a row until an endpoint counts as healthy. */
  readonly healthyAfter: number;
  /** Failures in a row until it counts as unhealthy. */
  readonly unhealthyAfter: number;
  /** Another port than the endpoint's own. */
  readonly port?: number | undefined;
}

export type HealthCheckConfig = TcpCheckConfig | HttpCheckConfig | GrpcCheckConfig;

/** Healthy is who accepts a connection. */
export interface TcpCheckConfig extends CheckTiming {
  readonly type: 'tcp';
}

export interface HttpCheckConfig extends CheckTiming {
  readonly type: 'http';
  readonly method: string;
  readonly path: string;
  /** Absent: the address of the endpoint. */
  readonly host?: string | undefined;
  /** Statuses that count as healthy, first and last of each range. */
  readonly expect: readonly { readonly from: number; readonly to: number }[];
  /** What the body must contain. */
  readonly body?: string | undefined;
}

/** grpc.health.v1.Health/Check */
export interface GrpcCheckConfig extends CheckTiming {
  readonly type: 'grpc';
  /** Empty: the whole server. */
  readonly service: string;
}

export interface OutlierConfig {
  /** Failures in a row, over all shards, until an endpoint is ejected. */
  readonly consecutiveFailures: number;
  /** Length of the first ejection; the nth in a row is n times as long, up to EJECTION_MAX_MS. */
  readonly ejectMs: number;
  /** Share of a cluster's endpoints that may be ejected at a time; one always may. */
  readonly maxEjectedPercent: number;
}

export interface RetryConfig {
  /** Besides the first. */
  readonly attempts: number;
  /** Retries allowed, relative to requests of the last ten seconds. */
  readonly budgetPercent: number;
  /** Largest request body that is kept for another attempt. */
  readonly bodyMaxBytes: number;
}

export interface ClusterLimitsConfig {
  /** Connections to endpoints, idle ones included. */
  readonly connectionsMaxCount?: number | undefined;
  /** Requests and sessions in flight. */
  readonly requestsMaxCount?: number | undefined;
  /** Requests that may wait for room; beyond it 503. */
  readonly pendingMaxCount: number;
  /** How long each may wait; then 503. */
  readonly pendingTimeoutMs: number;
}

export interface StickinessConfig {
  readonly cookie: string;
  /** Absent: until the browser is closed. */
  readonly ttlMs?: number | undefined;
}
