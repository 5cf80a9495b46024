import { sharedNowMs } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import type { Endpoint } from '../endpoint.ts';
import type { TriedEndpoints } from '../tried-endpoints.ts';
import { isEligible, type Policy, type Weights } from './policy.ts';
import { WeightedSlots } from './weighted-slots.ts';

/** Up to here all endpoints are compared. */
const COMPARE_ALL_MAX = 4;
/** What an endpoint counts for of which nothing is known yet, and that has work already: one request is a probe, more are a gamble. */
const UNKNOWN_US = 1e9;

/**
 * The endpoint that is likely to answer first: its average time to the first byte, times the work it would then have, per weight; of two drawn by
 * weight, or of all where they are few. Between endpoints of different speed it is better than counting requests; it needs answers to learn
 * from, and an endpoint that fails quickly looks quick, so that it belongs together with outlier detection.
 */
export class LeastTimePolicy implements Policy {
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
    const nowMs = sharedNowMs();
    const few = this.#endpoints.length <= COMPARE_ALL_MAX;
    return this.#endpoints[few ? this.#leastOfAll(first, tried, nowMs) : this.#lesserOfTwo(first, tried, nowMs)];
  }

  #leastOfAll(first: number, tried: TriedEndpoints, nowMs: number): number {
    const count = this.#endpoints.length;
    let best = first;
    let least = this.#cost(first, nowMs);
    for (let step = 1; step < count; step++) {
      const index = (first + step) % count;
      if (!isEligible(this.#endpoints[index]!, tried)) continue;
      const cost = this.#cost(index, nowMs);
      if (cost >= least) continue;
      best = index;
      least = cost;
    }
    return best;
  }

  #lesserOfTwo(first: number, tried: TriedEndpoints, nowMs: number): number {
    const second = this.#slots.draw(this.#random, tried);
    return this.#cost(second, nowMs) < this.#cost(first, nowMs) ? second : first;
  }

  #cost(index: number, nowMs: number): number {
    const endpoint = this.#endpoints[index]!;
    const { inFlight } = endpoint;
    const us = endpoint.latencyUs(nowMs);
    const likelyUs = us === 0 && inFlight > 0 ? UNKNOWN_US : us;
    return (likelyUs * (inFlight + 1)) / this.#weights[index]!;
  }
}
