import type { Endpoint } from '../endpoint.ts';
import type { TriedEndpoints } from '../tried-endpoints.ts';
import type { LoadBound } from './load-bound.ts';
import { buildMaglevTable, MAGLEV_SLOTS } from './maglev-table.ts';
import { isEligible, nextEligible, type Policy, sortByKey, type Weights } from './policy.ts';

/** Slots looked at before giving up on the table, where nearly all endpoints are taken. */
const PROBES_MAX = 64;

/**
 * Consistent hashing by a Maglev table: few clients move when an endpoint comes or goes. Where the choice is taken, the following slots are
 * tried, which scatters the clients of a missing endpoint over all others and is the same in every shard.
 */
export class MaglevPolicy implements Policy {
  readonly #endpoints: readonly Endpoint[];
  readonly #table: Uint16Array;
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
    this.#table = keys.length === 0 ? new Uint16Array(0) : buildMaglevTable(keys, sorted.weights);
  }

  pick(hash: number, tried: TriedEndpoints): Endpoint | undefined {
    const endpoints = this.#endpoints;
    if (endpoints.length === 0) return undefined;
    this.#bound?.look();
    let slot = hash % MAGLEV_SLOTS;
    const index = this.#table[slot]!;
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const candidate = this.#table[slot]!;
      const endpoint = endpoints[candidate]!;
      if (isEligible(endpoint, tried) && (this.#bound === undefined || this.#bound.hasRoom(candidate))) return endpoint;
      slot = slot + 1 < MAGLEV_SLOTS ? slot + 1 : 0;
    }
    return endpoints[nextEligible(endpoints, index, tried)];
  }
}
