/**
 * Long work in small pieces, so that whoever shares its thread has a turn between two of them. It is a generator: it yields wherever it can be
 * interrupted, and ends with its result.
 */
export type Slices<T> = Generator<undefined, T, undefined>;

/** Does it all at once. */
export function finish<T>(work: Slices<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

export interface Pace {
  readonly workMs: number;
  readonly restMs: number;
}

/** Does it a little at a time, and rests in between. Given up once `isOver` says so: then the result is undefined. */
export async function finishAtPace<T>(
  work: Slices<T>,
  { workMs, restMs }: Pace,
  isOver: () => boolean,
): Promise<T | undefined> {
  while (!isOver()) {
    const endMs = performance.now() + workMs;
    do {
      const step = work.next();
      if (step.done === true) return step.value;
    } while (performance.now() < endMs);
    await new Promise((resolve) => setTimeout(resolve, restMs));
  }
  return undefined;
}
