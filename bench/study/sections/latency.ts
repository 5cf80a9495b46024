import { mergeHistograms } from '../../load/open-loop/open-loop.ts';
import { formatCount, formatFigure, formatPercent } from '../../report/figures.ts';
import { type LatencyResult, type Results, summarizeLatency } from '../../results.ts';
import { LAYER_TITLES } from '../../vocabulary.ts';
import { type Block, command, type Section, table, text } from '../report/document.ts';
import { type Axis, type Curve, drawCurves, PERCENTILE_AXIS, percentileX } from '../report/plots.ts';
import { formatTick } from './shared.ts';

const PERCENTILES = [50, 75, 90, 95, 99, 99.5, 99.9];

export function latencySection(results: Results): Section | undefined {
  const small = results.latency.filter(({ size }) => size === 'small');
  const nameOf = ({ layer, subject }: LatencyResult): string =>
    subject === 'direct' ? 'direct' : `${LAYER_TITLES[layer]}, ${subject}`;
  const shares = [...new Set(small.map(({ share }) => share))].toSorted((a, b) => a - b);
  const share = shares.includes(0.7) ? 0.7 : shares.at(-1);
  if (share === undefined) return undefined;
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
      `Requests leave by a schedule and are measured from when they were due, so that a proxy that stalls is charged for all whom it keeps waiting. All get the same load: shares of what the weakest of them answers at most. The percentiles below are at ${formatPercent(share)} (${formatCount(summarizeLatency(at[0]!.rounds).ratePerSecond)} requests per second).`,
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
        caption: 'The p99 by load, small bodies.',
        description: 'The 99th percentile of latency by load for each proxy and layer',
        svg: drawCurves(byLoad, { x: { label: 'load, % of what the weakest answers at most →' }, y: ms }),
      },
    });
  }
  const list = shares.map((one) => Math.round(one * 100)).join(',');
  blocks.push(command(`npm run bench -- --only latency --latency-layers l4,l7 --shares ${list} --sizes small`));
  return { id: 'latency', title: 'Latency', blocks };
}
