export interface LoadTarget {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** What each request costs a connection: none (keep-alive), or one with a handshake of this kind. */
  readonly handshakes: 'none' | 'full' | 'resumed';
}

export interface LoadResult {
  /** Answers that arrived whole. */
  readonly requests: number;
  readonly seconds: number;
  /** What makes the figure invalid, in words: socket errors, answers other than 2xx. Empty when all is well. */
  readonly problems: readonly string[];
}

/** A program that keeps a number of keep-alive connections busy with one request at a time, in a process of its own. */
export interface LoadGenerator {
  readonly name: string;
  run(target: LoadTarget): Promise<LoadResult>;
}

/** `{ 'socket errors': 0, 'timeouts': 2 }` to `['2 timeouts']`. */
export function problemsOf(counts: Readonly<Record<string, number>>): readonly string[] {
  return Object.entries(counts).flatMap(([what, count]) => (count > 0 ? [`${count} ${what}`] : []));
}
