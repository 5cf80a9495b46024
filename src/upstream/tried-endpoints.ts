import { invariant } from '../core/invariant.ts';

/** Most attempts of one exchange or session. */
export const TRIED_MAX = 8;

/**
 * The endpoints that one exchange or session has tried, by slot: none is tried twice. Made once per connection and reset for each exchange.
 * Hot path: allocates on the first retry only.
 */
export class TriedEndpoints {
  /** Mostly there is no other. */
  #first = -1;
  readonly #others: number[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Whoever tries must stop at TRIED_MAX. */
  add(slot: number): void {
    invariant(this.#count < TRIED_MAX, 'more attempts than TRIED_MAX');
    if (this.#count === 0) this.#first = slot;
    else this.#others[this.#count - 1] = slot;
    this.#count++;
  }

  has(slot: number): boolean {
    if (this.#count > 0 && this.#first === slot) return true;
    for (let index = 0; index < this.#count - 1; index++) {
      if (this.#others[index] === slot) return true;
    }
    return false;
  }

  reset(): void {
    this.#count = 0;
  }
}
