import type { Endpoint } from '../endpoint.ts';
import type { TriedEndpoints } from '../tried-endpoints.ts';

/**
 * How a cluster picks an endpoint. Hot path: no allocation, no strings, no throws; every probe is bounded by the number of endpoints.
 *
 * A policy is made for one list of endpoints and their weights and never changes; what it keeps besides (whose turn it is) is its own and
 * belongs to one shard.
 */
export interface Policy {
  /**
   * An endpoint that may be selected and has not been tried, or undefined if there is none.
   * `hash`: unsigned 32 bits, of what the cluster hashes on; the same hash gives the same endpoint where the policy is one of hashing.
   */
  pick(hash: number, tried: TriedEndpoints): Endpoint | undefined;
}

/** Weight by index, as the plan gives them (1 to 1000), in the order of the endpoints. */
export type Weights = Uint32Array;

export function isEligible(endpoint: Endpoint, tried: TriedEndpoints): boolean {
  return endpoint.isSelectable && !tried.has(endpoint.slot);
}

/** Index of the first eligible endpoint from `start` on, around the end, or -1: how a policy goes on where its choice is taken. */
export function nextEligible(endpoints: readonly Endpoint[], start: number, tried: TriedEndpoints): number {
  const count = endpoints.length;
  for (let step = 0; step < count; step++) {
    const index = start + step < count ? start + step : start + step - count;
    if (isEligible(endpoints[index]!, tried)) return index;
  }
  return -1;
}

/** In an order that does not depend on the file, so that the same endpoints give the same table everywhere. */
export function sortByKey(
  endpoints: readonly Endpoint[],
  weights: Weights,
): { readonly endpoints: readonly Endpoint[]; readonly weights: Weights } {
  const order = endpoints.map((_, index) => index).sort((a, b) => compare(endpoints[a]!.key, endpoints[b]!.key));
  return {
    endpoints: order.map((index) => endpoints[index]!),
    weights: Uint32Array.from(order, (index) => weights[index]!),
  };
}

/** By code units: the same order in every locale. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
