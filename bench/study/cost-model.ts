/**
 * What a proxy is paid for: a least-squares fit of its processor time to the work it did. Pure.
 *
 * The figures of a run span four orders of magnitude, and each is known to some percent: so the *relative* error is made small. No price is negative:
 * work that is done takes time.
 */
import { Matrix, QrDecomposition } from 'ml-matrix';
import { makeRandom } from '../load/open-loop/arrivals.ts';
import { median } from '../statistics.ts';

/**
 * What may have a price. Handshakes are whole ones; a resumed one is a resumption. Wake-ups are context switches of the proxy's threads: a proxy that waits for
 * every answer goes to sleep and is woken for each, one that always has work does not.
 */
export const TERMS = [
  'connections',
  'packets',
  'kibibytes',
  'requests',
  'handshakes',
  'resumptions',
  'wakeups',
] as const;
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
  /** Between these, 95 of 100 fits to as many scenarios drawn at random from these, with one round of each, would lie. */
  readonly intervals: Readonly<Record<Term, Interval>>;
  /** Of the scenarios that the model was fitted to. */
  readonly residuals: readonly Residual[];
  /** Of each scenario, by a model that was fitted to all the others. */
  readonly heldOut: readonly Residual[];
}

const RESAMPLES = 400;
const NONE = Object.fromEntries(TERMS.map((term) => [term, 0])) as unknown as Prices;

export function fitCostModel(observations: readonly Observation[], seed: number): CostModel {
  const prices = fitPrices(observations.map(toPoint));
  return {
    prices,
    intervals: bootstrap(observations, seed),
    residuals: observations.map((one) => residualOf(one, prices)),
    heldOut: observations.map((one) =>
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
  return { work, costUs: median(costsUs) };
}

function residualOf({ title, work, costsUs }: Observation, prices: Prices): Residual {
  const [measuredUs, predictedUs] = [median(costsUs), predictUs(prices, work)];
  return { title, measuredUs, predictedUs, error: predictedUs / measuredUs - 1 };
}

/**
 * Non-negative least squares of the relative error. There are few terms, so every set of them is tried (127 at most): of those without a negative price, the one
 * with the least error is the answer (Lawson and Hanson, "Solving Least Squares Problems", 1974, chapter 23: the optimum is the unconstrained one of
 * its positive terms).
 */
export function fitPrices(points: readonly Point[]): Prices {
  const used = TERMS.filter((term) => points.some(({ work }) => work[term] > 0));
  // Where no price has to be kept from being negative, nothing else can be better.
  const all = solve(points, used);
  if (all !== undefined) return all;
  let best = NONE;
  let least = errorOf(points, NONE);
  for (let set = 1; set < 1 << used.length; set++) {
    const terms = used.filter((_, index) => (set & (1 << index)) !== 0);
    const prices = solve(points, terms);
    if (prices === undefined) continue;
    const error = errorOf(points, prices);
    if (error < least) [best, least] = [prices, error];
  }
  return best;
}

/** The prices of these terms alone; undefined if one is negative, or if they cannot be told apart. */
function solve(points: readonly Point[], terms: readonly Term[]): Prices | undefined {
  if (terms.length === 0 || terms.length > points.length) return undefined;
  const rows = points.map(({ work, costUs }) => terms.map((term) => work[term] / costUs));
  const decomposition = new QrDecomposition(new Matrix(rows));
  if (!decomposition.isFullRank()) return undefined;
  const solution = decomposition.solve(Matrix.ones(points.length, 1)).to1DArray();
  if (solution.some((price) => !(price >= 0))) return undefined;
  return { ...NONE, ...Object.fromEntries(terms.map((term, index) => [term, solution[index]])) };
}

function errorOf(points: readonly Point[], prices: Prices): number {
  return points.reduce((sum, { work, costUs }) => sum + (predictUs(prices, work) / costUs - 1) ** 2, 0);
}

function bootstrap(observations: readonly Observation[], seed: number): Record<Term, Interval> {
  const random = makeRandom(seed);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const fits = Array.from({ length: RESAMPLES }, () =>
    fitPrices(observations.map(() => pick(observations)).map(({ work, costsUs }) => ({ work, costUs: pick(costsUs) }))),
  );
  const intervalOf = (term: Term): Interval => {
    const sorted = fits.map((prices) => prices[term]).toSorted((a, b) => a - b);
    return { low: sorted[Math.floor(0.025 * RESAMPLES)]!, high: sorted[Math.ceil(0.975 * RESAMPLES) - 1]! };
  };
  return Object.fromEntries(TERMS.map((term) => [term, intervalOf(term)])) as Record<Term, Interval>;
}
