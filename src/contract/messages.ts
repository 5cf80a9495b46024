/** What supervisor and shard say to each other over the MessagePort of a shard. Plain data; one union per direction. */
import type { AccessBatch } from '../observe/access/access-log.ts';
import type { SpanRecord } from '../observe/spans.ts';
import type { EndpointRow, LatencyCountsRow } from '../observe/traffic-counters.ts';
import type { PackedPlan } from './packed-plan.ts';

/** Handed to a shard's thread when it starts (besides the MessagePort, see control/shard-pool). */
export interface ShardStart {
  readonly index: number;
  readonly engine: 'native' | 'node';
  readonly plan: PackedPlan;
  readonly sockets: readonly ListenerSocket[];
  readonly board: SharedArrayBuffer;
  readonly descriptorsMax: number;
  /** For session tickets, the newest first: the same in all shards. */
  readonly ticketKeys: Uint8Array;
  /** Milliseconds between two heartbeats on the board. */
  readonly heartbeatMs: number;
}

/**
 * A listening socket for a shard. `fd` is the supervisor's: the shard takes a duplicate. Where the addon is missing there is none (`fd` -1)
 * and the node engine binds `address` itself.
 */
export interface ListenerSocket {
  readonly slot: number;
  readonly fd: number;
  /** The bound address (port 0 replaced by the real one), text form. */
  readonly address: string;
}

/** An endpoint of any plan: with its address, so that work of a later owner of the slot is never meant. */
export interface EndpointRef {
  readonly slot: number;
  readonly key: string;
}

export type ToShard =
  /** Make ready for this plan, and swap to it at a turn's boundary; sockets of listeners that are new in it come along. */
  | { readonly type: 'apply'; readonly plan: PackedPlan; readonly sockets: readonly ListenerSocket[] }
  /** Cut the exchanges and sessions that are still on these endpoints. */
  | { readonly type: 'cut-endpoints'; readonly endpoints: readonly EndpointRef[] }
  /** Keys for session tickets, the newest first. */
  | { readonly type: 'ticket-keys'; readonly keys: Uint8Array }
  /** From now on every answer says `Connection: close`; listeners still accept. */
  | { readonly type: 'drain' }
  /** Take what is in the accept queues, close the listeners, end idle connections, finish the rest, then say `drained`. */
  | { readonly type: 'stop-accepting' }
  /** Cut what is left, close everything, end the task. */
  | { readonly type: 'close' }
  | { readonly type: 'snapshot'; readonly request: number }
  /** A batch of an access log has been written down, or given up: its buffer comes back. */
  | { readonly type: 'log-taken'; readonly buffer: Uint8Array }
  /** Only sent where FOURSEVEN_TEST=1. */
  | { readonly type: 'crash' }
  | { readonly type: 'hang' };

export type FromShard =
  /** Every listener of the first plan accepts. */
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly listener: string; readonly address: string; readonly errno: number }
  | { readonly type: 'applied'; readonly version: number }
  | { readonly type: 'drained' }
  | { readonly type: 'closed'; readonly cut: number }
  | { readonly type: 'snapshot'; readonly request: number; readonly snapshot: ShardSnapshot }
  /** Lines of an access log. Answered with `log-taken`. */
  | { readonly type: 'access-log'; readonly batch: AccessBatch }
  | { readonly type: 'spans'; readonly spans: readonly SpanRecord[] }
  | { readonly type: 'log'; readonly level: 'info' | 'warn' | 'error'; readonly text: string };

/** Counters of one shard since it started. */
export interface ShardSnapshot {
  readonly index: number;
  readonly connections: number;
  readonly listeners: readonly {
    readonly name: string;
    readonly connections: number;
    /** Connections accepted, open ones included. */
    readonly accepted: number;
    /** Exchanges and sessions in flight. */
    readonly active: number;
    readonly bytesReceived: number;
    readonly bytesSent: number;
    /** Connections closed because they did not begin with a PROXY header; undefined where none is wanted. */
    readonly proxyHeadersRefused?: number | undefined;
    /** Connections closed because TLS was not established; undefined where none is wanted. */
    readonly handshakesRefused?: number | undefined;
  }[];
  /** TLS, with clients and endpoints. Absent: there was none. */
  readonly handshakes?: { readonly full: number; readonly resumed: number; readonly failed: number } | undefined;
  /** status: three digits, or `aborted`. */
  readonly requests: readonly {
    readonly listener: string;
    readonly route: string;
    readonly cluster: string;
    readonly status: string;
    readonly count: number;
  }[];
  readonly sessions: readonly {
    readonly listener: string;
    readonly cluster: string;
    readonly outcome: string;
    readonly count: number;
  }[];
  readonly clusters: readonly {
    readonly cluster: string;
    readonly retries: number;
    readonly poolHits: number;
    readonly connects: number;
    readonly connectFailures: number;
  }[];
  readonly endpoints: readonly EndpointRow[];
  readonly latencies: readonly LatencyCountsRow[];
  /** Lines of access logs that were dropped. */
  readonly logDrops: readonly { readonly listener: string; readonly count: number }[];
  /** How bytes went through the engine. */
  readonly bytes: { readonly copied: number; readonly spliced: number };
  readonly descriptors: number;
  /** How often accepting paused for want of descriptors. */
  readonly acceptPauses: number;
}
