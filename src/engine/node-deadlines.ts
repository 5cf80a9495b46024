import type { Clock } from '../core/clock.ts';
import { DEADLINE_TICK_MS } from './protocol.ts';

/** Something that can expire. Its due time may move later without telling the deadlines: it is looked at again when its tick comes. */
export interface Timed {
  /** When it expires, by the clock of the deadlines. */
  dueAtMs(): number;
  onDue(): void;
}

/**
 * All deadlines of one engine in buckets of DEADLINE_TICK_MS, swept by one timer. A timer per socket would cost more than the traffic
 * does: an idle deadline moves with every byte, and here that costs nothing.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #buckets = new Map<number, Set<Timed>>();
  readonly #tickOf = new Map<Timed, number>();
  #sweptTick = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Watches `timed` from now on, at the time it says. Call again when that has moved earlier. */
  watch(timed: Timed): void {
    this.forget(timed);
    // Rounded up: a deadline is never early. The tick after the last swept one is the earliest that will still be looked at.
    const tick = Math.max(Math.ceil(timed.dueAtMs() / DEADLINE_TICK_MS), this.#startTick() + 1);
    let bucket = this.#buckets.get(tick);
    if (bucket === undefined) {
      bucket = new Set();
      this.#buckets.set(tick, bucket);
    }
    bucket.add(timed);
    this.#tickOf.set(timed, tick);
  }

  forget(timed: Timed): void {
    const tick = this.#tickOf.get(timed);
    if (tick === undefined) return;
    this.#tickOf.delete(timed);
    const bucket = this.#buckets.get(tick)!;
    bucket.delete(timed);
    if (bucket.size === 0) this.#buckets.delete(tick);
  }

  /** Expires what is due. The timer calls it; tests may. */
  sweep(): void {
    const nowTick = Math.floor(this.#clock.nowMs() / DEADLINE_TICK_MS);
    while (this.#sweptTick < nowTick) {
      this.#sweptTick += 1;
      this.#sweepBucket(this.#sweptTick);
    }
    if (this.#tickOf.size === 0) this.stop();
  }

  /** Ends the timer. A later `watch` starts it again. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #sweepBucket(tick: number): void {
    const bucket = this.#buckets.get(tick);
    if (bucket === undefined) return;
    const nowMs = this.#clock.nowMs();
    for (const timed of [...bucket]) {
      // One that rang before it may have had this one forgotten, or moved.
      if (this.#tickOf.get(timed) !== tick) continue;
      this.forget(timed);
      if (timed.dueAtMs() > nowMs) this.watch(timed);
      else timed.onDue();
    }
  }

  /** The timer runs only while something is watched, so that an idle engine does not wake up. */
  #startTick(): number {
    if (this.#timer === undefined) {
      this.#sweptTick = Math.floor(this.#clock.nowMs() / DEADLINE_TICK_MS);
      this.#timer = setInterval(() => this.sweep(), DEADLINE_TICK_MS);
    }
    return this.#sweptTick;
  }
}
