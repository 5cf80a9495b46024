/** Where time comes from. Tests hand in a clock that they turn by hand. */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary start. Never goes back. */
  nowMs(): number;
  /** Milliseconds since the Unix epoch. For people and logs, never for measuring. */
  wallMs(): number;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
};

/** `performance.now()` counts from the start of its thread; this is how much earlier the machine's monotonic clock began. */
const originMs = (() => {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6 - performance.now();
})();

/** Monotonic milliseconds that are the same on every thread. For times that threads tell each other. */
export function sharedNowMs(): number {
  return originMs + performance.now();
}

/** Such a time as `nowMs` of the system's clock has it on this thread. */
export function ownMs(sharedMs: number): number {
  return sharedMs - originMs;
}

/** A clock for tests: it stands still until it is told to advance. */
export class ManualClock implements Clock {
  #nowMs = 0;
  readonly #epochMs: number;

  constructor(epochMs = 1_700_000_000_000) {
    this.#epochMs = epochMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#epochMs + this.#nowMs;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }
}
