/** What follows from the prices and the figures: where one layer becomes cheaper than the other. */
import { formatFigure, formatPercent } from '../../report/figures.ts';
import type { Results } from '../../results.ts';
import { LAYER_TITLES, type Layer, LOAD_TITLES, SIZE_TITLES, USUAL_CONNECTIONS } from '../../vocabulary.ts';
import { type Prices, TERMS, type Work } from '../cost-model.ts';
import { crossing } from '../crossing.ts';
import { observationsOf, type Priced, type PricedSubject } from '../observations.ts';
import { type Block, command, text } from '../report/document.ts';
import { type Curve, drawCurves } from '../report/plots.ts';
import { figuresOf, formatTick, US } from './shared.ts';

/** At which number of requests per connection do the layers cost the same? From the prices and the measured packets. */
export function requestBlocks(models: readonly PricedSubject[], results: Results): Block[] {
  const pricesOf = (priced: Priced): Prices | undefined => models.find((one) => one.priced === priced)?.model.prices;
  const [l4, l7] = [pricesOf('l4'), pricesOf('l7')];
  if (l4 === undefined || l7 === undefined) return [];
  const workOf = (priced: Priced, title: string): Work | undefined =>
    observationsOf(results, priced, 'fourseven', 'fitted').find((one) => one.title === title)?.work;
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
  // A scenario that is missing or invalid leaves a layer without its curve.
  if (first === undefined || second === undefined) return [];
  if (curves.some(({ points }) => points.length < counts.length)) return [];
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

/**
 * From which share of TLS on is it cheaper to end it at Layer 7 than to pass it on at Layer 4? For the whole machine, on kept connections. Where
 * `a + s·(b - a)` of both are equal.
 */
export function tlsShare(plain: Pair, secure: Pair): number | undefined {
  const share = (plain.l7 - plain.l4) / (plain.l7 - plain.l4 + secure.l4 - secure.l7);
  return share > 0 && share < 1 ? share : undefined;
}

interface Pair {
  readonly l4: number;
  readonly l7: number;
}

export function tlsBlocks(results: Results): Block[] {
  const machineOf = (layer: Layer): number =>
    figuresOf(results, 'fourseven', { layer, load: 'kept', size: 'small', connections: USUAL_CONNECTIONS })
      ?.machineUs ?? Number.NaN;
  const plain = { l4: machineOf('l4'), l7: machineOf('l7') };
  const secure = { l4: machineOf('passed'), l7: machineOf('tls') };
  if (Number.isNaN(plain.l4 + plain.l7 + secure.l4 + secure.l7)) return [];
  const share = tlsShare(plain, secure);
  const ahead = (pair: Pair): string => (pair.l4 < pair.l7 ? 'Layer 4' : 'Layer 7');
  const words =
    share === undefined
      ? `Whatever the share of TLS, ${ahead(plain)} costs the machine less`
      : `From about ${formatPercent(share)} of TLS on, ${ahead(secure)} costs the machine less`;
  return [
    text(
      `${words}, where Layer 4 passes TLS on and Layer 7 ends it (kept connections, small bodies; without TLS ${formatFigure(plain.l4)} and ${formatFigure(plain.l7)} µs of the machine per request, with it ${formatFigure(secure.l4)} and ${formatFigure(secure.l7)}).`,
    ),
    command('npm run bench -- --only l4,l7,tls,passed --loads kept --sizes small --subjects fourseven'),
  ];
}
