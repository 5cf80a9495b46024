import type { Sample } from './counter-totals.ts';
import type { MetricName } from './metric-catalog.ts';

/** Counts what happens rarely, on the control plane: reloads, checks, what operators do. */
export class EventCounters {
  readonly #samples = new Map<string, Sample>();

  count(family: MetricName, labels: Readonly<Record<string, string>>, by = 1): void {
    const key = JSON.stringify([family, labels]);
    const value = (this.#samples.get(key)?.value ?? 0) + by;
    this.#samples.set(key, { family, labels, value });
  }

  samples(): readonly Sample[] {
    return [...this.#samples.values()];
  }
}
