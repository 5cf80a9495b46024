/** When requests are due: a schedule made before the run, so that nothing that happens in it can move a request. Pure. */

/**
 * Arrivals of a Poisson process, in microseconds from the start, ascending: `ratePerSecond` in the mean, and independent of each other, as those of
 * many clients are. The same seed makes the same schedule.
 */
export function poissonArrivals(ratePerSecond: number, seconds: number, seed: number): Float64Array {
  const random = makeRandom(seed);
  const endUs = seconds * 1_000_000;
  const meanGapUs = 1_000_000 / ratePerSecond;
  const arrivals: number[] = [];
  for (let at = 0; ; ) {
    at -= Math.log(1 - random()) * meanGapUs;
    if (at >= endUs) return Float64Array.from(arrivals);
    arrivals.push(at);
  }
}

/** Uniform in [0, 1), 32 bits of it (Weyl sequence and the finalizer of MurmurHash3). */
export function makeRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let hash = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return ((hash ^ (hash >>> 16)) >>> 0) / 4_294_967_296;
  };
}
