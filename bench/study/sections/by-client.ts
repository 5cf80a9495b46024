import { formatFigure } from '../../report/figures.ts';
import type { Results } from '../../results.ts';
import { type Case, LAYER_TITLES, LOAD_TITLES, LOADS, USUAL_CONNECTIONS } from '../../vocabulary.ts';
import { type Block, command, type Section, table, text } from '../report/document.ts';
import { type Bar, drawBars } from '../report/plots.ts';
import { figuresOf, formatTick, proxiesIn } from './shared.ts';

export function clientSection(results: Results): Section | undefined {
  const subjects = proxiesIn(results);
  const layers = ['l4', 'l7'] as const;
  const places = layers.flatMap((layer) =>
    LOADS.map((load) => ({ layer, load, size: 'small', connections: USUAL_CONNECTIONS }) as const),
  );
  const nameOf = ({ layer, load }: Case): string =>
    `${LAYER_TITLES[layer]}, ${LOAD_TITLES[load] || 'kept connections'}`;
  const bars = places.flatMap((measured) =>
    subjects.flatMap((subject): Bar[] => {
      const figures = figuresOf(results, subject, measured);
      if (figures === undefined) return [];
      const { median: value, min: low, max: high } = figures.processorUs;
      return [{ group: nameOf(measured), name: subject, value, low, high }];
    }),
  );
  const kinds = new Set(bars.map(({ group }) => group));
  if (kinds.size < 3) return undefined;
  // What is written for Node is so much dearer that the others would be dots.
  const compiled = bars.filter(({ name }) => name !== 'http-proxy' && name !== 'fastify' && name !== 'fourseven-node');
  const blocks: Block[] = [
    text(
      'The same small body, asked for in different ways. A fresh connection costs several times what its request does. Pipelining lets one wake-up serve many requests. A message of an upgraded connection is Layer 4 work, whatever the listener is called.',
    ),
    {
      kind: 'picture',
      picture: {
        name: 'cost-by-client',
        caption:
          'CPU per request (or per message), small bodies, 64 connections. Black lines: least and most of the rounds.',
        description: 'Bars of processor time per request by what clients do, for each proxy',
        svg: drawBars(compiled, { label: 'CPU µs per request →', format: formatTick }, formatFigure),
      },
    },
    table('CPU µs per request, small body, 64 connections', {
      columns: ['', ...subjects],
      rows: places
        .filter((measured) => kinds.has(nameOf(measured)))
        .map((measured) => [
          nameOf(measured),
          ...subjects.map((subject) => formatFigure(figuresOf(results, subject, measured)?.processorUs.median)),
        ]),
    }),
    command('npm run bench -- --only l4,l7 --loads kept,fresh,pipelined,unpooled,upload,messages --sizes small'),
  ];
  return { id: 'clients', title: 'By what clients do', blocks };
}
