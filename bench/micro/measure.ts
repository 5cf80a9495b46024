import type { MicroResult } from '../results.ts';

const ROUNDS = 3;

/**
 * Nanoseconds per run, warm, on one thread: one sample per round, the first one thrown away. `run` gets the number of the run, so that it need not do
 * the same thing again, and returns a number other than 0, so that it cannot be left out.
 */
export function sample(runs: number, run: (index: number) => number): number[] {
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    let sum = 0;
    const begun = process.hrtime.bigint();
    for (let index = 0; index < runs; index++) sum += run(index);
    samples.push(Number(process.hrtime.bigint() - begun) / runs);
    if (sum === 0) throw new Error('nothing was done');
  }
  return samples.slice(1);
}

export type Figure = Omit<MicroResult, 'group'>;
