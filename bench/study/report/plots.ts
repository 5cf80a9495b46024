/** Pictures, drawn by Observable Plot without a browser. Text and axes have the colour of their surroundings, so that they can be read on dark and on paper. */
import * as Plot from '@observablehq/plot';
import { type DrawingDocument, type DrawnElement, JSDOM } from 'jsdom';
import type { SubjectName } from '../../vocabulary.ts';

/** Of middling lightness: they stand out from white and from black. */
const COLOURS: Readonly<Record<SubjectName, string>> = {
  fourseven: '#e8590c',
  'fourseven-node': '#c2255c',
  'fourseven-logged': '#e8590c',
  'fourseven-plain': '#f08c00',
  haproxy: '#1c7ed6',
  nginx: '#2f9e44',
  'http-proxy': '#ae3ec9',
  fastify: '#7950f2',
  direct: '#868e96',
  dnat: '#0c8599',
};
/** For what has no colour of its own, in this order. */
const OTHER_COLOURS = ['#1c7ed6', '#e8590c', '#2f9e44', '#ae3ec9', '#f08c00', '#0c8599', '#c2255c', '#868e96'];

const WIDTH = 900;
const LEGEND_ROW = 22;
const LEGEND_CHARACTER = 7;
/** Between two names, with the dot. */
const LEGEND_GAP = 34;

export interface Curve {
  readonly name: string;
  /** A column of its own for each. */
  readonly facet?: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Axis {
  readonly label: string;
  readonly log?: boolean;
  readonly ticks?: readonly number[];
  readonly format?: (value: number) => string;
}

/** Curves with their points, a colour and a symbol for each name. `level`: a line across, as where two are equal. */
export function drawCurves(curves: readonly Curve[], axes: { x: Axis; y: Axis }, level?: number): string {
  const points = curves.flatMap(({ name, facet = '', points: all }) => all.map(({ x, y }) => ({ name, facet, x, y })));
  const names = [...new Set(points.map(({ name }) => name))];
  const facets = [...new Set(points.map(({ facet }) => facet))];
  const channels = { x: 'x', y: 'y', ...(facets.length > 1 && { fx: 'facet' }) };
  return draw(
    {
      height: 380,
      marginLeft: 62,
      marginRight: 40,
      x: scaleOf(within(axes.x, points)),
      y: { ...scaleOf(axes.y), grid: true, labelAnchor: 'center' },
      fx: { label: null, domain: facets, padding: 0.08 },
      color: { domain: names, range: names.map(colourOf) },
      symbol: { domain: names },
      marks: [
        ...(level === undefined ? [] : [Plot.ruleY([level], { stroke: 'currentColor', strokeDasharray: '4 3' })]),
        Plot.line(points, { ...channels, stroke: 'name', strokeWidth: 2 }),
        Plot.dot(points, { ...channels, stroke: 'name', symbol: 'name', r: 4, strokeWidth: 1.6 }),
      ],
    },
    names,
  );
}

/** The axis with the ticks that lie where there are points: the others would stand beside the picture. */
function within(axis: Axis, points: readonly { readonly x: number }[]): Axis {
  if (axis.ticks === undefined) return axis;
  const [least, most] = [Math.min(...points.map(({ x }) => x)), Math.max(...points.map(({ x }) => x))];
  return { ...axis, ticks: axis.ticks.filter((tick) => tick >= least && tick <= most) };
}

export interface Bar {
  /** The row it stands in. */
  readonly group: string;
  readonly name: string;
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
}

/** Bars beside each other, one group of them for each row; with their range where they have one. */
export function drawBars(bars: readonly Bar[], axis: Axis, format: (value: number) => string): string {
  const names = [...new Set(bars.map(({ name }) => name))];
  const groups = [...new Set(bars.map(({ group }) => group))];
  return draw(
    {
      height: Math.max(120, groups.length * (names.length * 16 + 14) + 60),
      marginLeft: 250,
      marginRight: 60,
      x: { ...scaleOf(axis), grid: true, insetRight: 30 },
      y: { axis: null, domain: names },
      fy: { label: null, axis: 'left', domain: groups, padding: 0.2 },
      color: { domain: names, range: names.map(colourOf) },
      marks: [
        Plot.barX(bars, { x: 'value', y: 'name', fy: 'group', fill: 'name' }),
        Plot.ruleY(
          bars.filter(({ low, high }) => low !== undefined && high !== undefined),
          { x1: 'low', x2: 'high', y: 'name', fy: 'group', stroke: 'currentColor' },
        ),
        Plot.text(bars, {
          x: (bar: Bar) => bar.high ?? bar.value,
          y: 'name',
          fy: 'group',
          text: (bar: Bar) => format(bar.value),
          textAnchor: 'start',
          dx: 5,
          fill: 'currentColor',
        }),
      ],
    },
    names,
  );
}

/** Bars of parts on top of each other, one for each group. */
export function drawStacks(parts: readonly Bar[], axis: Axis): string {
  const names = [...new Set(parts.map(({ name }) => name))];
  const groups = [...new Set(parts.map(({ group }) => group))];
  return draw(
    {
      height: groups.length * 34 + 60,
      marginLeft: 330,
      x: { ...scaleOf(axis), grid: true },
      y: { label: null, domain: groups },
      color: { domain: names, range: names.map((_, index) => OTHER_COLOURS[index % OTHER_COLOURS.length]!) },
      marks: [Plot.barX(parts, Plot.stackX({ x: 'value', y: 'group', fill: 'name', order: names }))],
    },
    names,
    (_, index) => OTHER_COLOURS[index % OTHER_COLOURS.length]!,
  );
}

/** A few bars under a title, for small multiples. */
export function drawSmallBars(
  title: string,
  bars: readonly { readonly name: string; readonly value: number }[],
  unit: string,
  format: (value: number) => string,
): string {
  return draw({
    width: 380,
    height: bars.length * 26 + 60,
    marginLeft: 190,
    marginRight: 56,
    marginTop: 26,
    x: { label: unit, ticks: 3, tickFormat: 's' },
    y: { label: null, domain: bars.map(({ name }) => name), tickSize: 0 },
    marks: [
      Plot.barX(bars, { x: 'value', y: 'name', fill: COLOURS.fourseven }),
      Plot.text([title], {
        frameAnchor: 'top-left',
        dx: -190,
        dy: -18,
        fontWeight: 'bold',
        fontSize: 11,
        text: (name: string) => name,
      }),
      Plot.text(bars, {
        x: 'value',
        y: 'name',
        text: ({ value }: { value: number }) => format(value),
        textAnchor: 'start',
        dx: 4,
        fill: 'currentColor',
      }),
    ],
  } as Plot.PlotOptions);
}

/** Percentiles on an axis on which each nine takes as much room as the one before (as HdrHistogram plots them). */
export function percentileX(percentile: number): number {
  return 1 / (1 - percentile / 100);
}

export const PERCENTILE_AXIS: Axis = {
  label: 'percentile →',
  log: true,
  ticks: [50, 90, 99, 99.9].map(percentileX),
  format: (x) => `${Number((100 * (1 - 1 / x)).toFixed(2))} %`,
};

function colourOf(name: string, index: number): string {
  return COLOURS[name as SubjectName] ?? OTHER_COLOURS[index % OTHER_COLOURS.length]!;
}

function scaleOf({ label, log = false, ticks, format = String }: Axis): Plot.ScaleOptions {
  if (log && ticks !== undefined) {
    // By hand: Plot leaves out the labels of a logarithmic axis that it finds too close, whatever was asked for.
    return {
      label,
      transform: Math.log,
      ticks: ticks.map(Math.log),
      tickFormat: (x: number) => format(nearest(ticks, Math.exp(x))),
    };
  }
  return {
    label,
    ...(log && { type: 'log' }),
    ...(ticks !== undefined && { ticks: [...ticks] }),
    ...(format !== String && { tickFormat: format }),
  };
}

/** The tick that was meant: logarithms are rounded. */
function nearest(ticks: readonly number[], value: number): number {
  return ticks.reduce((best, tick) => (Math.abs(tick - value) < Math.abs(best - value) ? tick : best));
}

/** `names`: what the legend above the picture tells apart. */
function draw(options: Plot.PlotOptions, names: readonly string[] = [], colour = colourOf): string {
  const { document } = new JSDOM('').window;
  const rows = legendRows(names);
  const legendHeight = names.length > 1 ? rows.length * LEGEND_ROW : 0;
  const marginTop = (options.marginTop ?? 26) + legendHeight;
  const svg: DrawnElement = Plot.plot({
    width: WIDTH,
    style: { background: 'transparent', fontSize: '12px' },
    marginBottom: 44,
    ...options,
    document,
    marginTop,
    height: (options.height ?? 300) + legendHeight,
  });
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  if (names.length > 1) svg.append(legend(document, rows, colour));
  // The picture as a whole has a description; a group without a role may have none (WAI-ARIA 1.2, section 5.2.8.6).
  return svg.outerHTML.replaceAll(/<g aria-label="[^"]*"/g, '<g');
}

/** Names with their places, as many in a row as have room. */
function legendRows(
  names: readonly string[],
): { readonly name: string; readonly index: number; readonly x: number }[][] {
  const rows: { name: string; index: number; x: number }[][] = [[]];
  let x = 4;
  for (const [index, name] of names.entries()) {
    const width = LEGEND_GAP + name.length * LEGEND_CHARACTER;
    if (x + width > WIDTH) {
      rows.push([]);
      x = 4;
    }
    rows.at(-1)?.push({ name, index, x });
    x += width;
  }
  return rows;
}

function legend(document: DrawingDocument, rows: ReturnType<typeof legendRows>, colour: typeof colourOf): DrawnElement {
  const make = (name: string): DrawnElement => document.createElementNS('http://www.w3.org/2000/svg', name);
  const group = make('g');
  group.setAttribute('text-anchor', 'start');
  for (const [row, names] of rows.entries()) {
    const y = 12 + row * LEGEND_ROW;
    for (const { name, index, x } of names) {
      const dot = make('circle');
      for (const [key, value] of Object.entries({ cx: x + 5, cy: y, r: 5 })) dot.setAttribute(key, String(value));
      dot.setAttribute('fill', colour(name, index));
      const label = make('text');
      for (const [key, value] of Object.entries({ x: x + 15, y: y + 4 })) label.setAttribute(key, String(value));
      label.textContent = name;
      group.append(dot, label);
    }
  }
  return group;
}
