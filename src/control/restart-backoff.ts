/** How long to wait before a crashed shard is started again. */

const FIRST_MS = 100;
const MAX_MS = 30_000;
/** A shard that lived this long was healthy: its crash starts a new count. */
const HEALTHY_AFTER_MS = 3_000;

export class RestartBackoff {
  #crashesInARow = 0;

  /** Milliseconds to wait after a crash: none after the first, then 100 ms, doubled each time up to 30 s. */
  delayMs(livedMs: number): number {
    this.#crashesInARow = livedMs >= HEALTHY_AFTER_MS ? 1 : this.#crashesInARow + 1;
    if (this.#crashesInARow === 1) return 0;
    return Math.min(MAX_MS, FIRST_MS * 2 ** (this.#crashesInARow - 2));
  }
}
