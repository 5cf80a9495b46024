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
  readonly #latest = new Map<number, readonly Sample[]>();

  /** What a source has counted since it began. Replaces what it told before. */
  put(source: number, samples: readonly Sample[]): void {
    this.#latest.set(source, samples);
  }

  /** The source is gone: its counts stay, and a successor may begin at zero. */
  retire(source: number): void {
    for (const sample of this.#latest.get(source) ?? []) addTo(this.#retired, sample);
    this.#latest.delete(source);
  }

  totals(): readonly Sample[] {
    const sums = new Map(this.#retired);
    for (const samples of this.#latest.values()) for (const sample of samples) addTo(sums, sample);
    return [...sums.values()];
  }
}

function addTo(sums: Map<string, Sample>, sample: Sample): void {
  const key = JSON.stringify([sample.family, sample.labels]);
  const former = sums.get(key);
  sums.set(key, former === undefined ? sample : { ...sample, value: former.value + sample.value });
}
