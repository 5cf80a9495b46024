import { loadAddon } from '../../src/engine/binding.ts';
import { NativeEngine } from '../../src/engine/native-engine.ts';
import { type Figure, sample } from './measure.ts';

const RUNS = 200_000;

/** Crossings of the door between TypeScript and C++, in nanoseconds each. */
export async function doorCrossing(): Promise<Figure[]> {
  if (loadAddon().addon === undefined) return [];
  const engine = new NativeEngine({ descriptorsMax: 1 });
  const submitNothing = (): number => {
    engine.submit(0);
    return 1;
  };
  try {
    return [
      { name: 'a call into the engine that does nothing', x: 1, samples: sample(RUNS, submitNothing) },
      { name: 'for comparison: performance.now()', x: 1, samples: sample(RUNS, () => performance.now()) },
    ];
  } finally {
    await engine.close();
  }
}
