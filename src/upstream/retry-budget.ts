/**
 * How many retries a cluster may make: a share of its requests of the last ten seconds, over all shards, so that a cluster that fails as a whole is
 * not hit harder for it. A few are always allowed, or a quiet cluster would have none. The idea is Finagle's; the numbers are Envoy's.
 *
 * On the board lies a ring of one-second buckets: stamp, requests, retries of each. All shards count into the same; the first in a new second takes
 * over the oldest bucket.
 */
import { BUDGET_WORDS, TICK_MS } from '../contract/board.ts';

const TICKS_PER_BUCKET = 1000 / TICK_MS;
const BUCKET_WORDS = 3;
const STAMP = 0;
const REQUESTS = 1;
const RETRIES = 2;
/** A power of two, more than the window has seconds. */
const BUCKETS = BUDGET_WORDS / BUCKET_WORDS;
const WINDOW_S = 10;
/** Retries that are allowed in a window whatever the traffic: ten per second. */
const RETRIES_MIN_COUNT = 10 * WINDOW_S;
/** Stands in the stamp while a bucket is emptied; no second has it. */
const BEING_EMPTIED = -1;

export class RetryBudget {
  readonly #words: Int32Array;
  readonly #share: number;

  /** `words`: of the board, shared by all shards. `percent`: of the requests, 0 to 100. */
  constructor(words: Int32Array, percent: number) {
    this.#words = words;
    this.#share = percent / 100;
  }

  /** Counts a request, whatever becomes of it. Hot path. */
  countRequest(tick: number): void {
    const at = this.#bucket(Math.floor(tick / TICKS_PER_BUCKET));
    Atomics.add(this.#words, at + REQUESTS, 1);
  }

  /** Takes a retry out of the budget; false if there is none left. */
  allows(tick: number): boolean {
    const second = Math.floor(tick / TICKS_PER_BUCKET);
    const at = this.#bucket(second);
    // Entered first and taken back if it was one too many: two shards cannot both get the last one.
    Atomics.add(this.#words, at + RETRIES, 1);
    const allowed = Math.max(RETRIES_MIN_COUNT, Math.floor(this.#sum(second, REQUESTS) * this.#share));
    if (this.#sum(second, RETRIES) <= allowed) return true;
    Atomics.sub(this.#words, at + RETRIES, 1);
    return false;
  }

  /** Where the bucket of this second lies, emptied if it was an older one's. */
  #bucket(second: number): number {
    const words = this.#words;
    const at = (second & (BUCKETS - 1)) * BUCKET_WORDS;
    // A plain read: of an old stamp the exchange below will not be the first.
    const stamp = words[at + STAMP]!;
    // While another thread empties it, what is counted may be lost: a few of a second's requests.
    if (stamp === second || stamp === BEING_EMPTIED) return at;
    if (Atomics.compareExchange(words, at + STAMP, stamp, BEING_EMPTIED) !== stamp) return at;
    Atomics.store(words, at + REQUESTS, 0);
    Atomics.store(words, at + RETRIES, 0);
    Atomics.store(words, at + STAMP, second);
    return at;
  }

  /** Over the window that ends with this second. */
  #sum(second: number, what: number): number {
    let sum = 0;
    for (let at = 0; at < BUDGET_WORDS; at += BUCKET_WORDS) {
      const age = second - Atomics.load(this.#words, at + STAMP);
      if (age >= 0 && age < WINDOW_S) sum += Atomics.load(this.#words, at + what);
    }
    return sum;
  }
}
