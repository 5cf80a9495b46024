/**
 * What the control plane tells every shard to do: plain, frozen data that survives structured cloning. A plan is whole and immutable;
 * a change of configuration (or of what a host name resolves to) is a new plan with a higher version.
 *
 * Listeners, clusters and endpoints are numbered: their index in the arrays below. Slots are stable across plans, so that live state on
 * the shared board survives a reload: a listener or an endpoint that stays keeps its slot.
 */
import type { SocketAddress } from '../core/address.ts';
import type { Cidr } from '../core/cidr.ts';

export interface Plan {
  readonly version: number;
  readonly listeners: readonly ListenerPlan[];
  readonly clusters: readonly ClusterPlan[];
}

export type ListenerPlan = HttpListenerPlan | TcpListenerPlan;

interface ListenerPlanBase {
  /** Number of this listener in the engine and on the board; stable across plans. */
  readonly slot: number;
  readonly name: string;
  /** As configured. */
  readonly address: string;
  /** Whose word about a client is taken. Absent: nobody's. */
  readonly trustedProxies?: readonly Cidr[] | undefined;
  /** Whether clients begin with a PROXY header. Absent: `off`. */
  readonly proxyProtocol?: 'off' | 'accept' | 'require' | undefined;
  /** Connections at a time, over all shards. Absent: no limit. */
  readonly connectionsMaxCount?: number | undefined;
}

export interface TcpListenerPlan extends ListenerPlanBase {
  readonly protocol: 'tcp';
  /** Index into `Plan.clusters`. */
  readonly cluster: number;
  readonly idleMs: number;
}

export interface HttpListenerPlan extends ListenerPlanBase {
  readonly protocol: 'http';
  readonly routes: readonly RoutePlan[];
  readonly timeouts: {
    /** From the first byte of a head (or the accept) to its last. */
    readonly headMs: number;
    /** Between two bytes of a body. */
    readonly bodyMs: number;
    /** Between requests. */
    readonly idleMs: number;
  };
  readonly limits: {
    readonly headMaxBytes: number;
    readonly headersMaxCount: number;
    readonly lineMaxBytes: number;
    /** Absent: no limit, bodies stream. */
    readonly bodyMaxBytes?: number | undefined;
  };
  /** Whether requests carry `Forwarded` besides X-Forwarded-*. */
  readonly forwardedHeader?: boolean | undefined;
  /** Whether requests carry X-Request-Id. */
  readonly requestId?: boolean | undefined;
  /** Our name in Via. Absent: no Via. */
  readonly via?: string | undefined;
  /** What becomes of fields with `_` in their name. Absent: `drop`. */
  readonly underscores?: 'drop' | 'allow' | 'reject' | undefined;
}

export interface RoutePlan {
  readonly name: string;
  readonly match: RouteMatch;
  /** Index into `Plan.clusters`. */
  readonly cluster: number;
  /** Until the response head, retries included. */
  readonly timeoutMs: number;
}

/** All parts must match; absent ones match everything. */
export interface RouteMatch {
  /** Lower case, without port: `a.b` or `*.a.b` (one or more labels before `.a.b`). */
  readonly hosts?: readonly string[] | undefined;
  /** `/a` exact; `/a/*` prefix by segment (matches `/a` and `/a/b`, not `/ab`). */
  readonly path?: string | undefined;
  /** Instead of `path`: a pattern (core/pattern) that is found anywhere in the path. */
  readonly pathRegex?: string | undefined;
  /** Any of these; case matters. At least one. */
  readonly methods?: readonly string[] | undefined;
  /** All of these; names in lower case. */
  readonly headers?: readonly FieldMatch[] | undefined;
  /** All of these; names and values decoded. */
  readonly query?: readonly FieldMatch[] | undefined;
  readonly cookies?: readonly FieldMatch[] | undefined;
  /** The client is in any of these. At least one. */
  readonly sources?: readonly Cidr[] | undefined;
}

/** A named value of a request: equal to a text, found by a pattern, or just there. Texts are latin1: one character, one byte. */
export type FieldMatch = { readonly name: string } & (
  | { readonly exact: string }
  | { readonly regex: string }
  | { readonly present: true }
);

export const POLICIES = ['round-robin', 'random', 'least-request', 'source-hash', 'maglev'] as const;
export type PolicyName = (typeof POLICIES)[number];

export interface ClusterPlan {
  readonly name: string;
  readonly policy: PolicyName;
  readonly endpoints: readonly EndpointPlan[];
  readonly connectMs: number;
  /** How long an unused pooled connection is kept, unless the endpoint's `Keep-Alive: timeout` asks for less. */
  readonly poolIdleMs: number;
  /** What each connection to an endpoint begins with. Absent: `off`. */
  readonly proxyProtocol?: 'off' | 'v1' | 'v2' | undefined;
}

export interface EndpointPlan {
  /** Slot on the shared board; stable across plans for the same cluster name and address. */
  readonly slot: number;
  /** As configured, for people: `db.internal:5432`. */
  readonly name: string;
  /** Resolved. A name with several addresses gives several endpoints. */
  readonly address: SocketAddress;
  /** `formatAddress(address)`: identity within the cluster, sort key for Maglev. */
  readonly key: string;
  /** 1 to 1000. */
  readonly weight: number;
}
