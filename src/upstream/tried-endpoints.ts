import { invariant } from '../core/invariant.ts';

/** Most attempts of one exchange or session. */
export const TRIED_MAX = 8;

/**
 * The endpoints that one exchange or session has tried, by slot: none is tried twice. Made once per connection and reset for each exchange.
 * Hot path: allocates on the first `add` only.
 */
export class TriedEndpoints {
  readonly #slots: number[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Whoever tries must stop at TRIED_MAX. */
  add(slot: number): void {
    invariant(this.#count < TRIED_MAX, 'more attempts than TRIED_MAX');
    this.#slots[this.#count++] = slot;
  }

  has(slot: number): boolean {
    for (let i = 0; i < this.#count; i++) {
      if (this.#slots[i] === slot) return true;
    }
    return false;
  }

  reset(): void {
    this.#count = 0;
  }
}
