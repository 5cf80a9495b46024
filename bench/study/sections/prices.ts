import { formatCount, formatFigure, formatPercent } from '../../report/figures.ts';
import type { Table } from '../../report/table.ts';
import type { Results } from '../../results.ts';
import { median } from '../../statistics.ts';
import { LAYER_TITLES, LOAD_TITLES, SIZE_TITLES, type SubjectName } from '../../vocabulary.ts';
import { type CostModel, fitCostModel, type Prices, TERMS, type Work } from '../cost-model.ts';
import { crossing } from '../crossing.ts';
import { observationsOf, PRICED, type Priced } from '../observations.ts';
import { type Block, command, type Section, table, text } from '../report/document.ts';
import { type Bar, type Curve, drawCurves, drawStacks } from '../report/plots.ts';
import { formatTick, proxiesIn, US } from './shared.ts';

const TERM_TITLES: Readonly<Record<(typeof TERMS)[number], string>> = {
  connections: 'a connection',
  packets: 'a packet',
  kibibytes: 'a KiB',
  streamed: 'a KiB of a stream',
  requests: 'a request',
  handshakes: 'a whole handshake',
  resumptions: 'a resumed one',
  wakeups: 'a wake-up',
};

interface PricedSubject {
  readonly priced: Priced;
  readonly subject: SubjectName;
  readonly model: CostModel;
}

export function priceSection(results: Results): Section | undefined {
  const models = (Object.keys(PRICED) as Priced[]).flatMap((priced) =>
    proxiesIn(results).flatMap((subject): PricedSubject[] => {
      const observations = observationsOf(results, priced, subject);
      if (observations.length < 10) return [];
      return [{ priced, subject, model: fitCostModel(observations, results.seed) }];
    }),
  );
  const ours = models.filter(({ subject }) => subject === 'fourseven');
  if (ours.length === 0) return undefined;
  const blocks: Block[] = [
    text(
      'The figures of all scenarios are taken for a sum of prices: so much for each connection (on either side), packet, kibibyte (the first 256 of a body, and those of a stream beyond), request, handshake (with the connection it opens) and wake-up. The prices are those with the least relative error (least squares, none below zero). In brackets, where 95 of 100 fits to scenarios drawn at random from these would lie: a wide bracket says that these scenarios cannot tell that price from another.',
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

function priceTable(models: readonly PricedSubject[]): Table {
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

function stacksOf(results: Results, models: readonly PricedSubject[]): Bar[] {
  return models.flatMap(({ priced, subject, model: { prices } }) =>
    observationsOf(results, priced, subject)
      .filter(({ title }) => / (small|16 KiB) body$| small body, a connection for each/.test(title))
      .flatMap(({ title, work }) =>
        TERMS.map((term) => ({ group: title, name: TERM_TITLES[term], value: prices[term] * work[term] })),
      ),
  );
}

function heldOutTable(models: readonly PricedSubject[]): Table {
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
function questionBlocks(models: readonly PricedSubject[], results: Results): Block[] {
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
