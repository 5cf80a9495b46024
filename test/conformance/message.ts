/** What two readers of the same bytes must agree on. */

export type Field = readonly [name: string, value: string];

export interface Message {
  /** Of a request; empty for a response. */
  readonly method: string;
  readonly target: string;
  /** Of a response; 0 for a request. */
  readonly status: number;
  /** 0 or 1, of HTTP/1.x. */
  readonly versionMinor: number;
  readonly fields: readonly Field[];
  /** Decoded. */
  readonly body: string;
  readonly trailers: readonly Field[];
}

export interface Reading {
  /** Whole messages, in order. */
  readonly messages: readonly Message[];
  /** Why the reader stopped before the end of the bytes; undefined if it did not. */
  readonly refusal: string | undefined;
  /** Whether the bytes end within a message. */
  readonly isCut: boolean;
}

/** Message for message the same, as JSON, so that a difference can be read. */
export function describeReading({ messages, refusal, isCut }: Reading): string {
  return JSON.stringify({ messages, isRefused: refusal !== undefined, isCut });
}
