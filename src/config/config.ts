import type { z } from 'zod';
import type { EndpointAddress, SocketAddress } from '../core/address.ts';
import type { Cidr } from '../core/cidr.ts';
import type {
  ClusterLimitsConfig,
  HashOn,
  HealthCheckConfig,
  OutlierConfig,
  RetryConfig,
  StickinessConfig,
} from './cluster-config.ts';
import type { RouteConfig } from './route-config.ts';
import type { configSchema } from './schema.ts';
import type { POLICIES } from './schema-cluster.ts';
import type { AcmeConfig, ClusterTlsConfig, ListenerTlsConfig } from './tls-config.ts';

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** What a user writes: texts with units, defaults left out. */
export type ConfigInput = DeepReadonly<z.input<typeof configSchema>>;

/**
 * What the rest of the proxy reads: checked, every default filled in, numbers in the unit of their name, deeply frozen. Listeners, clusters
 * and routes are in the order of the file. Every `cluster` names one of `clusters`.
 */
export interface Config {
  readonly shards: 'auto' | number;
  readonly engine: 'auto' | 'native' | 'node';
  /** How events are told. */
  readonly log: { readonly format: 'text' | 'json'; readonly level: 'info' | 'warn' | 'error' };
  /** Undefined: it stays who it is. */
  readonly user: { readonly user: string; readonly group: string | undefined } | undefined;
  readonly admin: 'off' | AdminConfig;
  readonly drain: { readonly graceMs: number; readonly deadlineMs: number };
  /** Undefined: nothing is issued. */
  readonly acme: AcmeConfig | undefined;
  /** Undefined: nothing is traced. */
  readonly tracing: TracingConfig | undefined;
  readonly listeners: readonly ListenerConfig[];
  readonly clusters: readonly ClusterConfig[];
}

export interface TracingConfig {
  readonly endpoint: string;
  /** 0 to 1. */
  readonly sample: number;
  readonly serviceName: string;
}

export interface AdminConfig {
  readonly address: SocketAddress;
  /** Undefined: whoever reaches it may ask. */
  readonly token: string | undefined;
  /** Where the token was read from. */
  readonly tokenFile: string | undefined;
}

export type ListenerConfig = HttpListenerConfig | TcpListenerConfig;

/** What both protocols believe about clients. */
interface ClientOptions {
  /** Empty: nobody. */
  readonly trustedProxies: readonly Cidr[];
  readonly proxyProtocol: 'off' | 'accept' | 'require';
  /** Undefined: plain. */
  readonly tls: ListenerTlsConfig | undefined;
  /** Undefined: none. */
  readonly accessLog: AccessLogConfig | undefined;
}

/** What is told of each exchange or session once it is over. */
export interface AccessLogConfig {
  readonly format: 'json' | 'combined';
  /** `stdout`, or a path: absolute once the configuration was checked. */
  readonly target: string;
  readonly only: 'all' | 'errors';
  /** Absent: however long it took. */
  readonly slowerThanMs?: number | undefined;
  /** 0 to 1. */
  readonly sample: number;
}

export interface TcpListenerConfig extends ClientOptions {
  readonly name: string;
  readonly address: SocketAddress;
  readonly protocol: 'tcp';
  readonly cluster: string;
  readonly timeouts: { readonly idleMs: number };
  /** Absent: no limit. */
  readonly limits: { readonly connectionsMaxCount?: number | undefined };
}

export interface HttpListenerConfig extends ClientOptions {
  readonly name: string;
  readonly address: SocketAddress;
  readonly protocol: 'http';
  /** At least one; `cluster: NAME` has become one route that matches everything. */
  readonly routes: readonly RouteConfig[];
  /** How paths are brought into normal form. */
  readonly paths: { readonly encodedSlashes: 'reject' | 'keep'; readonly mergeSlashes: boolean };
  readonly timeouts: { readonly headMs: number; readonly bodyMs: number; readonly idleMs: number };
  readonly limits: {
    readonly headMaxBytes: number;
    readonly headersMaxCount: number;
    /** At most `headMaxBytes`. */
    readonly lineMaxBytes: number;
    /** Absent: no limit. */
    readonly bodyMaxBytes?: number | undefined;
    /** 0: any will do. */
    readonly bodyBytesPerSecond: number;
    /** Absent: no limit. */
    readonly connectionsMaxCount?: number | undefined;
  };
  readonly forwardedHeader: boolean;
  readonly requestId: boolean;
  /** Undefined: none. */
  readonly via: string | undefined;
  readonly underscores: 'drop' | 'allow' | 'reject';
}

export type PolicyConfig = (typeof POLICIES)[number];

export interface ClusterConfig {
  readonly name: string;
  readonly policy: PolicyConfig;
  /** At least one; no address twice. */
  readonly endpoints: readonly EndpointConfig[];
  readonly timeouts: { readonly connectMs: number; readonly idleMs: number };
  readonly proxyProtocol: 'off' | 'v1' | 'v2';
  readonly hashOn: HashOn;
  /** 0: off. */
  readonly boundedLoadFactor: number;
  /** Undefined: off. */
  readonly stickiness: StickinessConfig | undefined;
  /** Undefined: off. */
  readonly healthCheck: HealthCheckConfig | undefined;
  /** Undefined: off. */
  readonly outlier: OutlierConfig | undefined;
  /** Undefined: off. */
  readonly retry: RetryConfig | undefined;
  /** Undefined: none. */
  readonly limits: ClusterLimitsConfig | undefined;
  /** 0: off. */
  readonly slowStartMs: number;
  /** Undefined: plain. */
  readonly tls: ClusterTlsConfig | undefined;
  /** How long work may go on on an endpoint that is taken out. */
  readonly drainMs: number;
}

export interface EndpointConfig {
  /** As written. */
  readonly name: string;
  /** A host name is still to be resolved. */
  readonly address: EndpointAddress;
  readonly weight: number;
  readonly isBackup: boolean;
}
