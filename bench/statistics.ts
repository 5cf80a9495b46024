/** The arithmetic of the suite. Pure: known inputs, known outputs. */

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The middle value; of an even count the mean of the two in the middle. NaN for no value. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/**
 * A quarter of the values lie below it (between two of them as far as the quarter reaches: Hyndman and Fan, "Sample Quantiles", 1996, type 7). NaN for no
 * value. Of processor times, what the work takes on a machine that others disturb little: they only ever add to it.
 */
export function lowerQuartile(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) / 4;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  return below + (position % 1) * ((sorted[Math.ceil(position)] ?? Number.NaN) - below);
}

/** Median and range. All NaN for no value. */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) return { median: Number.NaN, min: Number.NaN, max: Number.NaN };
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** `value` as a multiple of `reference`; undefined where that says nothing (no figure, or nothing to divide by). */
export function ratio(value: number, reference: number): number | undefined {
  const result = value / reference;
  return Number.isFinite(result) && reference > 0 ? result : undefined;
}

/**
 * The order of the subjects in a round: forwards in even rounds, backwards in odd ones (A B, B A, …), so that a machine
 * that grows slower or faster with time favours nobody.
 */
export function roundOrder<T>(subjects: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? subjects : subjects.toReversed();
}
