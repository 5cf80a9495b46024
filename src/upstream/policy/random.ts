import type { Random } from '../../core/random.ts';
import type { Endpoint } from '../endpoint.ts';
import type { TriedEndpoints } from '../tried-endpoints.ts';
import type { Policy, Weights } from './policy.ts';
import { WeightedSlots } from './weighted-slots.ts';

/** Any endpoint, each as likely as its weight. */
export class RandomPolicy implements Policy {
  readonly #endpoints: readonly Endpoint[];
  readonly #slots: WeightedSlots;
  readonly #random: Random;

  constructor(endpoints: readonly Endpoint[], weights: Weights, random: Random) {
    this.#endpoints = endpoints;
    this.#slots = new WeightedSlots(endpoints, weights);
    this.#random = random;
  }

  pick(_hash: number, tried: TriedEndpoints): Endpoint | undefined {
    return this.#endpoints[this.#slots.draw(this.#random, tried)];
  }
}
