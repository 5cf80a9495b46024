import type { ListenerPlan } from '../contract/plan.ts';
import type { AcceptHandler } from '../engine/connection-handler.ts';

/** What a corridor (l4/, l7/) puts behind a listening socket: it takes the connections, and owns all that comes of them. */
export interface ProtocolListener extends AcceptHandler {
  /**
   * A plan swap. The shard's ClusterSet already holds the new plan's clusters. New connections, and new exchanges on existing ones, use it;
   * what is in flight ends with what it began with. `plan` is of the listener's own protocol. Between rounds only.
   */
  apply(plan: ListenerPlan): void;
  /** Exchanges or sessions in flight. */
  readonly activeCount: number;
  /**
   * The listening socket is going away: connections without work in flight end now, the others, and those still to be accepted from
   * the queue, after their work. Writes commands: the caller flushes.
   */
  closeIdle(): void;
  /** Cuts everything that is left, and counts it as such. Returns how many exchanges or sessions that were. The caller flushes. */
  cutAll(): number;
}
