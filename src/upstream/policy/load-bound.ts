import type { Endpoint } from '../endpoint.ts';
import type { Weights } from './policy.ts';

/**
 * Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2016): nobody gets more than `factor` times its fair share of the work in flight;
 * what would be more goes on to the next in the order of the hash. One hot key then spreads instead of drowning its endpoint. Over all shards.
 * Adds up all endpoints for each pick, which is why only clusters that want it have one.
 */
export class LoadBound {
  readonly #endpoints: readonly Endpoint[];
  readonly #weights: Weights;
  readonly #factor: number;
  readonly #weightSum: number;
  /** Work in flight per weight that is allowed, as of `look`. */
  #allowed = 0.5;

  constructor(endpoints: readonly Endpoint[], weights: Weights, factor: number) {
    this.#endpoints = endpoints;
    this.#weights = weights;
    this.#factor = factor;
    this.#weightSum = weights.reduce((sum, weight) => sum + weight, 0);
  }

  /** To be called before each pick: adds up what is in flight now, with the one to come. */
  look(): void {
    let total = 1;
    for (const endpoint of this.#endpoints) total += endpoint.inFlight;
    this.#allowed = (this.#factor * total) / this.#weightSum;
  }

  hasRoom(index: number): boolean {
    return this.#endpoints[index]!.inFlight < Math.ceil(this.#allowed * this.#weights[index]!);
  }
}
