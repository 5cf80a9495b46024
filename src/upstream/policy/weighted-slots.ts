import type { Random } from '../../core/random.ts';
import type { Endpoint } from '../endpoint.ts';
import type { TriedEndpoints } from '../tried-endpoints.ts';
import { isEligible, type Weights } from './policy.ts';

/** Endpoints laid end to end, each as long as its weight: a number below `total` names one of them. Hot path: no allocation. */
export class WeightedSlots {
  /** Sum of all weights. */
  readonly total: number;
  readonly #endpoints: readonly Endpoint[];
  readonly #weights: Weights;
  /** Where each endpoint's stretch ends. */
  readonly #ends: Uint32Array;

  constructor(endpoints: readonly Endpoint[], weights: Weights) {
    this.#endpoints = endpoints;
    this.#weights = weights;
    this.#ends = new Uint32Array(weights.length);
    let total = 0;
    for (let i = 0; i < weights.length; i++) {
      total += weights[i]!;
      this.#ends[i] = total;
    }
    this.total = total;
  }

  /** Index of the endpoint at `position` (below `total`). */
  indexAt(position: number): number {
    const ends = this.#ends;
    let low = 0;
    let high = ends.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (position < ends[middle]!) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Draws by weight among the eligible endpoints: their index, or -1 if there is none. */
  draw(random: Random, tried: TriedEndpoints): number {
    if (this.total === 0) return -1;
    const index = this.indexAt(random.below(this.total));
    // Nearly always: drawing again among the rest is the price of the exception only.
    return isEligible(this.#endpoints[index]!, tried) ? index : this.#drawAmongEligible(random, tried);
  }

  #drawAmongEligible(random: Random, tried: TriedEndpoints): number {
    const endpoints = this.#endpoints;
    let total = 0;
    for (let i = 0; i < endpoints.length; i++) {
      if (isEligible(endpoints[i]!, tried)) total += this.#weights[i]!;
    }
    if (total === 0) return -1;
    let position = random.below(total);
    for (let i = 0; i < endpoints.length; i++) {
      if (!isEligible(endpoints[i]!, tried)) continue;
      if (position < this.#weights[i]!) return i;
      position -= this.#weights[i]!;
    }
    return -1;
  }
}
