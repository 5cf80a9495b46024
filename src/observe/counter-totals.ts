/**
 * Sums what sources (shards) count that may die and begin again at zero: what a source had counted when it was last seen is kept, so that
 * a total never goes back.
 */
import { addLatencies, type LatencyCounts } from './latency-histogram.ts';

/** Something that is counted, with its labels. The order of the labels belongs to its identity. */
export interface Counted<Value> {
  readonly family: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: Value;
}
export type Sample = Counted<number>;
export type LatencySample = Counted<LatencyCounts>;

export class Totals<Value> {
  readonly #add: (a: Value, b: Value) => Value;
  readonly #retired = new Map<string, Counted<Value>>();
  readonly #latest = new Map<number, Map<string, Counted<Value>>>();

  constructor(add: (a: Value, b: Value) => Value) {
    this.#add = add;
  }

  /** What a source has counted since it began. A row that it no longer tells (a listener that is gone) keeps its last value. */
  put(source: number, samples: readonly Counted<Value>[]): void {
    const latest = this.#latest.get(source) ?? new Map<string, Counted<Value>>();
    for (const sample of samples) latest.set(keyOf(sample), sample);
    this.#latest.set(source, latest);
  }

  /** The source is gone: its counts stay, and a successor may begin at zero. */
  retire(source: number): void {
    for (const sample of this.#latest.get(source)?.values() ?? []) this.#addTo(this.#retired, sample);
    this.#latest.delete(source);
  }

  totals(): readonly Counted<Value>[] {
    const sums = new Map(this.#retired);
    for (const samples of this.#latest.values()) for (const sample of samples.values()) this.#addTo(sums, sample);
    return [...sums.values()];
  }

  #addTo(sums: Map<string, Counted<Value>>, sample: Counted<Value>): void {
    const key = keyOf(sample);
    const former = sums.get(key);
    sums.set(key, former === undefined ? sample : { ...sample, value: this.#add(former.value, sample.value) });
  }
}

export function counterTotals(): Totals<number> {
  return new Totals((a, b) => a + b);
}

export function latencyTotals(): Totals<LatencyCounts> {
  return new Totals(addLatencies);
}

function keyOf({ family, labels }: { family: string; labels: Readonly<Record<string, string>> }): string {
  return JSON.stringify([family, labels]);
}
