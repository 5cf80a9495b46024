/** How long anything in the contract may take before it counts as not happening. */
export const WAIT_MS = 5_000;

interface Waiter<T> {
  readonly look: () => T | undefined;
  readonly resolve: (value: T) => void;
}

/** Waits for conditions that are looked at again whenever `changed` is called, and never longer than a deadline. */
export class Waiting {
  readonly #waiters = new Set<Waiter<unknown>>();

  /** Resolves with what `look` returns once that is not undefined. `describe` says what was missed, and what there was instead. */
  until<T>(look: () => T | undefined, describe: () => string, withinMs = WAIT_MS): Promise<T> {
    const now = look();
    if (now !== undefined) return Promise.resolve(now);
    return new Promise<T>((resolve, reject) => {
      const waiter: Waiter<T> = {
        look,
        resolve: (value) => {
          clearTimeout(timer);
          resolve(value);
        },
      };
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter as Waiter<unknown>);
        reject(new Error(`waited ${withinMs} ms for ${describe()}`));
      }, withinMs);
      this.#waiters.add(waiter as Waiter<unknown>);
    });
  }

  changed(): void {
    for (const waiter of this.#waiters) {
      const value = waiter.look();
      if (value === undefined) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(value);
    }
  }
}

/** For what tells nobody when it changes: asks every few milliseconds. */
export async function eventually(
  holds: () => boolean,
  what: string | (() => string),
  withinMs = WAIT_MS,
): Promise<void> {
  const endsAtMs = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > endsAtMs) {
      throw new Error(`waited ${withinMs} ms for ${typeof what === 'string' ? what : what()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
