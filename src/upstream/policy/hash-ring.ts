/**
 * The ring of consistent hashing (Karger et al., "Consistent Hashing and Random Trees", STOC 1997), with many points for each endpoint, as ketama has
 * it: a hash belongs to the next point on the ring. When an endpoint comes or goes, only what belongs to its own points moves.
 */
import { hashText, hashWord, mixHash } from '../../core/hash.ts';
import { invariant } from '../../core/invariant.ts';
import type { Weights } from './policy.ts';

/** Points for each unit of weight, as ketama. More are more even: the spread goes with the root of their number. */
export const POINTS_PER_WEIGHT = 160;
/** Points of one ring: beyond it each weight gets fewer. 8 MiB while it is built, 6 MiB afterwards. */
const POINTS_MAX = 1 << 20;
const SEED = 0x72696e67;
const INDEX_FACTOR = 65_536;

export class HashRing {
  /** Ascending, with the index of the endpoint of each. */
  readonly #points: Uint32Array;
  readonly #owners: Uint16Array;

  /** `keys`: at least one, at most 65,535, each once. The same keys and weights give the same ring, in any order. */
  constructor(keys: readonly string[], weights: Weights) {
    invariant(keys.length > 0 && keys.length < INDEX_FACTOR, 'a ring has 1 to 65,535 endpoints');
    const counts = pointCounts(weights);
    const total = counts.reduce((sum, count) => sum + count, 0);
    // Hash and owner in one number, so that one sort of numbers does it: 48 bits, exact.
    const packed = new Float64Array(total);
    let at = 0;
    for (const [index, key] of keys.entries()) {
      const base = hashText(key, SEED);
      for (let point = 0; point < counts[index]!; point++) {
        packed[at++] = mixHash(hashWord(base, point)) * INDEX_FACTOR + index;
      }
    }
    packed.sort();
    this.#points = Uint32Array.from(packed, (value) => Math.floor(value / INDEX_FACTOR));
    this.#owners = Uint16Array.from(packed, (value) => value % INDEX_FACTOR);
  }

  get size(): number {
    return this.#points.length;
  }

  /** Place of the first point at or after the hash. */
  placeOf(hash: number): number {
    const points = this.#points;
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (points[middle]! < hash) low = middle + 1;
      else high = middle;
    }
    return low === points.length ? 0 : low;
  }

  ownerAt(place: number): number {
    return this.#owners[place]!;
  }
}

/** Weights are relative: 100 and 200 are 1 and 2. At least one point each. */
function pointCounts(weights: Weights): number[] {
  const divisor = weights.reduce((a, b) => gcd(a, b));
  const sum = weights.reduce((total, weight) => total + weight / divisor, 0);
  const perWeight = Math.min(POINTS_PER_WEIGHT, POINTS_MAX / sum);
  return Array.from(weights, (weight) => Math.max(1, Math.floor((weight / divisor) * perWeight)));
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
