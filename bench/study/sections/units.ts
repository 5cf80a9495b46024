import { formatCount, formatFigure } from '../../report/figures.ts';
import { MICRO_TITLES } from '../../report/report.ts';
import type { Results } from '../../results.ts';
import { median, spread } from '../../statistics.ts';
import { crossing } from '../crossing.ts';
import { type Block, command, type Section, table, text } from '../report/document.ts';
import { type Axis, type Curve, drawCurves } from '../report/plots.ts';
import { formatBytes, formatTick } from './shared.ts';

export function unitSection(results: Results): Section | undefined {
  const { micro } = results;
  if (micro.length === 0) return undefined;
  const curvesOf = (group: 'route' | 'policy' | 'relay'): Curve[] =>
    [...new Set(micro.filter((one) => one.group === group).map(({ name }) => name))].map((name) => ({
      name,
      points: micro
        .filter((one) => one.group === group && one.name === name)
        .map(({ x, samples }) => ({ x, y: median(samples) })),
    }));
  const nanoseconds: Axis = { label: '↑ ns', format: formatTick };
  const others = micro.filter(({ group }) => group !== 'route' && group !== 'policy' && group !== 'relay');
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
      ...relayBlocks(curvesOf('relay')),
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

/** Copying through a buffer against splice(2), by the size of the message. */
function relayBlocks(curves: readonly Curve[]): Block[] {
  const [copy, splice] = ['copy', 'splice'].map((name) => curves.find((curve) => curve.name === name));
  if (copy === undefined || splice === undefined) return [];
  const ratios = copy.points.flatMap(({ x, y }) => {
    const other = splice.points.find((point) => point.x === x);
    return other === undefined ? [] : [{ x, y: other.y / y }];
  });
  const [first, last] = [ratios[0], ratios.at(-1)];
  if (first === undefined || last === undefined) return [];
  const at = crossing(ratios, 1);
  const where =
    at === undefined
      ? `${last.y < 1 ? 'Splicing' : 'Copying'} was the cheaper way at every size`
      : `Below about ${formatBytes(at)} copying is the cheaper way, above it splicing`;
  const words = `${where}: for ${formatBytes(first.x)} splicing takes ${first.y.toFixed(2)} times what copying does, for ${formatBytes(last.x)} ${last.y.toFixed(2)} times. The engine begins by copying and splices once a direction streams.`;
  return [
    text(words),
    {
      kind: 'picture',
      picture: {
        name: 'copy-or-splice',
        caption:
          'Processor time to move a message from socket to socket, by its size: two system calls and a buffer, or three and a pipe.',
        description: 'Curves of the time to relay a message by copying and by splicing, by its size',
        svg: drawCurves(curves.map(inMicroseconds), {
          x: {
            label: 'message, bytes →',
            log: true,
            ticks: copy.points.map(({ x }) => x),
            format: formatBytes,
          },
          y: { label: '↑ µs', log: true, format: formatTick },
        }),
      },
    },
  ];
}

function inMicroseconds({ name, points }: Curve): Curve {
  return { name, points: points.map(({ x, y }) => ({ x, y: y / 1000 })) };
}
