import { formatCount, formatFigure } from '../../report/figures.ts';
import { MICRO_TITLES } from '../../report/report.ts';
import type { Results } from '../../results.ts';
import { median, spread } from '../../statistics.ts';
import { command, type Section, table, text } from '../report/document.ts';
import { type Axis, type Curve, drawCurves } from '../report/plots.ts';
import { formatTick } from './shared.ts';

export function unitSection(results: Results): Section | undefined {
  const { micro } = results;
  if (micro.length === 0) return undefined;
  const curvesOf = (group: 'route' | 'policy'): Curve[] =>
    [...new Set(micro.filter((one) => one.group === group).map(({ name }) => name))].map((name) => ({
      name,
      points: micro
        .filter((one) => one.group === group && one.name === name)
        .map(({ x, samples }) => ({ x, y: median(samples) })),
    }));
  const nanoseconds: Axis = { label: '↑ ns', format: formatTick };
  const others = micro.filter(({ group }) => group !== 'route' && group !== 'policy');
  return {
    id: 'units',
    title: 'Single units',
    blocks: [
      text(
        'What single parts of the proxy cost by themselves, warm and alone. In traffic they share caches with everything else, and are dearer.',
      ),
      {
        kind: 'picture',
        picture: {
          name: 'routes',
          caption: 'Lookup of a route by the number of routes.',
          description: 'Curves of the time to find a route by the number of routes, for each kind of matcher',
          svg: drawCurves(curvesOf('route'), {
            x: { label: 'routes →', log: true, ticks: [1, 10, 100, 1_000, 10_000], format: formatTick },
            y: nanoseconds,
          }),
        },
      },
      {
        kind: 'picture',
        picture: {
          name: 'policies',
          caption: 'Pick of an endpoint by the number of endpoints.',
          description: 'Curves of the time to pick an endpoint by the number of endpoints, for each policy',
          svg: drawCurves(curvesOf('policy'), {
            x: { label: 'endpoints →', log: true, ticks: [3, 10, 100, 1_000], format: formatTick },
            y: nanoseconds,
          }),
        },
      },
      table('The others, ns', {
        columns: ['', '', 'median', 'min–max'],
        rows: others.map(({ group, name, x, samples }) => {
          const { median: middle, min, max } = spread(samples);
          const { title, x: unit } = MICRO_TITLES[group];
          const what = unit === '' ? '' : `${formatCount(x)} ${unit}`;
          return [`${title}: ${name}`, what, formatFigure(middle), `${formatFigure(min)}–${formatFigure(max)}`];
        }),
      }),
      command('npm run bench -- --only micro'),
    ],
  };
}
