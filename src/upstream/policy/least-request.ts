import type { Random } from '../../core/random.ts';
import type { Endpoint } from '../endpoint.ts';
import type { TriedEndpoints } from '../tried-endpoints.ts';
import { isEligible, type Policy, type Weights } from './policy.ts';
import { WeightedSlots } from './weighted-slots.ts';

/** Up to here all endpoints are compared: cheaper than drawing twice, and never the worse of two. */
const COMPARE_ALL_MAX = 4;
/** Second draws before the cluster is taken for one whose weight lies with a single endpoint. */
const REDRAWS_MAX = 3;

/**
 * The endpoint with less work in flight per weight, over all shards: of two drawn by weight (Mitzenmacher, "The Power of Two Choices in
 * Randomized Load Balancing", 1996), or of all where they are few. Two draws are nearly as even as looking at all, cost the same for any
 * number of endpoints, and do not send everybody to the one that has just become free.
 *
 * An idle cluster is a tie, and the first draw wins it: then the weights alone decide.
 */
export class LeastRequestPolicy implements Policy {
  readonly #endpoints: readonly Endpoint[];
  readonly #weights: Weights;
  readonly #slots: WeightedSlots;
  readonly #random: Random;

  constructor(endpoints: readonly Endpoint[], weights: Weights, random: Random) {
    this.#endpoints = endpoints;
    this.#weights = weights;
    this.#slots = new WeightedSlots(endpoints, weights);
    this.#random = random;
  }

  pick(_hash: number, tried: TriedEndpoints): Endpoint | undefined {
    const first = this.#slots.draw(this.#random, tried);
    if (first < 0) return undefined;
    return this.#endpoints[
      this.#endpoints.length <= COMPARE_ALL_MAX ? this.#leastOfAll(first, tried) : this.#lesserOfTwo(first, tried)
    ];
  }

  #leastOfAll(first: number, tried: TriedEndpoints): number {
    const count = this.#endpoints.length;
    let best = first;
    for (let step = 1; step < count; step++) {
      const index = (first + step) % count;
      if (isEligible(this.#endpoints[index]!, tried) && this.#isLess(index, best)) best = index;
    }
    return best;
  }

  #lesserOfTwo(first: number, tried: TriedEndpoints): number {
    for (let draw = 0; draw < REDRAWS_MAX; draw++) {
      const second = this.#slots.draw(this.#random, tried);
      if (second !== first) return this.#isLess(second, first) ? second : first;
    }
    return first;
  }

  /** Whether endpoint `a` has less in flight per weight than `b`. Cross-multiplied: no division, exact. */
  #isLess(a: number, b: number): boolean {
    return this.#endpoints[a]!.inFlight * this.#weights[b]! < this.#endpoints[b]!.inFlight * this.#weights[a]!;
  }
}
