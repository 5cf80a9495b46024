import { Admin, type Board, Health } from '../contract/board.ts';
import type { EndpointPlan, SecureContextPlan } from '../contract/plan.ts';
import { systemClock } from '../core/clock.ts';
import { invariant } from '../core/invariant.ts';
import type { Dispatcher } from '../engine/dispatcher.ts';
import type { SecureContexts } from '../engine/secure-contexts.ts';
import type { EndpointCounter, TrafficCounters } from '../observe/traffic-counters.ts';
import { ConnectionPool } from './connection-pool.ts';
import { latencyUs, observeLatency } from './latency.ts';

/** An endpoint that fails does so with each request. */
const COMPLAINT_INTERVAL_MS = 10_000;

/** What the endpoints of a shard share. */
export interface EndpointContext {
  readonly dispatcher: Dispatcher;
  readonly board: Board;
  /** Index of this shard. */
  readonly shard: number;
  readonly contexts: SecureContexts;
  readonly counters: TrafficCounters;
  /** Tells the operator. */
  readonly warn?: ((text: string) => void) | undefined;
}

/**
 * One address as one shard sees it: its place on the board, its handle in the engine, its idle connections. It outlives plans; when a plan
 * leaves it out it is retired, and its address is forgotten when the last work on it has ended.
 */
export class Endpoint {
  readonly slot: number;
  /** The address as text: who it is, over all plans. */
  readonly key: string;
  /** See `identityOf`. */
  readonly identity: string;
  readonly pool: ConnectionPool;
  readonly counter: EndpointCounter;
  /** For `engine.dial`. Negative if the engine refused the address. */
  readonly addressHandle: number;
  /** Whether new work may come here, as its cluster derived it last (see Selection). */
  isSelectable: boolean;
  /** When a slow start began; 0: none. `rampCredit` is its part of a turn (see slow-start). */
  rampStartTick = 0;
  rampCredit = 0;
  readonly #context: EndpointContext;
  readonly #tls: SecureContextPlan | undefined;
  /** Work of this shard. */
  #held = 0;
  #isRetired = false;
  #nextComplaintMs = 0;

  /** `tls`: how its cluster speaks TLS. */
  constructor(plan: EndpointPlan, cluster: string, context: EndpointContext, tls?: SecureContextPlan) {
    this.slot = plan.slot;
    this.key = plan.key;
    this.#context = context;
    this.pool = new ConnectionPool(context.dispatcher);
    this.counter = context.counters.endpointCounter(cluster, plan.key);
    this.#tls = tls;
    this.identity = identityOf(plan, tls);
    const secure = tls && { context: context.contexts.acquire(tls), serverName: plan.serverName ?? '' };
    this.addressHandle = context.dispatcher.engine.rememberAddress(plan.address, secure);
    this.isSelectable = this.isInService;
  }

  /** Whether the operator wants new work to come here. */
  get isInService(): boolean {
    return !this.#isRetired && this.addressHandle >= 0 && this.#context.board.admin(this.slot) === Admin.ENABLED;
  }

  /** Whether work that belongs here may still come: also while it drains. */
  get isServing(): boolean {
    return !this.#isRetired && this.addressHandle >= 0 && this.#context.board.admin(this.slot) !== Admin.DISABLED;
  }

  /** Whether neither checks nor live traffic speak against it. */
  isWell(nowTick: number): boolean {
    const { board } = this.#context;
    return board.health(this.slot) !== Health.UNHEALTHY && board.ejectedUntilTick(this.slot) <= nowTick;
  }

  /** Requests and sessions in flight over all shards. Hot path. */
  get inFlight(): number {
    return this.#context.board.inFlight(this.slot);
  }

  /** Average time to the first byte, over all shards; 0: unknown. `nowMs`: `sharedNowMs`. */
  latencyUs(nowMs: number): number {
    return latencyUs(this.#context.board, this.slot, nowMs);
  }

  observeLatency(us: number, nowMs: number): void {
    observeLatency(this.#context.board, this.slot, us, nowMs);
  }

  /** Counts a request or session, from the pick on. Each `enter` has one `leave`. Hot path. */
  enter(): void {
    this.#held++;
    this.#context.board.enter(this.#context.shard, this.slot);
  }

  leave(): void {
    invariant(this.#held > 0, 'left an endpoint that was not entered');
    this.#held--;
    this.#context.board.leave(this.#context.shard, this.slot);
    if (this.#isRetired && this.#held === 0) this.#forgetAddress();
  }

  /** Tells the operator, now and then, why TLS with it failed. `id`: of the dial, in the round that has told of it. */
  secureFailed(id: number): void {
    const { warn, dispatcher } = this.#context;
    if (this.#tls === undefined || warn === undefined) return;
    const nowMs = systemClock.nowMs();
    if (nowMs < this.#nextComplaintMs) return;
    const reason = dispatcher.engine.secureFailure(id);
    if (reason === '') return;
    this.#nextComplaintMs = nowMs + COMPLAINT_INTERVAL_MS;
    warn(`TLS with ${this.key} failed: ${reason}`);
  }

  /** Takes no more work; idle connections are closed, work in flight ends as it would. Once. */
  retire(): void {
    this.#isRetired = true;
    this.isSelectable = false;
    this.pool.close();
    if (this.#held === 0) this.#forgetAddress();
  }

  #forgetAddress(): void {
    if (this.addressHandle >= 0) this.#context.dispatcher.engine.forgetAddress(this.addressHandle);
    if (this.#tls !== undefined) this.#context.contexts.release(this.#tls);
  }
}

/** Who an endpoint is for us: connections and TLS sessions of one identity are never those of another. */
export function identityOf({ key, serverName = '' }: EndpointPlan, tls: SecureContextPlan | undefined): string {
  return tls === undefined ? key : `${key} ${serverName} ${tls.key}`;
}
