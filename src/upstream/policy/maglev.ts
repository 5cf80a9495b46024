import type { Endpoint } from '../endpoint.ts';
import type { TriedEndpoints } from '../tried-endpoints.ts';
import { buildMaglevTable, MAGLEV_SLOTS } from './maglev-table.ts';
import { isEligible, nextEligible, type Policy, type Weights } from './policy.ts';

/** Slots looked at before giving up on the table, where nearly all endpoints are taken. */
const PROBES_MAX = 64;

/**
 * Consistent hashing by a Maglev table: few clients move when an endpoint comes or goes. Where the choice is taken, the following slots are
 * tried, which scatters the clients of a missing endpoint over all others and is the same in every shard.
 */
export class MaglevPolicy implements Policy {
  readonly #endpoints: readonly Endpoint[];
  readonly #table: Uint16Array;

  constructor(endpoints: readonly Endpoint[], weights: Weights) {
    // Sorted, so that the order in the file does not matter.
    const order = endpoints.map((_, index) => index).sort((a, b) => compare(endpoints[a]!.key, endpoints[b]!.key));
    this.#endpoints = order.map((index) => endpoints[index]!);
    const keys = this.#endpoints.map((endpoint) => endpoint.key);
    const sortedWeights = Uint32Array.from(order, (index) => weights[index]!);
    this.#table = keys.length === 0 ? new Uint16Array(0) : buildMaglevTable(keys, sortedWeights);
  }

  pick(hash: number, tried: TriedEndpoints): Endpoint | undefined {
    const endpoints = this.#endpoints;
    if (endpoints.length === 0) return undefined;
    let slot = hash % MAGLEV_SLOTS;
    const index = this.#table[slot]!;
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const endpoint = endpoints[this.#table[slot]!]!;
      if (isEligible(endpoint, tried)) return endpoint;
      slot = slot + 1 < MAGLEV_SLOTS ? slot + 1 : 0;
    }
    return endpoints[nextEligible(endpoints, index, tried)];
  }
}

/** By code units: the same order in every locale. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
