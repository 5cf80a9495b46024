import type { Random } from '../../core/random.ts';
import type { Endpoint } from '../endpoint.ts';
import type { TriedEndpoints } from '../tried-endpoints.ts';
import { isEligible, nextEligible, type Policy, type Weights } from './policy.ts';

/**
 * Each endpoint in turn. The shards begin at different places, so that they do not move over the endpoints in step.
 * Equal weights: the next eligible one.
 */
export class RoundRobinPolicy implements Policy {
  readonly #endpoints: readonly Endpoint[];
  #next: number;

  constructor(endpoints: readonly Endpoint[], random: Random) {
    this.#endpoints = endpoints;
    this.#next = endpoints.length === 0 ? 0 : random.below(endpoints.length);
  }

  pick(_hash: number, tried: TriedEndpoints): Endpoint | undefined {
    const endpoints = this.#endpoints;
    const index = nextEligible(endpoints, this.#next, tried);
    // After the one that was picked, not after the one whose turn it was: else the neighbour of a missing endpoint gets its share as well.
    if (index >= 0) this.#next = index + 1 < endpoints.length ? index + 1 : 0;
    return endpoints[index];
  }
}

/**
 * Smooth weighted round robin (as nginx does since 1.3.1): every eligible endpoint gains its weight, the richest is picked and pays the
 * sum. Over any run of `sum of weights` picks each is picked exactly `weight` times, and the heavy ones are spread, not bunched:
 * weights 5, 1, 1 give a a b a c a a. Looks at every endpoint, which is why equal weights have a class of their own.
 */
export class WeightedRoundRobinPolicy implements Policy {
  readonly #endpoints: readonly Endpoint[];
  readonly #weights: Weights;
  readonly #credits: Int32Array;

  constructor(endpoints: readonly Endpoint[], weights: Weights) {
    this.#endpoints = endpoints;
    this.#weights = weights;
    this.#credits = new Int32Array(endpoints.length);
  }

  pick(_hash: number, tried: TriedEndpoints): Endpoint | undefined {
    const endpoints = this.#endpoints;
    const credits = this.#credits;
    let total = 0;
    let best = -1;
    for (let i = 0; i < endpoints.length; i++) {
      if (!isEligible(endpoints[i]!, tried)) continue;
      const weight = this.#weights[i]!;
      credits[i]! += weight;
      total += weight;
      if (best < 0 || credits[i]! > credits[best]!) best = i;
    }
    if (best < 0) return undefined;
    credits[best]! -= total;
    return endpoints[best];
  }
}
