import { formatCount, formatFigure, formatPercent } from '../../report/figures.ts';
import type { Table } from '../../report/table.ts';
import type { Results } from '../../results.ts';
import { median } from '../../statistics.ts';
import { LAYER_TITLES } from '../../vocabulary.ts';
import { fitCostModel, TERMS } from '../cost-model.ts';
import { observationsOf, PRICED, type Priced, type PricedSubject } from '../observations.ts';
import { type Block, command, type Section, table, text } from '../report/document.ts';
import { type Bar, drawStacks } from '../report/plots.ts';
import { requestBlocks, tlsBlocks } from './questions.ts';
import { formatTick, proxiesIn } from './shared.ts';

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
    ...requestBlocks(ours, results),
    ...tlsBlocks(results),
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
