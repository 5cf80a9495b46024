/** What the report says, made of the figures of a run: other figures, another text. */
import { judgeClaims } from '../claims/all-claims.ts';
import { mergeHistograms } from '../load/open-loop/open-loop.ts';
import { BODY_BYTES } from '../origin/bodies.ts';
import { formatCount, formatFigure, formatPercent, formatRatio } from '../report/figures.ts';
import { describeRun, MICRO_TITLES } from '../report/report.ts';
import type { Table } from '../report/table.ts';
import {
  findThroughput,
  type LatencyResult,
  type Results,
  type Summary,
  summarize,
  summarizeLatency,
} from '../results.ts';
import { median, ratio, spread } from '../statistics.ts';
import {
  BODY_SIZES,
  type Case,
  LAYER_TITLES,
  type Layer,
  LOAD_TITLES,
  LOADS,
  SIZE_TITLES,
  SUBJECT_NAMES,
  type SubjectName,
  USUAL_CONNECTIONS,
} from '../vocabulary.ts';
import { type CostModel, fitCostModel, type Prices, TERMS, type Work } from './cost-model.ts';
import { crossing } from './crossing.ts';
import { observationsOf, PRICED, type Priced } from './observations.ts';
import { type Block, command, heading, type Report, type Section, table, text } from './report/document.ts';
import {
  type Axis,
  type Bar,
  type Curve,
  drawBars,
  drawCurves,
  drawSmallBars,
  drawStacks,
  PERCENTILE_AXIS,
  percentileX,
} from './report/plots.ts';

const US: Axis = { label: '↑ CPU µs per request', log: true, format: formatTick };

function bytesAxis(curves: readonly Curve[]): Axis {
  const measured = new Set(curves.flatMap(({ points }) => points.map(({ x }) => x)));
  return {
    label: 'body, bytes →',
    log: true,
    ticks: BODY_SIZES.map((size) => BODY_BYTES[size]).filter((bytes) => measured.has(bytes)),
    format: (bytes) => BODY_SIZES.find((size) => BODY_BYTES[size] === bytes) ?? '',
  };
}

export function buildReport(results: Results, commandLine: string): Report {
  const sections = [
    sizeSection(results),
    clientSection(results),
    connectionSection(results),
    priceSection(results),
    latencySection(results),
    floorSection(results),
    unitSection(results),
    memorySection(results),
    claimSection(results),
  ].filter((section) => section.blocks.length > 0);
  return {
    title: 'What a layer costs: Layer 4 against Layer 7, measured',
    introduction: [
      text(
        'A proxy at Layer 4 relays bytes of connections; one at Layer 7 reads the requests in them. This report says what either takes of a machine: per connection, packet, byte, request and handshake. Every figure was measured on the machine named below, by the command below it, and every sentence with a figure follows from them.',
      ),
      text(describeRun(results).replaceAll('\n', ' ')),
      text(
        'CPU per request is the user and system time of the proxy alone, unless it says "machine": then load, endpoint and kernel are in it. Compare ratios; the microseconds themselves belong to this machine.',
      ),
      command(commandLine),
    ],
    sections,
  };
}

function figuresOf(results: Results, subject: SubjectName, measured: Case): Summary | undefined {
  const found = findThroughput(results, measured, subject);
  const summary = found && summarize(found.rounds);
  return summary?.problems.length === 0 ? summary : undefined;
}

function subjectsIn(results: Results): readonly SubjectName[] {
  return SUBJECT_NAMES.filter((name) => results.throughput.some(({ subject }) => subject === name));
}

/** Those that relay by themselves: the floor has no processor time of its own. */
function proxiesIn(results: Results): readonly SubjectName[] {
  return subjectsIn(results).filter((name) => name !== 'direct' && name !== 'dnat' && name !== 'fourseven-plain');
}

// --- By size ----------------------------------------------------------------------------------------------------------------------------

function sizeSection(results: Results): Section {
  const kept = (layer: Layer, subject: SubjectName): Curve => ({
    name: subject,
    facet: LAYER_TITLES[layer],
    points: BODY_SIZES.flatMap((size) => {
      const figures = figuresOf(results, subject, { layer, load: 'kept', size, connections: USUAL_CONNECTIONS });
      return figures === undefined ? [] : [{ x: BODY_BYTES[size], y: figures.processorUs.median }];
    }),
  });
  const layers = ['l4', 'l7', 'tls'] as const;
  const curves = layers
    .flatMap((layer) => proxiesIn(results).map((subject) => kept(layer, subject)))
    .filter(({ points }) => points.length > 1);
  if (curves.length === 0) return { id: 'size', title: '', blocks: [] };
  const ratios = (['kept', 'fresh'] as const).map((load) => layerRatio(results, load));
  const blocks: Block[] = [
    text(
      'Small bodies cost what their request costs; from some tens of kibibytes on, the bytes are what is paid for. Where the curve of a proxy bends is where its way of moving bytes begins to matter.',
    ),
    {
      kind: 'picture',
      picture: {
        name: 'cost-by-size',
        caption: 'CPU per request by the size of the body, 64 kept connections. Both axes are logarithmic.',
        description:
          'Curves of processor time per request by body size, for each proxy, at Layer 4, Layer 7 and with TLS',
        svg: drawCurves(curves, { x: bytesAxis(curves), y: US }),
      },
    },
    table('CPU µs per request, 64 kept connections', sizeTable(results, layers)),
    text(ratios.map(({ sentence }) => sentence).join(' ')),
    {
      kind: 'picture',
      picture: {
        name: 'layers-by-size',
        caption: 'Layer 7 as a multiple of Layer 4, Fourseven. Below the dashed line Layer 7 is the cheaper one.',
        description: 'The ratio of the costs of Layer 7 and Layer 4 by body size, with kept and with fresh connections',
        svg: drawCurves(
          ratios.map(({ curve }) => curve),
          { x: bytesAxis(ratios.map(({ curve }) => curve)), y: { label: '↑ L7 ÷ L4' } },
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
        const measured: Case = { layer, load: 'kept', size, connections: USUAL_CONNECTIONS };
        const figures = subjects.map((subject) => figuresOf(results, subject, measured)?.processorUs.median);
        if (figures.every((figure) => figure === undefined)) return [];
        return [[`${LAYER_TITLES[layer]}, ${SIZE_TITLES[size]}`, ...figures.map(formatFigure)]];
      }),
    ),
  };
}

function layerRatio(results: Results, load: 'kept' | 'fresh'): { curve: Curve; sentence: string } {
  const points = BODY_SIZES.flatMap((size) => {
    const [l4, l7] = (['l4', 'l7'] as const).map((layer) =>
      figuresOf(results, 'fourseven', { layer, load, size, connections: USUAL_CONNECTIONS }),
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

// --- By what clients do -----------------------------------------------------------------------------------------------------------------

function clientSection(results: Results): Section {
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
  if (kinds.size < 3) return { id: 'clients', title: '', blocks: [] };
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

// --- By connections -----------------------------------------------------------------------------------------------------------------------

function connectionSection(results: Results): Section {
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
  if (long.length === 0) return { id: 'connections', title: '', blocks: [] };
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

// --- Prices -------------------------------------------------------------------------------------------------------------------------------

const TERM_TITLES: Readonly<Record<(typeof TERMS)[number], string>> = {
  connections: 'a connection',
  packets: 'a packet',
  kibibytes: 'a KiB',
  requests: 'a request',
  handshakes: 'a whole handshake',
  resumptions: 'a resumed one',
  wakeups: 'a wake-up',
};

interface Priced4 {
  readonly priced: Priced;
  readonly subject: SubjectName;
  readonly model: CostModel;
}

function priceSection(results: Results): Section {
  const models = (Object.keys(PRICED) as Priced[]).flatMap((priced) =>
    proxiesIn(results).flatMap((subject): Priced4[] => {
      const observations = observationsOf(results, priced, subject);
      if (observations.length < 10) return [];
      return [{ priced, subject, model: fitCostModel(observations, results.seed) }];
    }),
  );
  const ours = models.filter(({ subject }) => subject === 'fourseven');
  if (ours.length === 0) return { id: 'prices', title: '', blocks: [] };
  const blocks: Block[] = [
    text(
      'The figures of all scenarios are taken for a sum of prices: so much for each connection, packet, kibibyte, request, handshake and wake-up. The prices are those with the least relative error (least squares, none below zero). In brackets, where 95 of 100 fits to scenarios drawn at random from these would lie: a wide bracket says that these scenarios cannot tell that price from another.',
    ),
    table('What you pay for what, µs', priceTable(models)),
    {
      kind: 'picture',
      picture: {
        name: 'stacked-cost',
        caption: 'What a request is paid for, Fourseven: the prices times the work of the scenario, measured for each.',
        description: 'Stacked bars of the parts of the cost of a request, by layer and scenario',
        svg: drawStacks(stacksOf(results, ours), { label: 'CPU µs per request →', format: formatTick }),
      },
    },
    text(
      'Does it predict? Each scenario was left out in turn, the prices fitted to the others, and its cost predicted. The figure is how far that was off.',
    ),
    table('Prediction of scenarios left out, error', heldOutTable(models)),
    ...questionBlocks(ours, results),
    command(
      'npm run bench -- --only l4,l7,tls,full,resumed --loads kept,fresh,pipelined,upload,messages --sizes small,1k,16k,128k,1m',
    ),
  ];
  return { id: 'prices', title: 'What you pay for what', blocks };
}

function priceTable(models: readonly Priced4[]): Table {
  return {
    columns: ['', ...TERMS.map((term) => TERM_TITLES[term])],
    rows: models.map(({ priced, subject, model: { prices, intervals } }) => [
      `${LAYER_TITLES[priced]}, ${subject}`,
      ...TERMS.map((term) => {
        const { low, high } = intervals[term];
        return prices[term] === 0 && high === 0
          ? ''
          : `${formatFigure(prices[term])} [${formatFigure(low)}–${formatFigure(high)}]`;
      }),
    ]),
  };
}

function stacksOf(results: Results, models: readonly Priced4[]): Bar[] {
  return models.flatMap(({ priced, subject, model: { prices } }) =>
    observationsOf(results, priced, subject)
      .filter(({ title }) => / (small|16 KiB) body$| small body, a connection for each/.test(title))
      .flatMap(({ title, work }) =>
        TERMS.map((term) => ({ group: title, name: TERM_TITLES[term], value: prices[term] * work[term] })),
      ),
  );
}

function heldOutTable(models: readonly Priced4[]): Table {
  return {
    columns: ['', 'scenarios', 'median', 'within 10 %', 'worst', 'the worst one'],
    rows: models.map(({ priced, subject, model: { heldOut } }) => {
      const errors = heldOut.map(({ error }) => Math.abs(error));
      const worst = heldOut.reduce((a, b) => (Math.abs(b.error) > Math.abs(a.error) ? b : a));
      return [
        `${LAYER_TITLES[priced]}, ${subject}`,
        formatCount(heldOut.length),
        formatPercent(median(errors)),
        formatPercent(errors.filter((error) => error <= 0.1).length / errors.length),
        formatPercent(Math.max(...errors)),
        worst.title,
      ];
    }),
  };
}

/** At which number of requests per connection do the layers cost the same? From the prices and the measured packets. */
function questionBlocks(models: readonly Priced4[], results: Results): Block[] {
  const pricesOf = (priced: Priced): Prices | undefined => models.find((one) => one.priced === priced)?.model.prices;
  const [l4, l7] = [pricesOf('l4'), pricesOf('l7')];
  if (l4 === undefined || l7 === undefined) return [];
  const workOf = (priced: Priced, title: string): Work | undefined =>
    observationsOf(results, priced, 'fourseven').find((one) => one.title === title)?.work;
  const mixed = (priced: Priced, prices: Prices, perConnection: number): number | undefined => {
    const title = `${LAYER_TITLES[priced]}, ${SIZE_TITLES.small}`;
    const [kept, fresh] = [workOf(priced, title), workOf(priced, `${title}, ${LOAD_TITLES.fresh}`)];
    if (kept === undefined || fresh === undefined) return undefined;
    return TERMS.reduce(
      (sum, term) => sum + prices[term] * (kept[term] + (fresh[term] - kept[term]) / perConnection),
      0,
    );
  };
  const counts = [1, 2, 4, 8, 16, 32, 64];
  const curves = (
    [
      ['l4', l4],
      ['l7', l7],
    ] as const
  ).map(
    ([priced, prices]): Curve => ({
      name: LAYER_TITLES[priced],
      points: counts.flatMap((count) => {
        const y = mixed(priced, prices, count);
        return y === undefined ? [] : [{ x: count, y }];
      }),
    }),
  );
  const [first, second] = curves;
  if (first === undefined || second === undefined || first.points.length < counts.length) return [];
  const at = crossing(
    first.points.map(({ x, y }, index) => ({ x, y: second.points[index]!.y / y })),
    1,
  );
  const words =
    at === undefined
      ? `For small bodies the model has the same layer ahead from one request per connection to ${counts.at(-1)}.`
      : `For small bodies the model has Layer 7 ahead below about ${formatFigure(at)} requests per connection, Layer 4 above.`;
  return [
    text(
      `${words} Layer 7 keeps its connections to the endpoints; Layer 4 pays for two connections whenever a client opens one.`,
    ),
    {
      kind: 'picture',
      picture: {
        name: 'requests-per-connection',
        caption: 'CPU per request by the number of requests on each connection: the prices of the model, small bodies.',
        description: 'Curves of the cost of a request at Layer 4 and Layer 7 by the number of requests per connection',
        svg: drawCurves(curves, {
          x: { label: 'requests per connection →', log: true, ticks: counts, format: formatTick },
          y: { ...US, log: false },
        }),
      },
    },
  ];
}

// --- Latency ------------------------------------------------------------------------------------------------------------------------------

const PERCENTILES = [50, 75, 90, 95, 99, 99.5, 99.9];

function latencySection(results: Results): Section {
  const small = results.latency.filter(({ size }) => size === 'small');
  const nameOf = ({ layer, subject }: LatencyResult): string =>
    subject === 'direct' ? 'direct' : `${LAYER_TITLES[layer]}, ${subject}`;
  const shares = [...new Set(small.map(({ share }) => share))].toSorted((a, b) => a - b);
  const share = shares.includes(0.7) ? 0.7 : shares.at(-1);
  if (share === undefined) return { id: 'latency', title: '', blocks: [] };
  const at = small.filter((one) => one.share === share);
  const distribution = at.map((one): Curve => {
    const histogram = mergeHistograms(one.rounds.flatMap(({ latency }) => latency || []));
    const points = PERCENTILES.map((percentile) => ({
      x: percentileX(percentile),
      y: histogram.getValueAtPercentile(percentile) / 1000,
    }));
    return { name: nameOf(one), points };
  });
  const names = [...new Set(small.map(nameOf))];
  const byLoad = names.map(
    (name): Curve => ({
      name,
      points: small
        .filter((one) => nameOf(one) === name)
        .map((one) => ({ x: one.share * 100, y: summarizeLatency(one.rounds).p99Us / 1000 })),
    }),
  );
  const ms: Axis = { label: '↑ ms', log: true, format: formatTick };
  const blocks: Block[] = [
    text(
      `Requests leave by a schedule and are measured from when they were due, so that a proxy that stalls is charged for all whom it keeps waiting. All get the same load: shares of what the weakest of them answers at most. The percentiles below are at ${formatPercent(share)} (${formatCount(at[0]!.ratePerSecond)} requests per second).`,
    ),
    {
      kind: 'picture',
      picture: {
        name: 'latency-percentiles',
        caption: `Latency at ${formatPercent(share)} of saturation, small bodies. Each nine of the percentile takes as much room as the one before.`,
        description: 'Latency by percentile for each proxy and layer',
        svg: drawCurves(distribution, { x: PERCENTILE_AXIS, y: ms }),
      },
    },
    table('Latency, ms', {
      columns: ['', 'p50', 'p90', 'p99', 'p99.9', 'busy'],
      rows: at.map((one) => {
        const { p50Us, p90Us, p99Us, p999Us, busy } = summarizeLatency(one.rounds);
        return [
          nameOf(one),
          ...[p50Us, p90Us, p99Us, p999Us].map((us) => formatFigure(us / 1000)),
          formatPercent(busy),
        ];
      }),
    }),
  ];
  if (shares.length > 1) {
    blocks.push({
      kind: 'picture',
      picture: {
        name: 'load-and-p99',
        caption: 'The p99 by load, small bodies. It is the load that makes milliseconds of microseconds.',
        description: 'The 99th percentile of latency by load for each proxy and layer',
        svg: drawCurves(byLoad, { x: { label: 'load, % of what the weakest answers at most →' }, y: ms }),
      },
    });
  }
  const list = shares.map((one) => Math.round(one * 100)).join(',');
  blocks.push(command(`npm run bench -- --only latency --latency-layers l4,l7 --shares ${list} --sizes small`));
  return { id: 'latency', title: 'Latency', blocks };
}

// --- The floor ----------------------------------------------------------------------------------------------------------------------------

function floorSection(results: Results): Section {
  const rows = (['kept', 'fresh'] as const).flatMap((load) =>
    subjectsIn(results).flatMap((subject) => {
      const figures = figuresOf(results, subject, { layer: 'l4', load, size: 'small', connections: USUAL_CONNECTIONS });
      return figures === undefined ? [] : [{ load, subject, figures }];
    }),
  );
  if (!rows.some(({ subject }) => subject === 'direct')) return { id: 'floor', title: '', blocks: [] };
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

// --- Single units and memory ----------------------------------------------------------------------------------------------------------------

function unitSection(results: Results): Section {
  const { micro } = results;
  if (micro.length === 0) return { id: 'units', title: '', blocks: [] };
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

function memorySection({ idle, start, idleConnections }: Results): Section {
  if (idle.length === 0 && start.length === 0) return { id: 'memory', title: '', blocks: [] };
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

// --- The claims ---------------------------------------------------------------------------------------------------------------------------

function claimSection(results: Results): Section {
  const claims = judgeClaims(results);
  if (claims.length === 0) return { id: 'claims', title: '', blocks: [] };
  const count = (verdict: string): number => claims.filter((claim) => claim.verdict === verdict).length;
  const blocks: Block[] = [
    text(
      `What the texts teach, and what was found here: ${claims.length} claims; holds: ${count('holds')}, half-true: ${count('half-true')}, false here: ${count('false here')}.`,
    ),
    table('The verdicts', {
      columns: ['', 'verdict'],
      rows: claims.map(({ number, claim, verdict }) => [`${number}. ${claim}`, verdict]),
    }),
    {
      kind: 'pictures',
      pictures: claims
        .filter(({ bars }) => bars.length > 0)
        .map(({ number, claim, verdict, bars, unit }) => ({
          name: `claim-${number}`,
          caption: `${number}: ${verdict}. ${claim}`,
          description: `Bars for claim ${number}: ${bars.map(({ name, value }) => `${name} ${formatFigure(value)}`).join(', ')} (${unit})`,
          svg: drawSmallBars(`${number}: ${verdict}`, bars, unit, formatShort),
        })),
    },
    ...claims.flatMap(({ number, claim, verdict, found, table: rows, turns, command: line }) => [
      heading(`${number}. ${claim}`),
      text(`${verdict.charAt(0).toUpperCase()}${verdict.slice(1)}. ${found}`),
      table(`Figures of claim ${number}`, rows),
      text(`It would turn: ${turns}`),
      command(line),
    ]),
  ];
  return { id: 'claims', title: 'The claims', blocks };
}

function formatTick(value: number): string {
  return value >= 1000 ? formatCount(value) : String(Number(value.toPrecision(3)));
}

function formatShort(value: number): string {
  return Math.abs(value) >= 100 ? formatCount(value) : String(Number(value.toPrecision(2)));
}

function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes.toFixed(0)} bytes`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(0)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
