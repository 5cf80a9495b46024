import { formatCount } from '../../report/figures.ts';
import type { Results } from '../../results.ts';
import { spread } from '../../statistics.ts';
import { SUBJECT_NAMES } from '../../vocabulary.ts';
import { command, type Section, table } from '../report/document.ts';

export function memorySection({ idle, start, idleConnections }: Results): Section | undefined {
  if (idle.length === 0 && start.length === 0) return undefined;
  const row = (samples: readonly number[] | undefined): string => {
    if (samples === undefined) return '';
    const { median: middle, min, max } = spread(samples);
    return `${formatCount(middle)} (${formatCount(min)}–${formatCount(max)})`;
  };
  const names = SUBJECT_NAMES.filter((name) => [...idle, ...start].some(({ subject }) => subject === name));
  return {
    id: 'memory',
    title: 'Idle connections, and the start',
    blocks: [
      table(
        `Bytes for each of ${formatCount(idleConnections)} idle kept connections, and milliseconds from the start to the first byte`,
        {
          columns: ['', 'bytes per idle connection', 'ms to the first byte'],
          rows: names.map((name) => [
            name,
            row(idle.find(({ subject }) => subject === name)?.samples),
            row(start.find(({ subject }) => subject === name)?.samples),
          ]),
        },
      ),
      command('npm run bench -- --only l7 --idle --start'),
    ],
  };
}
