import type { LoadKind } from '../vocabulary.ts';

export interface LoadTarget {
  readonly url: string;
  readonly connections: number;
  /** At least: a slow generator may need longer until large bodies have arrived whole. */
  readonly seconds: number;
  /** Of each answer, or of what is sent. */
  readonly bodyBytes: number;
  /** `full` and `resumed`: a connection for each request, with a handshake of this kind. */
  readonly kind: Exclude<LoadKind, 'messages' | 'unpooled'> | 'full' | 'resumed';
  /** Of `upload`: the file with the body. */
  readonly uploadFile?: string;
}

export interface LoadResult {
  /** Answers that arrived whole. */
  readonly requests: number;
  readonly seconds: number;
  /** What makes the figure invalid, in words: socket errors, answers other than 2xx. Empty when all is well. */
  readonly problems: readonly string[];
}

/** A program that keeps a number of connections busy, in a process of its own. */
export interface LoadGenerator {
  readonly name: string;
  run(target: LoadTarget): Promise<LoadResult>;
}

/** `{ 'socket errors': 0, 'timeouts': 2 }` to `['2 timeouts']`. */
export function problemsOf(counts: Readonly<Record<string, number>>): readonly string[] {
  return Object.entries(counts).flatMap(([what, count]) => (count > 0 ? [`${count} ${what}`] : []));
}
