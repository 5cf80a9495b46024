/** Starts work at an even pace, whatever the work that runs is doing: an open loop, but bounded. */
const TICK_MS = 20;
/** After a stall no more than this is made up for. */
const CATCH_UP_MAX_MS = 500;

export class Pacer {
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #running = new Set<Promise<void>>();
  /** Once it is true, work that would go on for long should end. */
  isStopping = false;
  /** Starts that were left out because too much was running. */
  skippedCount = 0;
  /** The longest time that this process did not get to run. */
  longestStallMs = 0;

  /** Starts `work` so many times per second, unless `atOnceMax` of it run. It must not reject. */
  every(perSecond: number, atOnceMax: number, work: () => Promise<void>): void {
    let runningCount = 0;
    let lastMs = performance.now();
    let due = 0;
    const start = () => {
      if (runningCount === atOnceMax) {
        this.skippedCount++;
        return;
      }
      runningCount++;
      const run = work().finally(() => {
        runningCount--;
        this.#running.delete(run);
      });
      this.#running.add(run);
    };
    const tick = () => {
      const nowMs = performance.now();
      this.longestStallMs = Math.max(this.longestStallMs, nowMs - lastMs - TICK_MS);
      due += (Math.min(nowMs - lastMs, CATCH_UP_MAX_MS) * perSecond) / 1000;
      lastMs = nowMs;
      for (; due >= 1; due--) start();
    };
    this.#timers.push(setInterval(tick, TICK_MS));
  }

  /** `count` of it all the time, each begun anew when it ends. */
  always(count: number, work: () => Promise<void>): void {
    const again = async () => {
      while (!this.isStopping) await work();
    };
    for (let index = 0; index < count; index++) this.#running.add(again());
  }

  /** Starts no more; resolves once all has ended. */
  async stop(): Promise<void> {
    this.isStopping = true;
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all(this.#running);
  }
}

/** Waits; for the rhythm of slow clients, never for something to happen. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function randomBetween(low: number, high: number): number {
  return low + Math.floor(Math.random() * (high - low + 1));
}

export function randomOf<T>(values: readonly T[]): T {
  return values[Math.floor(Math.random() * values.length)]!;
}
