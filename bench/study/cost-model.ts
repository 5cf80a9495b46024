/**
 * What a proxy is paid for: a least-squares fit of its processor time to the work it did. Pure.
 *
 * The figures of a run span four orders of magnitude, and each is known to some percent: so the *relative* error is made small. No price is negative:
 * work that is done takes time. Of the rounds of a scenario the lower quartile counts, for the fit as for what predictions are compared with: rounds in
 * which others had the caches or the other half of a core are dearer, by half and more, and with few rounds the median is often one of these.
 */
import { Matrix, QrDecomposition } from 'ml-matrix';
import { makeRandom } from '../load/open-loop/arrivals.ts';
import { lowerQuartile } from '../statistics.ts';

/**
 * What may have a price. A proxy accepts connections and dials others. Kibibytes are those of a message up to BULK_KIB; from there to STREAM_KIB it is
 * bulk, of which many at a time leave the core's cache; the rest is streamed: proxies move a stream in another way than a message (larger reads, splice).
 * An upload is a request with a body, which is waited for and passed on before the answer; its first kibibytes go another way than those of an answer,
 * and so do those that Layer 7 tunnels once a connection has been upgraded. Handshakes are whole ones; a resumed one is a resumption. Wake-ups are
 * context switches of the proxy's threads: a proxy that waits for every answer goes to sleep and is woken for each, one that always has work does not. A
 * request is on a cold connection if others have driven that out of the core's cache since it was last needed.
 */
export const TERMS = [
  'accepted',
  'dialed',
  'packets',
  'kibibytes',
  'bulk',
  'streamed',
  'requests',
  'uploads',
  'uploaded',
  'tunneled',
  'handshakes',
  'resumptions',
  'wakeups',
  'cold',
] as const;
/** From here on, in kibibytes, a message is bulk, and from there on a stream. The curves of all proxies bend between 128 KiB and 1 MiB. */
export const BULK_KIB = 128;
export const STREAM_KIB = 512;
export type Term = (typeof TERMS)[number];

/** How much of each there was for one request. */
export type Work = Readonly<Record<Term, number>>;

export interface Observation {
  readonly title: string;
  readonly work: Work;
  /** Microseconds of processor time for one request, by round. */
  readonly costsUs: readonly number[];
}

/** Microseconds for one of each. */
export type Prices = Readonly<Record<Term, number>>;

export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface Residual {
  readonly title: string;
  readonly measuredUs: number;
  readonly predictedUs: number;
  /** Of the prediction, as a share of what was measured: 0.1 is ten percent too much. */
  readonly error: number;
}

export interface CostModel {
  readonly prices: Prices;
  /** Between these, 95 of 100 fits to as many scenarios drawn at random from these, with rounds drawn from theirs, would lie. */
  readonly intervals: Readonly<Record<Term, Interval>>;
  /** Of the scenarios that the model was fitted to. */
  readonly residuals: readonly Residual[];
  /** Of each of them, by a model that was fitted to all the others. */
  readonly leftOut: readonly Residual[];
}

const RESAMPLES = 400;
/** More than it ever takes: each term enters a few times at most. */
const STEPS_MAX = 10 * TERMS.length;
/** Below it a gain, or a price, is nothing but rounding. */
const GAIN_MIN = 1e-12;

export function fitCostModel(observations: readonly Observation[], seed: number): CostModel {
  const prices = fitPrices(observations.map(toPoint));
  return {
    prices,
    intervals: bootstrap(observations, seed),
    residuals: residualsOf(observations, prices),
    leftOut: observations.map((one) =>
      residualOf(one, fitPrices(observations.filter((other) => other !== one).map(toPoint))),
    ),
  };
}

export function predictUs(prices: Prices, work: Work): number {
  return TERMS.reduce((sum, term) => sum + prices[term] * work[term], 0);
}

interface Point {
  readonly work: Work;
  readonly costUs: number;
}

function toPoint({ work, costsUs }: Observation): Point {
  return { work, costUs: lowerQuartile(costsUs) };
}

/** What the prices say of scenarios, whether they were fitted to them or not. */
export function residualsOf(observations: readonly Observation[], prices: Prices): Residual[] {
  return observations.map((one) => residualOf(one, prices));
}

function residualOf({ title, work, costsUs }: Observation, prices: Prices): Residual {
  const [measuredUs, predictedUs] = [lowerQuartile(costsUs), predictUs(prices, work)];
  return { title, measuredUs, predictedUs, error: predictedUs / measuredUs - 1 };
}

/**
 * Non-negative least squares of the relative error, by the active sets of Lawson and Hanson ("Solving Least Squares Problems", 1974, chapter 23): terms get a
 * price one after the other, the one first whose price would lessen the error most, and lose it where it would fall below zero.
 */
export function fitPrices(points: readonly Point[]): Prices {
  const rows = points.map(({ work, costUs }) => TERMS.map((term) => work[term] / costUs));
  const prices = new Float64Array(TERMS.length);
  const priced = new Set<number>();
  for (let step = 0; step < STEPS_MAX; step++) {
    const entering = steepest(rows, prices, priced);
    if (entering === undefined || priced.size === points.length) break;
    priced.add(entering);
    while (!settle(rows, prices, priced));
  }
  return Object.fromEntries(TERMS.map((term, index) => [term, prices[index]])) as unknown as Prices;
}

/** Which of the terms without a price would lessen the error most; undefined if none would. */
function steepest(rows: readonly number[][], prices: Float64Array, priced: ReadonlySet<number>): number | undefined {
  const gains = TERMS.map((_, term) =>
    rows.reduce((sum, row) => sum + row[term]! * (1 - row.reduce((all, x, index) => all + x * prices[index]!, 0)), 0),
  );
  // Of each as a share of what the term could explain at all: they are of different sizes.
  const scaled = gains.map((gain, term) => gain / Math.sqrt(rows.reduce((sum, row) => sum + row[term]! ** 2, 0) || 1));
  const open = [...scaled.keys()].filter((term) => !priced.has(term) && scaled[term]! > GAIN_MIN);
  return open.length === 0 ? undefined : open.reduce((best, term) => (scaled[term]! > scaled[best]! ? term : best));
}

/**
 * Moves the prices to the best ones of the terms that have one, as far as none falls below zero; a term that would, loses its price. Returns whether the
 * best was reached.
 */
function settle(rows: readonly number[][], prices: Float64Array, priced: Set<number>): boolean {
  const terms = [...priced];
  const decomposition = new QrDecomposition(new Matrix(rows.map((row) => terms.map((term) => row[term]!))));
  const last = terms.at(-1)!;
  if (!decomposition.isFullRank()) {
    // It cannot be told from the others.
    priced.delete(last);
    prices[last] = 0;
    return true;
  }
  const best = decomposition.solve(Matrix.ones(rows.length, 1)).to1DArray();
  const falling = terms.filter((_, index) => best[index]! <= 0);
  const share = Math.min(
    1,
    ...terms.flatMap((term, index) => (best[index]! <= 0 ? [prices[term]! / (prices[term]! - best[index]!)] : [])),
  );
  for (const [index, term] of terms.entries()) prices[term]! += share * (best[index]! - prices[term]!);
  for (const term of falling) {
    if (prices[term]! > GAIN_MIN) continue;
    prices[term] = 0;
    priced.delete(term);
  }
  return falling.length === 0 || priced.size === 0;
}

function bootstrap(observations: readonly Observation[], seed: number): Record<Term, Interval> {
  const random = makeRandom(seed);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const fits = Array.from({ length: RESAMPLES }, () =>
    fitPrices(
      observations
        .map(() => pick(observations))
        .map((one) => toPoint({ ...one, costsUs: one.costsUs.map(() => pick(one.costsUs)) })),
    ),
  );
  const intervalOf = (term: Term): Interval => {
    const sorted = fits.map((prices) => prices[term]).toSorted((a, b) => a - b);
    return { low: sorted[Math.floor(0.025 * RESAMPLES)]!, high: sorted[Math.ceil(0.975 * RESAMPLES) - 1]! };
  };
  return Object.fromEntries(TERMS.map((term) => [term, intervalOf(term)])) as Record<Term, Interval>;
}
