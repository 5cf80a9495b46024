import type { Endpoint } from '../endpoint.ts';
import type { TriedEndpoints } from '../tried-endpoints.ts';
import { nextEligible, type Policy, type Weights } from './policy.ts';
import { WeightedSlots } from './weighted-slots.ts';

/**
 * The plain one: hash modulo the sum of weights. Exact and cheap, but when an endpoint comes or goes nearly every client moves; `maglev`
 * is the policy for those who mind. Where the choice is taken, the next in the list.
 */
export class SourceHashPolicy implements Policy {
  readonly #endpoints: readonly Endpoint[];
  readonly #slots: WeightedSlots;

  constructor(endpoints: readonly Endpoint[], weights: Weights) {
    this.#endpoints = endpoints;
    this.#slots = new WeightedSlots(endpoints, weights);
  }

  pick(hash: number, tried: TriedEndpoints): Endpoint | undefined {
    const { total } = this.#slots;
    if (total === 0) return undefined;
    return this.#endpoints[nextEligible(this.#endpoints, this.#slots.indexAt(hash % total), tried)];
  }
}
