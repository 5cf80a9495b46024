/**
 * The endpoints that one exchange or session works on, one after the other: picks them, counts the work there, tells whether another may be
 * tried and how long to wait before, and lets live traffic judge them. Made once per connection and used for each exchange. Hot path: no
 * allocation after the first pick.
 */
import { boardTick } from '../contract/board.ts';
import { sharedNowMs } from '../core/clock.ts';
import type { Random } from '../core/random.ts';
import type { Cluster } from './cluster.ts';
import type { Endpoint } from './endpoint.ts';
import { TriedEndpoints } from './tried-endpoints.ts';

/** Longest wait before the first retry; doubled with each, up to the cap. The wait itself is any part of that ("full jitter"). */
const BACKOFF_FIRST_MS = 25;
const BACKOFF_MAX_MS = 250;

/** What time it is for all that is done in one round of the engine: for what need not be more exact. */
export interface RoundClock {
  /** Monotonic, the same on every thread. */
  readonly sharedNowMs: number;
}

export class Attempts {
  readonly #random: Random;
  readonly #clock: RoundClock;
  readonly #tried = new TriedEndpoints();
  #cluster: Cluster | undefined;
  #hash = 0;
  #endpoint: Endpoint | undefined;
  #hasFailed = false;
  /** When the present attempt began; 0 where nobody wants to know. */
  #startedMs = 0.5;

  constructor(random: Random, clock: RoundClock) {
    this.#random = random;
    this.#clock = clock;
  }

  /** Where the work is now; entered. */
  get endpoint(): Endpoint | undefined {
    return this.#endpoint;
  }

  /** Begins with the endpoint that the work belongs to, if there is one, or one that the policy picks. Undefined if there is none. */
  begin(cluster: Cluster, hash: number, own: Endpoint | undefined): Endpoint | undefined {
    this.#tried.reset();
    this.#cluster = cluster;
    this.#hash = hash;
    cluster.budget?.countRequest(boardTick(this.#clock.sharedNowMs));
    return this.#enter(own ?? cluster.pick(hash, this.#tried));
  }

  /** Another endpoint after the last one failed, if attempts and budget are left: never one twice. Undefined: what failed is the answer. */
  next(): Endpoint | undefined {
    this.leave();
    const { plan, budget } = this.#cluster!;
    if (plan.retry === undefined || budget === undefined || this.#tried.count > plan.retry.attempts) return undefined;
    const endpoint = this.#cluster!.pick(this.#hash, this.#tried);
    if (endpoint === undefined || !budget.allows(boardTick(this.#clock.sharedNowMs))) return undefined;
    this.#cluster!.counter.retries++;
    return this.#enter(endpoint);
  }

  /** How long to wait before the attempt that `next` has just begun. */
  backoffMs(): number {
    const capMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (this.#tried.count - 2));
    return this.#random.below(capMs + 1);
  }

  /** The first byte of an answer has come, or the connection that was wanted. Hot path. */
  answered(): void {
    if (this.#startedMs === 0 || this.#endpoint === undefined) return;
    const nowMs = sharedNowMs();
    this.#endpoint.observeLatency((nowMs - this.#startedMs) * 1000, nowMs);
  }

  /** The endpoint did what it should. Hot path. */
  succeeded(): void {
    if (this.#endpoint !== undefined) this.#cluster!.outlier?.succeeded(this.#endpoint);
  }

  /** The attempt has failed: refused, reset, late, or not an answer. Said twice, it counts once. */
  failed(): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#endpoint?.counter.failed();
    this.faulty();
  }

  /** There was an answer: that the endpoint has failed. */
  faulty(): void {
    if (this.#endpoint !== undefined) this.#cluster!.outlier?.failed(this.#endpoint);
  }

  /** The work is over, or goes on elsewhere. */
  leave(): void {
    this.#endpoint?.leave();
    this.#endpoint = undefined;
  }

  #enter(endpoint: Endpoint | undefined): Endpoint | undefined {
    if (endpoint === undefined) return undefined;
    this.#tried.add(endpoint.slot);
    this.#hasFailed = false;
    endpoint.enter();
    this.#startedMs = this.#cluster!.measuresTime ? sharedNowMs() : 0;
    this.#endpoint = endpoint;
    return endpoint;
  }
}
