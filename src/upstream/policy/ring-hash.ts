import type { Endpoint } from '../endpoint.ts';
import type { TriedEndpoints } from '../tried-endpoints.ts';
import { HashRing } from './hash-ring.ts';
import type { LoadBound } from './load-bound.ts';
import { isEligible, nextEligible, type Policy, sortByKey, type Weights } from './policy.ts';

/** Points looked at before giving up on the ring, where nearly all endpoints are taken. */
const PROBES_MAX = 1024;

/** Consistent hashing by a ring: what a missing endpoint leaves goes to those who follow its points. */
export class RingHashPolicy implements Policy {
  readonly #endpoints: readonly Endpoint[];
  readonly #ring: HashRing | undefined;
  readonly #bound: LoadBound | undefined;

  /** `boundOver`: what bounds the load of these endpoints, in the order given. */
  constructor(
    endpoints: readonly Endpoint[],
    weights: Weights,
    boundOver: (endpoints: readonly Endpoint[], weights: Weights) => LoadBound | undefined,
  ) {
    const sorted = sortByKey(endpoints, weights);
    this.#endpoints = sorted.endpoints;
    this.#bound = boundOver(sorted.endpoints, sorted.weights);
    const keys = sorted.endpoints.map(({ key }) => key);
    this.#ring = keys.length === 0 ? undefined : new HashRing(keys, sorted.weights);
  }

  pick(hash: number, tried: TriedEndpoints): Endpoint | undefined {
    if (this.#ring === undefined) return undefined;
    this.#bound?.look();
    const start = this.#ring.placeOf(hash);
    const found = this.#walk(this.#ring, start, tried);
    return found ?? this.#endpoints[nextEligible(this.#endpoints, this.#ring.ownerAt(start), tried)];
  }

  #walk(ring: HashRing, start: number, tried: TriedEndpoints): Endpoint | undefined {
    const probes = Math.min(PROBES_MAX, ring.size);
    let place = start;
    for (let probe = 0; probe < probes; probe++) {
      const index = ring.ownerAt(place);
      const endpoint = this.#endpoints[index]!;
      if (isEligible(endpoint, tried) && (this.#bound === undefined || this.#bound.hasRoom(index))) return endpoint;
      place = place + 1 < ring.size ? place + 1 : 0;
    }
    return undefined;
  }
}
