/** What is wrong with a value, and what to write instead. Two sentences without a final dot, for people. */
export interface Fault {
  readonly cause: string;
  readonly remedy: string;
}

/** The outcome of reading a text of the configuration: a value, or what is wrong with the text. Readers never throw. */
export type Reading<T> = { readonly value: T } | Fault;

export function isFault<T>(reading: Reading<T>): reading is Fault {
  return 'cause' in reading;
}
