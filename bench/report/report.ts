import { judgeClaims } from '../claims/all-claims.ts';
import {
  casesIn,
  isGeneratorBottleneck,
  type LatencyResult,
  type MicroResult,
  type Results,
  type SampleResult,
  summarize,
  summarizeLatency,
  type ThroughputResult,
  validProcessorUs,
} from '../results.ts';
import { ratio, spread } from '../statistics.ts';
import {
  type Case,
  isSameCase,
  LAYER_TITLES,
  SIZE_TITLES,
  SUBJECT_NAMES,
  type SubjectName,
  titleOf,
} from '../vocabulary.ts';
import { BARS, judge, OURS, type Ours } from './bars.ts';
import { formatCount, formatFigure, formatPercent, formatRatio } from './figures.ts';
import { renderText, type Table } from './table.ts';

/** Those that others are compared with. */
const RIVALS: readonly SubjectName[] = ['fourseven-plain', 'haproxy', 'nginx', 'http-proxy', 'fastify'];

/** The whole report of a run, for a terminal. */
export function renderReport(results: Results): string {
  const sections = [
    ...throughputSections(results),
    ...latencySections(results),
    ...sampleSection('Memory per idle keep-alive connection, bytes (PSS)', results.idle),
    ...sampleSection('Start to first byte, milliseconds', results.start),
    ...microSection(results),
    ...claimSections(results),
    ...failureSection(results),
    ...OURS.flatMap((ours) => barSection(results, ours)),
  ];
  return `${sections.join('\n\n')}\n`;
}

function throughputSections(results: Results): string[] {
  return casesIn(results).flatMap((measured) => {
    const all = results.throughput.filter((result) => isSameCase(result, measured));
    const title = `${titleOf(measured)}: CPU µs per request`;
    return [`${title}\n\n${renderText(throughputTable(results, measured, all))}`, ...problemLines(all)];
  });
}

export function throughputTable(results: Results, measured: Case, all: readonly ThroughputResult[]): Table {
  const rivals = RIVALS.filter((rival) => validProcessorUs(results, measured, rival) !== undefined);
  const columns = ['', 'median', 'user', 'system', 'min–max', 'machine', 'packets', 'switches', 'requests/s', 'busy'];
  return {
    columns: [...columns, ...rivals.map((rival) => `÷ ${rival}`)],
    rows: all.map(({ subject, rounds }) => {
      const summary = summarize(rounds);
      const { processorUs } = summary;
      if (summary.problems.length > 0) return [subject, 'INVALID'];
      const ratios = rivals.map((rival) =>
        ratio(processorUs.median, validProcessorUs(results, measured, rival) ?? Number.NaN),
      );
      return [
        subject,
        formatFigure(processorUs.median),
        formatFigure(summary.userUs),
        formatFigure(summary.systemUs),
        `${formatFigure(processorUs.min)}–${formatFigure(processorUs.max)}`,
        formatFigure(summary.machineUs),
        formatFigure(summary.packets),
        formatFigure(summary.contextSwitches),
        formatCount(summary.requestsPerSecond),
        formatPercent(summary.busy),
        ...ratios.map(formatRatio),
      ];
    }),
  };
}

function problemLines(measured: readonly ThroughputResult[]): string[] {
  return measured.flatMap(({ subject, rounds }) => {
    const { problems } = summarize(rounds);
    return problems.length > 0 ? [`  ${subject} is invalid: ${problems.join(', ')}`] : [];
  });
}

/** Share of its core from which on a proxy is the limit. */
const SATURATED = 0.9;

function latencySections(results: Results): string[] {
  const places: LatencyResult[] = [];
  for (const one of results.latency) if (!places.some((known) => isSamePlace(known, one))) places.push(one);
  return places.flatMap((place) =>
    latencySection(
      place,
      results.latency.filter((one) => isSamePlace(one, place)),
    ),
  );
}

function isSamePlace(a: LatencyResult, b: LatencyResult): boolean {
  return a.size === b.size && a.share === b.share;
}

function latencySection(place: LatencyResult, all: readonly LatencyResult[]): string[] {
  const rows = all.map(({ subject, layer, rounds }) => {
    const summary = summarizeLatency(rounds);
    const name = `${LAYER_TITLES[layer]}, ${subject}`;
    if (summary.problems.length > 0) return [name, 'INVALID'];
    const { p50Us, p90Us, p99Us, p999Us, maxUs, latenessP99Us, busy, stolenMs } = summary;
    const { saturationPerSecond, saturationBusy } = summary;
    return [
      name,
      ...[p50Us, p90Us, p99Us, p999Us, maxUs, latenessP99Us].map(formatCount),
      formatPercent(busy),
      formatCount(stolenMs),
      formatCount(saturationPerSecond),
      formatPercent(saturationBusy),
    ];
  });
  const columns = [
    '',
    'p50',
    'p90',
    'p99',
    'p99.9',
    'max',
    'generator late, p99',
    'busy',
    'stolen, ms',
    'requests/s at most',
    'busy then',
  ];
  const rate = `${formatCount(summarizeLatency(place.rounds).ratePerSecond)} requests/s, ${formatPercent(place.share)} of what the weakest answers at most`;
  const title = `Latency in an open loop, ${SIZE_TITLES[place.size]}, ${rate}: µs from when a request was due`;
  const notes = all.flatMap(({ subject, layer, rounds }) => {
    const summary = summarizeLatency(rounds);
    const name = `${LAYER_TITLES[layer]}, ${subject}`;
    if (summary.problems.length > 0) return [`  ${name} is invalid: ${summary.problems.join(', ')}`];
    return [
      ...(isGeneratorBottleneck(summary) ? [`  ${name}: the generator was the bottleneck`] : []),
      ...(summary.saturationBusy < SATURATED && subject !== 'direct' && subject !== 'dnat'
        ? [`  ${name} was never saturated: the generator or the origin was the limit`]
        : []),
    ];
  });
  return [`${title}\n\n${renderText({ columns, rows })}`, ...notes];
}

function sampleSection(title: string, samples: readonly SampleResult[]): string[] {
  if (samples.length === 0) return [];
  const rows = samples.map((result) => {
    const { median, min, max } = spread(result.samples);
    return [result.subject, formatCount(median), `${formatCount(min)}–${formatCount(max)}`];
  });
  return [`${title}\n\n${renderText({ columns: ['', 'median', 'min–max'], rows })}`];
}

function claimSections(results: Results): string[] {
  return judgeClaims(results).map(({ number, claim, verdict, found, table, turns }) =>
    [`${number}. ${claim}`, `  ${verdict.toUpperCase()}. ${found}`, renderText(table), `  It turns: ${turns}`].join(
      '\n\n',
    ),
  );
}

export const MICRO_TITLES: Readonly<Record<MicroResult['group'], { readonly title: string; readonly x: string }>> = {
  head: { title: 'Heads and paths', x: 'bytes' },
  route: { title: 'Lookups of a route', x: 'routes' },
  policy: { title: 'Picks of an endpoint', x: 'endpoints' },
  maglev: { title: 'Maglev', x: 'endpoints' },
  door: { title: 'The door between TypeScript and C++', x: '' },
  relay: { title: 'A message from socket to socket', x: 'bytes' },
};

function microSection(results: Results): string[] {
  return Object.entries(MICRO_TITLES).flatMap(([group, { title, x }]) => {
    const rows = results.micro
      .filter((result) => result.group === group)
      .map(({ name, x: at, samples }) => {
        const { median, min, max } = spread(samples);
        return [name, formatCount(at), formatFigure(median), `${formatFigure(min)}–${formatFigure(max)}`];
      });
    return rows.length === 0 ? [] : [`${title}: ns\n\n${renderText({ columns: ['', x, 'median', 'min–max'], rows })}`];
  });
}

function failureSection(results: Results): string[] {
  if (results.failures.length === 0) return [];
  const lines = results.failures.map(({ subject, where, reason }) => `  ${subject}, ${where}: ${reason.trim()}`);
  return [`Not measured\n\n${lines.join('\n')}`];
}

function barSection(results: Results, ours: Ours): string[] {
  const rows = BARS.flatMap((bar) => {
    const measured = bar.measured(results, ours);
    if (measured === undefined) return [];
    const write = (value: number): string => (bar.unit === '' ? value.toFixed(2) : `${value.toFixed(0)}${bar.unit}`);
    return [[bar.title, `≤ ${write(bar.must)}`, write(bar.stretch), write(measured), judge(bar, measured)]];
  });
  if (rows.length === 0) return [];
  return [`The bars, for ${ours}\n\n${renderText({ columns: ['', 'must', 'stretch', 'measured', 'verdict'], rows })}`];
}

/** One row per layer and size, one column per subject: the summary for README. Rows and columns without figures are left out. */
export function summaryTable(results: Results): Table {
  const names = SUBJECT_NAMES.filter((name) => results.throughput.some((result) => result.subject === name));
  const rows = casesIn(results).map((measured) => summaryRow(results, names, measured));
  return { columns: ['CPU µs per request', ...names, '÷ haproxy', '÷ nginx'], rows };
}

function summaryRow(results: Results, names: readonly SubjectName[], measured: Case): readonly string[] {
  const figure = (name: SubjectName): number => validProcessorUs(results, measured, name) ?? Number.NaN;
  const ours = figure('fourseven');
  return [
    titleOf(measured),
    ...names.map((name) => formatFigure(figure(name))),
    ...(['haproxy', 'nginx'] as const).map((rival) => formatRatio(ratio(ours, figure(rival)))),
  ];
}

/** What the figures were made on and with. */
export function describeRun(results: Results): string {
  const { machine, versions, load, origin, pinned, connections, rounds, seconds } = results;
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`.trim());
  const cores = pinned ? 'proxies pinned to one core, origin and load to another' : 'nothing pinned to a core';
  return [
    `${machine.processor}, ${machine.cores} cores, ${machine.kernel}, node ${machine.node}; ${cores}.`,
    `${names.join(', ')}; load: ${load}, ${connections.join(', ')} connections; ${origin}.`,
    `Medians of ${rounds} interleaved rounds${results.throughput.length > 0 ? ` of ${seconds} s` : ''}.`,
  ].join('\n');
}
