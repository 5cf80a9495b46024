import type { Endpoint } from '../endpoint.ts';
import type { TriedEndpoints } from '../tried-endpoints.ts';
import type { LoadBound } from './load-bound.ts';
import { isEligible, nextEligible, type Policy, type Weights } from './policy.ts';
import { WeightedSlots } from './weighted-slots.ts';

/**
 * The plain one: hash modulo the sum of weights. Exact and cheap, but when an endpoint comes or goes nearly every client moves; `maglev`
 * is the policy for those who mind. Where the choice is taken, the next in the list.
 */
export class SourceHashPolicy implements Policy {
  readonly #endpoints: readonly Endpoint[];
  readonly #slots: WeightedSlots;
  readonly #bound: LoadBound | undefined;

  constructor(endpoints: readonly Endpoint[], weights: Weights, bound: LoadBound | undefined) {
    this.#endpoints = endpoints;
    this.#slots = new WeightedSlots(endpoints, weights);
    this.#bound = bound;
  }

  pick(hash: number, tried: TriedEndpoints): Endpoint | undefined {
    const { total } = this.#slots;
    if (total === 0) return undefined;
    const start = this.#slots.indexAt(hash % total);
    return (
      (this.#bound && this.#withRoom(this.#bound, start, tried)) ??
      this.#endpoints[nextEligible(this.#endpoints, start, tried)]
    );
  }

  #withRoom(bound: LoadBound, start: number, tried: TriedEndpoints): Endpoint | undefined {
    bound.look();
    const count = this.#endpoints.length;
    for (let step = 0; step < count; step++) {
      const index = (start + step) % count;
      const endpoint = this.#endpoints[index]!;
      if (isEligible(endpoint, tried) && bound.hasRoom(index)) return endpoint;
    }
    return undefined;
  }
}
