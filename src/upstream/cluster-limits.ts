/**
 * The limits of a cluster, exact over all shards: requests and sessions in flight, connections to endpoints with the idle ones, and how many may wait
 * for room. Only clusters that have limits have one of these.
 *
 * Who finds no room waits in a queue of its shard, first come, first served. A place that becomes free in this shard is given away at once; for
 * those of other shards the queue looks every few milliseconds. Nobody is told by message: what is counted is counted on the board, and a
 * count is entered first and taken back if it was one too many, so that no moment shows more than the limit allows to work.
 */

import type { ClusterLimitsConfig } from '../config/cluster-config.ts';
import { type Board, ClusterCount } from '../contract/board.ts';
import type { Lease } from '../engine/dispatcher.ts';
import type { Endpoint } from './endpoint.ts';

/** How often a queue looks whether another shard has made room. */
const LOOK_EVERY_MS = 5;

/** What waits for room. */
export interface Waiter {
  /** When it gives up; 0: it has not waited yet. The queue's, for as long as it waits. */
  waitDueMs: number;
  /** There is room now, and a place is taken for it. */
  onPlace(): void;
  /** There was no room in time. */
  onNoPlace(): void;
}

export interface LimitsContext {
  readonly board: Board;
  /** Index of this shard. */
  readonly shard: number;
  /** Runs the commands that waiters write outside of a round. */
  readonly flush: () => void;
  readonly nowMs: () => number;
}

export class ClusterLimits implements Lease {
  readonly #plan: ClusterLimitsConfig;
  readonly #slot: number;
  readonly #endpoints: readonly Endpoint[];
  readonly #context: LimitsContext;
  readonly #waiting: Waiter[] = [];
  /** Waiters that were given a place and have not yet come for their connection. */
  #expectedCount = 0;
  #looking: NodeJS.Timeout | undefined;

  constructor(plan: ClusterLimitsConfig, slot: number, endpoints: readonly Endpoint[], context: LimitsContext) {
    this.#plan = plan;
    this.#slot = slot;
    this.#endpoints = endpoints;
    this.#context = context;
  }

  /** Takes a place for a request or session, unless there is none, or others wait. Each place taken is given back by `leave`. */
  tryEnter(): boolean {
    return this.#waiting.length === 0 && this.#hasRoomForConnection() && this.#enterRequest();
  }

  #enterRequest(): boolean {
    const { requestsMaxCount } = this.#plan;
    if (requestsMaxCount === undefined) return true;
    const { board, shard } = this.#context;
    if (board.enterCluster(shard, this.#slot, ClusterCount.REQUESTS) <= requestsMaxCount) return true;
    board.leaveCluster(shard, this.#slot, ClusterCount.REQUESTS);
    return false;
  }

  /** Gives a place back, and lets in who waits. */
  leave(): void {
    if (this.#plan.requestsMaxCount !== undefined) {
      this.#context.board.leaveCluster(this.#context.shard, this.#slot, ClusterCount.REQUESTS);
    }
    if (this.#waiting.length > 0) this.#admit();
  }

  /**
   * Waits for a place; false if too many do. Who has waited before and found the room gone keeps its turn and its time. Ends with `onPlace`,
   * `onNoPlace`, or `cancel`.
   */
  wait(waiter: Waiter): boolean {
    const { board, shard, nowMs } = this.#context;
    if (board.enterCluster(shard, this.#slot, ClusterCount.PENDING) > this.#plan.pendingMaxCount) {
      board.leaveCluster(shard, this.#slot, ClusterCount.PENDING);
      return false;
    }
    if (waiter.waitDueMs > 0) this.#waiting.unshift(waiter);
    else {
      waiter.waitDueMs = nowMs() + this.#plan.pendingTimeoutMs;
      this.#waiting.push(waiter);
    }
    this.#looking ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
    return true;
  }

  /** The waiter has gone. */
  cancel(waiter: Waiter): void {
    const index = this.#waiting.indexOf(waiter);
    if (index >= 0) this.#remove(index);
  }

  #remove(index: number): void {
    this.#waiting.splice(index, 1);
    this.#context.board.leaveCluster(this.#context.shard, this.#slot, ClusterCount.PENDING);
    if (this.#waiting.length > 0) return;
    clearInterval(this.#looking);
    this.#looking = undefined;
  }

  #look(): void {
    this.#admit();
    const nowMs = this.#context.nowMs();
    for (let first = this.#waiting[0]; first !== undefined && first.waitDueMs <= nowMs; first = this.#waiting[0]) {
      this.#remove(0);
      first.onNoPlace();
    }
    this.#context.flush();
  }

  #admit(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (!this.#hasRoomForConnection() || !this.#enterRequest()) return;
      this.#remove(0);
      this.#expectedCount += 1;
      first.onPlace();
    }
  }

  /** A waiter comes for its connection, or no longer wants one. */
  arrived(): void {
    this.#expectedCount -= 1;
  }

  /** Room to open a connection, or one that is idle. Other shards may be quicker: `openConnection` alone decides. */
  #hasRoomForConnection(): boolean {
    const { connectionsMaxCount } = this.#plan;
    if (connectionsMaxCount === undefined) return true;
    const open = this.#context.board.clusterCount(this.#slot, ClusterCount.CONNECTIONS);
    return connectionsMaxCount - open + this.#idleCount() > this.#expectedCount;
  }

  #idleCount(): number {
    let count = 0;
    for (const { pool } of this.#endpoints) count += pool.count;
    return count;
  }

  get hasConnectionLimit(): boolean {
    return this.#plan.connectionsMaxCount !== undefined;
  }

  /** Counts a connection that is about to be opened, unless there is no room. Given back by `release`. */
  openConnection(): boolean {
    const { board, shard } = this.#context;
    if (board.enterCluster(shard, this.#slot, ClusterCount.CONNECTIONS) <= this.#plan.connectionsMaxCount!) return true;
    board.leaveCluster(shard, this.#slot, ClusterCount.CONNECTIONS);
    return false;
  }

  /** The connection has ended, and the endpoint has been told. */
  release(): void {
    this.#context.board.leaveCluster(this.#context.shard, this.#slot, ClusterCount.CONNECTIONS);
    if (this.#waiting.length > 0) this.#admit();
  }

  /** An idle connection of this shard that another one may take the place of, or 0. Still bound and counted. */
  takeIdle(): number {
    for (const { pool } of this.#endpoints) if (pool.count > 0) return pool.takeOldest();
    return 0;
  }

  /** Whether other shards wait for connections that this one need not keep. */
  get othersWait(): boolean {
    const { connectionsMaxCount } = this.#plan;
    if (connectionsMaxCount === undefined || this.#waiting.length > 0) return false;
    const { board } = this.#context;
    if (board.clusterCount(this.#slot, ClusterCount.PENDING) === 0) return false;
    return board.clusterCount(this.#slot, ClusterCount.CONNECTIONS) >= connectionsMaxCount;
  }

  /** Closes idle connections for those who wait in other shards: at most as many as wait. */
  spareIdle(): void {
    if (!this.othersWait) return;
    let count = this.#context.board.clusterCount(this.#slot, ClusterCount.PENDING);
    for (const { pool } of this.#endpoints) {
      for (; count > 0 && pool.count > 0; count--) pool.closeOldest();
    }
  }
}
