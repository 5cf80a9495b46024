/**
 * Sums counters over sources (shards) that may die and begin again at zero: what a source had counted when it was last seen is kept, so that
 * a total never goes back.
 */

/** One value with its labels. The order of the labels belongs to its identity. */
export interface Sample {
  readonly family: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export class CounterTotals {
  readonly #retired = new Map<string, Sample>();
  readonly #latest = new Map<number, Map<string, Sample>>();

  /** What a source has counted since it began. A counter that it no longer tells (a listener that is gone) keeps its last value. */
  put(source: number, samples: readonly Sample[]): void {
    const latest = this.#latest.get(source) ?? new Map<string, Sample>();
    for (const sample of samples) latest.set(keyOf(sample), sample);
    this.#latest.set(source, latest);
  }

  /** The source is gone: its counts stay, and a successor may begin at zero. */
  retire(source: number): void {
    for (const sample of this.#latest.get(source)?.values() ?? []) addTo(this.#retired, sample);
    this.#latest.delete(source);
  }

  totals(): readonly Sample[] {
    const sums = new Map(this.#retired);
    for (const samples of this.#latest.values()) for (const sample of samples.values()) addTo(sums, sample);
    return [...sums.values()];
  }
}

function addTo(sums: Map<string, Sample>, sample: Sample): void {
  const key = keyOf(sample);
  const former = sums.get(key);
  sums.set(key, former === undefined ? sample : { ...sample, value: former.value + sample.value });
}

function keyOf({ family, labels }: Sample): string {
  return JSON.stringify([family, labels]);
}
