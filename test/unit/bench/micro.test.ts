import { expect, it } from 'vitest';
import { mergeRuns, parseRelayOutput } from '../../../bench/scenarios/micro.ts';

it('gathers the rounds of each way and size', () => {
  const line = (name: string, x: number, ns: number): string => JSON.stringify({ name, x, ns });
  const output = [line('copy', 256, 10), line('splice', 256, 20), line('copy', 256, 12), line('copy', 1024, 30)];
  expect(parseRelayOutput(`${output.join('\n')}\n`)).toEqual([
    { group: 'relay', name: 'copy', x: 256, samples: [10, 12] },
    { group: 'relay', name: 'splice', x: 256, samples: [20] },
    { group: 'relay', name: 'copy', x: 1024, samples: [30] },
  ]);
});

it('has one sample of each unit for each process', () => {
  const unit = (x: number, samples: readonly number[]) => ({ group: 'route', name: 'prefixes', x, samples }) as const;
  const runs = [
    [unit(1, [10, 12, 50]), unit(10, [20])],
    [unit(1, [11]), unit(10, [30, 32])],
  ];
  expect(mergeRuns(runs)).toEqual([unit(1, [12, 11]), unit(10, [20, 31])]);
});
