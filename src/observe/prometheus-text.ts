/**
 * Metrics as text: version 0.0.4 of the Prometheus exposition format, or OpenMetrics 1.0, which differs in how it names the family of a
 * counter, in the line of the unit, and in its end.
 */
import { LATENCY_BOUNDS_S, type LatencyCounts, latencyCount, upperBoundMs } from './latency-histogram.ts';

export type MetricType = 'counter' | 'gauge' | 'histogram';
type Labels = Readonly<Record<string, string>>;

export interface MetricFamily {
  /** As in a query: a counter ends in `_total`. */
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly samples: readonly { readonly labels?: Labels; readonly value: number }[];
  /** Of a histogram, whose `samples` are empty. */
  readonly latencies?: readonly { readonly labels: Labels; readonly value: LatencyCounts }[];
}

export type MetricsFormat = 'prometheus' | 'openmetrics';

export const METRICS_CONTENT_TYPES: Readonly<Record<MetricsFormat, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** What a scraper asks for with `Accept`: OpenMetrics where it is named and not refused, as Prometheus does; the older text otherwise. */
export function chooseMetricsFormat(accept: string | undefined): MetricsFormat {
  const wanted = (accept ?? '').split(',').map((range) => range.split(';').map((part) => part.trim().toLowerCase()));
  const isNamed = wanted.some(
    ([type, ...parameters]) =>
      type === 'application/openmetrics-text' && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)),
  );
  return isNamed ? 'openmetrics' : 'prometheus';
}

/** Families in the given order, samples sorted by their labels so that two scrapes can be compared. */
export function formatMetrics(families: readonly MetricFamily[], format: MetricsFormat = 'prometheus'): string {
  const text = families.map((family) => formatFamily(family, format)).join('');
  return format === 'openmetrics' ? `${text}# EOF\n` : text;
}

function formatFamily(family: MetricFamily, format: MetricsFormat): string {
  const { name, help, type, samples, latencies = [] } = family;
  const isOpen = format === 'openmetrics';
  const metric = isOpen && type === 'counter' ? name.replace(/_total$/, '') : name;
  const unit = isOpen ? /_(seconds|bytes)$/.exec(metric)?.[1] : undefined;
  const escaped = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  const head = `# HELP ${metric} ${escaped}\n# TYPE ${metric} ${type}\n${unit === undefined ? '' : `# UNIT ${metric} ${unit}\n`}`;
  const lines = samples
    .map(({ labels = {}, value }) => `${name}${formatLabels(labels)} ${formatValue(value)}\n`)
    .sort();
  const histograms = latencies.map(({ labels, value }) => formatLatencies(name, labels, value)).sort();
  return head + lines.join('') + histograms.join('');
}

function formatLatencies(name: string, labels: Labels, counts: LatencyCounts): string {
  const { buckets } = counts;
  let at = 0;
  let seen = 0;
  let text = '';
  for (const bound of LATENCY_BOUNDS_S) {
    // The bounds of buckets are whole microseconds: half of one is for rounding.
    while (at < buckets.length && upperBoundMs(buckets[at]!) <= bound * 1000 + 0.0005) {
      seen += buckets[at + 1]!;
      at += 2;
    }
    text += `${name}_bucket${formatLabels({ ...labels, le: boundText(bound) })} ${seen}\n`;
  }
  const total = latencyCount(counts);
  text += `${name}_bucket${formatLabels({ ...labels, le: '+Inf' })} ${total}\n`;
  text += `${name}_sum${formatLabels(labels)} ${formatValue(counts.sumMs / 1000)}\n`;
  return `${text}${name}_count${formatLabels(labels)} ${total}\n`;
}

/** OpenMetrics wants the canonical form of a float: `1.0`. */
function boundText(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : String(bound);
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function formatValue(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
