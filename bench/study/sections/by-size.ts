import { BODY_BYTES } from '../../origin/bodies.ts';
import { formatFigure, formatRatio } from '../../report/figures.ts';
import type { Table } from '../../report/table.ts';
import type { Results } from '../../results.ts';
import { ratio } from '../../statistics.ts';
import {
  BODY_SIZES,
  type BodySize,
  type Case,
  LAYER_TITLES,
  type Layer,
  SIZE_TITLES,
  type SubjectName,
  USUAL_CONNECTIONS,
} from '../../vocabulary.ts';
import { crossing } from '../crossing.ts';
import { type Block, command, type Section, table, text } from '../report/document.ts';
import { type Axis, type Curve, drawCurves } from '../report/plots.ts';
import { figuresOf, formatBytes, proxiesIn, US } from './shared.ts';

/** The largest bodies are measured with few: with many, none would arrive whole in time. */
function placeOf(layer: Layer, size: BodySize): Case {
  return { layer, load: 'kept', size, connections: size === '16m' ? 4 : USUAL_CONNECTIONS };
}

const BYTES: Axis = {
  label: 'body, bytes →',
  log: true,
  ticks: BODY_SIZES.map((size) => BODY_BYTES[size]),
  format: (bytes) => BODY_SIZES.find((size) => BODY_BYTES[size] === bytes) ?? '',
};

export function sizeSection(results: Results): Section | undefined {
  const kept = (layer: Layer, subject: SubjectName): Curve => ({
    name: subject,
    facet: LAYER_TITLES[layer],
    points: BODY_SIZES.flatMap((size) => {
      const figures = figuresOf(results, subject, placeOf(layer, size));
      return figures === undefined ? [] : [{ x: BODY_BYTES[size], y: figures.processorUs.median }];
    }),
  });
  const layers = ['l4', 'l7', 'tls'] as const;
  const curves = layers
    .flatMap((layer) => proxiesIn(results).map((subject) => kept(layer, subject)))
    .filter(({ points }) => points.length > 1);
  if (curves.length === 0) return undefined;
  const ratios = (['kept', 'fresh'] as const).map((load) => layerRatio(results, load));
  const blocks: Block[] = [
    text(
      'Small bodies cost what their request costs; from some tens of kibibytes on, the bytes are what is paid for. Where the curve of a proxy bends is where its way of moving bytes begins to matter.',
    ),
    {
      kind: 'picture',
      picture: {
        name: 'cost-by-size',
        caption: 'CPU per request by the size of the body, 64 kept connections (16 MiB: 4). Both axes are logarithmic.',
        description:
          'Curves of processor time per request by body size, for each proxy, at Layer 4, Layer 7 and with TLS',
        svg: drawCurves(curves, { x: BYTES, y: US }),
      },
    },
    table('CPU µs per request, 64 kept connections (16 MiB: 4)', sizeTable(results, layers)),
    text(ratios.map(({ sentence }) => sentence).join(' ')),
    {
      kind: 'picture',
      picture: {
        name: 'layers-by-size',
        caption: 'Layer 7 as a multiple of Layer 4, Fourseven. Below the dashed line Layer 7 is the cheaper one.',
        description: 'The ratio of the costs of Layer 7 and Layer 4 by body size, with kept and with fresh connections',
        svg: drawCurves(
          ratios.map(({ curve }) => curve),
          { x: BYTES, y: { label: '↑ L7 ÷ L4' } },
          1,
        ),
      },
    },
    command('npm run bench -- --only l4,l7,tls --loads kept,fresh --sizes small,1k,16k,128k,1m,16m'),
  ];
  return { id: 'size', title: 'By size: where the curves bend, and where they cross', blocks };
}

function sizeTable(results: Results, layers: readonly Layer[]): Table {
  const subjects = proxiesIn(results);
  return {
    columns: ['', ...subjects],
    rows: layers.flatMap((layer) =>
      BODY_SIZES.flatMap((size) => {
        const figures = subjects.map(
          (subject) => figuresOf(results, subject, placeOf(layer, size))?.processorUs.median,
        );
        if (figures.every((figure) => figure === undefined)) return [];
        return [[`${LAYER_TITLES[layer]}, ${SIZE_TITLES[size]}`, ...figures.map(formatFigure)]];
      }),
    ),
  };
}

function layerRatio(results: Results, load: 'kept' | 'fresh'): { curve: Curve; sentence: string } {
  const points = BODY_SIZES.flatMap((size) => {
    const [l4, l7] = (['l4', 'l7'] as const).map((layer) =>
      figuresOf(results, 'fourseven', { ...placeOf(layer, size), load }),
    );
    const value = l4 && l7 && ratio(l7.processorUs.median, l4.processorUs.median);
    return value === undefined ? [] : [{ x: BODY_BYTES[size], y: value }];
  });
  const name = load === 'kept' ? 'kept connections' : 'a connection for each request';
  const at = crossing(points, 1);
  const below = points.filter(({ y }) => y < 1).length;
  const where =
    at !== undefined
      ? `the curves cross at about ${formatBytes(at)}`
      : below === points.length
        ? 'Layer 7 was the cheaper one at every size'
        : 'Layer 4 was the cheaper one at every size';
  const range = points.map(({ y }) => y);
  const words = `With ${name}, ${where}; Layer 7 takes ${formatRatio(Math.min(...range))} to ${formatRatio(Math.max(...range))} times what Layer 4 does.`;
  return { curve: { name, points }, sentence: points.length === 0 ? '' : words };
}
