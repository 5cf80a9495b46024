import { formatCount, formatFigure } from '../../report/figures.ts';
import type { Results } from '../../results.ts';
import { LAYER_TITLES } from '../../vocabulary.ts';
import { command, type Section, text } from '../report/document.ts';
import { type Curve, drawCurves } from '../report/plots.ts';
import { figuresOf, formatTick, proxiesIn, US } from './shared.ts';

export function connectionSection(results: Results): Section | undefined {
  const counts = [...new Set(results.throughput.map(({ connections }) => connections))].toSorted((a, b) => a - b);
  const curves = (['l4', 'l7'] as const).flatMap((layer) =>
    proxiesIn(results).map(
      (subject): Curve => ({
        name: subject,
        facet: LAYER_TITLES[layer],
        points: counts.flatMap((connections) => {
          const figures = figuresOf(results, subject, { layer, load: 'kept', size: 'small', connections });
          return figures === undefined ? [] : [{ x: connections, y: figures.processorUs.median }];
        }),
      }),
    ),
  );
  const long = curves.filter(({ points }) => points.length > 2);
  if (long.length === 0) return undefined;
  const ours = long.find(({ name, facet }) => name === 'fourseven' && facet === LAYER_TITLES.l7);
  const [first, least] = [ours?.points[0], ours?.points.reduce((a, b) => (b.y < a.y ? b : a))];
  const words =
    first === undefined || least === undefined
      ? ''
      : ` Fourseven at Layer 7 takes ${formatFigure(first.y)} µs with ${formatCount(first.x)} and ${formatFigure(least.y)} with ${formatCount(least.x)}.`;
  return {
    id: 'connections',
    title: 'By the number of connections',
    blocks: [
      text(
        `With one connection a proxy goes to sleep after each step and is woken for the next; with many, one wake-up serves a batch. With thousands the memory of the connections no longer fits the caches.${words}`,
      ),
      {
        kind: 'picture',
        picture: {
          name: 'cost-by-connections',
          caption: 'CPU per request by the number of kept connections, small bodies.',
          description: 'Curves of processor time per request by the number of connections, for each proxy',
          svg: drawCurves(long, {
            x: { label: 'connections →', log: true, ticks: counts, format: formatTick },
            y: { ...US, log: false },
          }),
        },
      },
      command(`npm run bench -- --only l4,l7 --sizes small --connections ${counts.join(',')}`),
    ],
  };
}
