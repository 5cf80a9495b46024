import { formatFigure } from '../../report/figures.ts';
import type { Results } from '../../results.ts';
import { USUAL_CONNECTIONS } from '../../vocabulary.ts';
import { command, type Section, text } from '../report/document.ts';
import { type Bar, drawBars } from '../report/plots.ts';
import { figuresOf, formatTick, subjectsIn } from './shared.ts';

export function floorSection(results: Results): Section | undefined {
  const rows = (['kept', 'fresh'] as const).flatMap((load) =>
    subjectsIn(results).flatMap((subject) => {
      const figures = figuresOf(results, subject, { layer: 'l4', load, size: 'small', connections: USUAL_CONNECTIONS });
      return figures === undefined ? [] : [{ load, subject, figures }];
    }),
  );
  if (!rows.some(({ subject }) => subject === 'direct')) return undefined;
  const bars = rows.map(
    ({ load, subject, figures }): Bar => ({
      group: load === 'kept' ? 'kept connections' : 'a connection for each request',
      name: subject,
      value: figures.machineUs,
    }),
  );
  return {
    id: 'floor',
    title: 'The floor: no proxy, and the kernel',
    blocks: [
      text(
        'What load and endpoint cost by themselves, what the address translation of the kernel adds, and what a relay adds. The kernel has no process of its own, so this is the processor time of the whole machine.',
      ),
      {
        kind: 'picture',
        picture: {
          name: 'floor',
          caption: 'Processor time of the whole machine per request, Layer 4, small bodies.',
          description:
            'Bars of the machine time per request, direct, through address translation, and through each relay',
          svg: drawBars(bars, { label: 'machine µs per request →', format: formatTick }, formatFigure),
        },
      },
      command(
        'npm run bench -- --only l4 --loads kept,fresh --sizes small --subjects direct,dnat,fourseven,haproxy,nginx',
      ),
    ],
  };
}
