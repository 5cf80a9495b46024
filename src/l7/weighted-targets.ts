import type { Cluster } from '../upstream/cluster.ts';
import type { RouteTarget } from './route-target.ts';

/**
 * Shares out the requests of a route over its clusters, exactly: each target gains its weight, the richest is taken and pays the sum (smooth weighted
 * round robin). Over as many requests as the weights add up to, each is taken as often as its weight says, and the light ones are
 * spread, not bunched. One per route and shard, as long as the route stays as it is. Hot path (`next`): no allocation.
 */
export class WeightedTargets {
  readonly #targets: readonly RouteTarget[];
  readonly #weights: readonly number[];
  readonly #total: number;
  #credits: Float64Array;

  /** At least one weight is above 0. */
  constructor(targets: readonly RouteTarget[], weights: readonly number[]) {
    this.#targets = targets;
    this.#weights = weights;
    this.#total = weights.reduce((sum, weight) => sum + weight, 0);
    this.#credits = new Float64Array(weights.length);
  }

  next(): RouteTarget {
    const targets = this.#targets;
    if (targets.length === 1) return targets[0]!;
    const credits = this.#credits;
    let best = 0;
    for (let index = 0; index < targets.length; index++) {
      credits[index]! += this.#weights[index]!;
      if (credits[index]! > credits[best]!) best = index;
    }
    credits[best]! -= this.#total;
    return targets[best]!;
  }

  clusterAt(index: number): Cluster | undefined {
    return this.#targets[index]?.cluster;
  }

  /** Goes on where the same shares of the plan before stand: else frequent plans would only ever take the heaviest. */
  continueFrom(before: WeightedTargets): void {
    if (this.#hasSharesOf(before)) this.#credits = before.#credits;
  }

  #hasSharesOf(other: WeightedTargets): boolean {
    return (
      this.#targets.length === other.#targets.length &&
      this.#targets.every(({ cluster }, index) => {
        const { plan } = other.#targets[index]!.cluster;
        return cluster.plan.name === plan.name && this.#weights[index] === other.#weights[index];
      })
    );
  }
}
