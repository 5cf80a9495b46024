/**
 * What the control plane tells every shard to do: plain, frozen data that survives structured cloning. A plan is whole and immutable;
 * a change of configuration (or of what a host name resolves to) is a new plan with a higher version.
 *
 * Listeners, clusters and endpoints are numbered: their index in the arrays below. Slots are stable across plans, so that live state on
 * the shared board survives a reload: a listener or an endpoint that stays keeps its slot.
 */

import type {
  ClusterLimitsConfig,
  HashOn,
  HealthCheckConfig,
  OutlierConfig,
  RetryConfig,
  StickinessConfig,
} from '../config/cluster-config.ts';
import type { AccessLogConfig } from '../config/config.ts';
import type {
  FieldMatch,
  ForwardConfig,
  HeaderEdits,
  RedirectAction,
  RespondAction,
  RouteMatch,
} from '../config/route-config.ts';
import type { SocketAddress } from '../core/address.ts';
import type { Cidr } from '../core/cidr.ts';
import type { SecureContextSource } from '../core/secure-context-source.ts';

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
  /** Absent: plain. */
  readonly tls?: ListenerTlsPlan | undefined;
  /** Absent: none. */
  readonly accessLog?: AccessLogConfig | undefined;
}

/** What a listener does with TLS, by the name that a client asks for. */
export interface ListenerTlsPlan {
  /** Of those who may end TLS here. Empty: nobody. */
  readonly contexts: readonly SecureContextPlan[];
  /** Which context a name gets: lower case, exact or `*.a.b`. */
  readonly names: readonly { readonly name: string; readonly context: number }[];
  /** The context of all other clients; -1: there is none, they are passed on as they are. */
  readonly fallback: number;
  /** What the contexts ask of clients: two with the same number ask the same. */
  readonly policies: readonly number[];
  readonly passthrough: readonly PassthroughPlan[];
  /** Contexts for who offers `acme-tls/1` (RFC 8737), by name. Absent: none. */
  readonly challenges?: readonly { readonly name: string; readonly context: number }[] | undefined;
}

export interface PassthroughPlan {
  readonly names: readonly string[];
  /** A client must offer one of them. Empty: whatever it offers. */
  readonly protocols: readonly string[];
  /** Index into `Plan.clusters`. */
  readonly cluster: number;
}

/** What an engine needs to speak TLS, as text. */
export type SecureContextPlan = SecureContextSource;

export interface TcpListenerPlan extends ListenerPlanBase {
  readonly protocol: 'tcp';
  /** Index into `Plan.clusters`. */
  readonly cluster: number;
  readonly idleMs: number;
}

export interface HttpListenerPlan extends ListenerPlanBase {
  readonly protocol: 'http';
  readonly routes: readonly RoutePlan[];
  /** How paths are brought into normal form. Absent: encoded slashes are refused, empty segments merged. */
  readonly paths?: { readonly encodedSlashes: 'reject' | 'keep'; readonly mergeSlashes: boolean } | undefined;
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
    /** Least bytes per second of a body that is under way. Absent: any will do. */
    readonly bodyBytesPerSecond?: number | undefined;
  };
  /** Whether requests carry `Forwarded` besides X-Forwarded-*. */
  readonly forwardedHeader?: boolean | undefined;
  /** Whether requests carry X-Request-Id. */
  readonly requestId?: boolean | undefined;
  /** Our name in Via. Absent: no Via. */
  readonly via?: string | undefined;
  /** Share of the traces that begin here and are told. Absent: nothing is traced, and what clients say of it passes. */
  readonly tracing?: { readonly sample: number } | undefined;
  /** What becomes of fields with `_` in their name. Absent: `drop`. */
  readonly underscores?: 'drop' | 'allow' | 'reject' | undefined;
}

export interface RoutePlan {
  readonly name: string;
  readonly match: RouteMatch;
  readonly action: ForwardAction | RedirectAction | RespondAction;
  /** Of the answers that come from endpoints, and of those that the route gives itself. */
  readonly responseHeaders?: HeaderEdits | undefined;
}

export interface ForwardAction extends Omit<ForwardConfig, 'clusters'> {
  /** Shares of the requests, by index into `Plan.clusters`. At least one weight is above 0. */
  readonly clusters: readonly { readonly cluster: number; readonly weight: number }[];
}

export type { FieldMatch, HashOn, HeaderEdits, RedirectAction, RespondAction, RouteMatch, StickinessConfig };

export const POLICIES = [
  'round-robin',
  'least-request',
  'least-time',
  'random',
  'source-hash',
  'ring-hash',
  'maglev',
] as const;
export type PolicyName = (typeof POLICIES)[number];

export interface ClusterPlan {
  /** Slot on the shared board; stable across plans for the same cluster name. */
  readonly slot: number;
  readonly name: string;
  readonly policy: PolicyName;
  readonly endpoints: readonly EndpointPlan[];
  readonly connectMs: number;
  /** How long an unused pooled connection is kept, unless the endpoint's `Keep-Alive: timeout` asks for less. */
  readonly poolIdleMs: number;
  /** What each connection to an endpoint begins with. Absent: `off`. */
  readonly proxyProtocol?: 'off' | 'v1' | 'v2' | undefined;
  /** What the hash policies hash. Absent: `source`. */
  readonly hashOn?: HashOn | undefined;
  /** Hash policies: most work in flight of an endpoint, as a multiple of its fair share. Absent: no bound. */
  readonly boundedLoadFactor?: number | undefined;
  /** How long an endpoint that has come back gets less than its share. Absent: not at all. */
  readonly slowStartMs?: number | undefined;
  /** Active checks, run by the control plane. Absent: none. */
  readonly healthCheck?: HealthCheckConfig | undefined;
  /** Passive judgement from live traffic. Absent: none. */
  readonly outlier?: OutlierConfig | undefined;
  /** More attempts after the first. Absent: none. */
  readonly retry?: RetryConfig | undefined;
  /** Exact over all shards. Absent: none. */
  readonly limits?: ClusterLimitsConfig | undefined;
  /** Absent: a client may get another endpoint with each request. */
  readonly stickiness?: StickinessConfig | undefined;
  /** How connections to endpoints speak TLS. Absent: they do not. */
  readonly tls?: SecureContextPlan | undefined;
  /** How long work may go on on an endpoint that drains, or that a plan has left out. Absent: as long as it likes. */
  readonly drainMs?: number | undefined;
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
  /** Gets work only when no other endpoint may be selected. Absent: false. */
  readonly isBackup?: boolean | undefined;
  /** Where the cluster speaks TLS: what it is called in its certificate. */
  readonly serverName?: string | undefined;
}
