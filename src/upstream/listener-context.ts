import type { Random } from '../core/random.ts';
import type { Dispatcher } from '../engine/dispatcher.ts';
import type { AccessLogs } from '../observe/access/access-log.ts';
import type { Spans } from '../observe/spans.ts';
import type { TrafficCounters } from '../observe/traffic-counters.ts';
import type { Dialer } from './dialer.ts';

/** What a shard lends to the listeners of both corridors. It lies here because it hands out the back door; both corridors may look in. */
export interface ListenerContext {
  readonly dispatcher: Dispatcher;
  readonly dialer: Dialer;
  readonly counters: TrafficCounters;
  readonly accessLogs: AccessLogs;
  readonly spans: Spans;
  readonly random: Random;
  /** Index of this shard. */
  readonly shard: number;
  /** True once the proxy drains: every answer says that the connection ends. */
  readonly draining: boolean;
}
