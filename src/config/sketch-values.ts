/** Looking into values that may be anything. */
import { isFault, type Reading } from './reading.ts';

export type Mapping = Readonly<Record<string, unknown>>;

export function asMapping(value: unknown): Mapping | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Mapping) : undefined;
}

/** What the reader makes of a text; undefined for anything else, and for a text that is wrong. */
export function readIfText<T>(reader: (text: string) => Reading<T>, value: unknown): T | undefined {
  if (typeof value !== 'string') return undefined;
  const reading = reader(value);
  return isFault(reading) ? undefined : reading.value;
}
