import { BODY_BYTES } from '../../origin/bodies.ts';
import { formatCount, formatFigure, formatPercent } from '../../report/figures.ts';
import type { Table } from '../../report/table.ts';
import type { Results } from '../../results.ts';
import { median } from '../../statistics.ts';
import { LAYER_TITLES } from '../../vocabulary.ts';
import { BULK_KIB, fitCostModel, type Residual, residualsOf, STREAM_KIB, TERMS } from '../cost-model.ts';
import {
  HELD_OUT_CONNECTIONS,
  HELD_OUT_SIZES,
  observationsOf,
  PRICED,
  type Priced,
  type PricedSubject,
  type Role,
} from '../observations.ts';
import { type Block, command, type Section, table, text } from '../report/document.ts';
import { type Bar, drawStacks } from '../report/plots.ts';
import { requestBlocks, tlsBlocks } from './questions.ts';
import { formatTick, proxiesIn } from './shared.ts';

const TERM_TITLES: Readonly<Record<(typeof TERMS)[number], string>> = {
  accepted: 'a connection',
  dialed: 'one to an endpoint',
  packets: 'a packet',
  kibibytes: 'a KiB',
  bulk: 'a KiB of bulk',
  streamed: 'a KiB of a stream',
  requests: 'a request',
  uploads: 'an upload',
  uploaded: 'a KiB of it',
  tunneled: 'a KiB in a tunnel',
  handshakes: 'a whole handshake',
  resumptions: 'a resumed one',
  wakeups: 'a wake-up',
  cold: 'a cold connection',
};

export function priceSection(results: Results): Section | undefined {
  const models = (Object.keys(PRICED) as Priced[]).flatMap((priced) =>
    proxiesIn(results).flatMap((subject): PricedSubject[] => {
      const fitted = observationsOf(results, priced, subject, 'fitted');
      if (fitted.length < 10) return [];
      const model = fitCostModel(fitted, results.seed);
      const predict = (role: Role) => residualsOf(observationsOf(results, priced, subject, role), model.prices);
      return [{ priced, subject, model, heldOut: predict('held-out'), beyond: predict('beyond') }];
    }),
  );
  const ours = models.filter(({ subject }) => subject === 'fourseven');
  if (ours.length === 0) return undefined;
  const blocks: Block[] = [
    text(
      `The figures of the scenarios with bodies up to 1 MiB and up to 256 connections are taken for a sum of prices: so much for each connection (at Layer 4 with the one that is dialed for it, at Layer 7 these have a price of their own), packet, kibibyte (the first ${BULK_KIB} of a body, those of bulk up to ${STREAM_KIB}, and those of a stream beyond), request, upload and its first ${BULK_KIB} kibibytes, the first of a WebSocket message, handshake (with the connection it opens), wake-up, and request on a connection that has left the cache. Of the rounds of a scenario the lower quartile is taken, since whoever else is on the machine only ever adds to them; elsewhere in this report stand medians. The prices are those with the least relative error (least squares, none below zero). In brackets, where 95 of 100 fits to scenarios drawn at random from these would lie: a wide bracket says that these scenarios cannot tell that price from another.`,
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
      `Does it predict? Scenarios between those of the fit were measured in the same run and held out: bodies of ${listOf(HELD_OUT_SIZES.map((size) => BODY_BYTES[size] / 1024))} KiB, ${listOf(HELD_OUT_CONNECTIONS)} connections. The figures are how far the prediction of their cost was off, as medians and at worst. Harder: each scenario of the fit was left out in turn, and predicted by the others, which may have nothing like it. Beyond: bodies of 16 MiB and 4,096 connections, where the model does not claim to hold.`,
    ),
    table('Prediction, error', predictionTable(models)),
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
    observationsOf(results, priced, subject, 'fitted')
      .filter(({ title }) => / (small|16 KiB) body$| small body, a connection for each/.test(title))
      .flatMap(({ title, work }) =>
        TERMS.map((term) => ({ group: title, name: TERM_TITLES[term], value: prices[term] * work[term] })),
      ),
  );
}

function predictionTable(models: readonly PricedSubject[]): Table {
  return {
    columns: ['', 'held out', 'median', 'within 10 %', 'worst', 'the worst one', 'left out in turn', 'beyond'],
    rows: models.map(({ priced, subject, model, heldOut, beyond }) => {
      const errors = absolute(heldOut);
      const worst = heldOut.find(({ error }) => Math.abs(error) === Math.max(...errors));
      return [
        `${LAYER_TITLES[priced]}, ${subject}`,
        formatCount(heldOut.length),
        percentOf(errors, median),
        percentOf(errors, (all) => all.filter((error) => error <= 0.1).length / all.length),
        percentOf(errors, (all) => Math.max(...all)),
        worst?.title ?? '',
        percentOf(absolute(model.leftOut), median),
        percentOf(absolute(beyond), (all) => Math.max(...all)),
      ];
    }),
  };
}

function absolute(residuals: readonly Residual[]): number[] {
  return residuals.map(({ error }) => Math.abs(error));
}

/** Empty if there is nothing to say it of. */
function percentOf(errors: readonly number[], value: (errors: readonly number[]) => number): string {
  return errors.length === 0 ? '' : formatPercent(value(errors));
}

function listOf(values: readonly number[]): string {
  return new Intl.ListFormat('en-GB').format(values.map(String));
}
