import { type Results, summarizeLatency, validProcessorUs } from '../results.ts';
import { median, ratio } from '../statistics.ts';
import { type BodySize, LAYER_TITLES, type Layer, SIZE_TITLES, type SubjectName, usualCase } from '../vocabulary.ts';

/** What the proxy must reach. Smaller is better for every one of them. */
export interface Bar {
  readonly title: string;
  readonly unit: '' | ' B' | ' ms';
  readonly must: number;
  readonly stretch: number;
  /** What was measured; undefined if the run cannot say. */
  readonly measured: (results: Results, ours: Ours) => number | undefined;
}

/** The subjects that the bars are for. */
export const OURS = ['fourseven', 'fourseven-logged'] as const satisfies readonly SubjectName[];
export type Ours = (typeof OURS)[number];

export const BARS: readonly Bar[] = [
  processorBar('l7', 'small', ['haproxy'], 0.95, 0.88),
  processorBar('logged', 'small', ['haproxy'], 0.95, 0.88),
  processorBar('l7', '16k', ['haproxy', 'nginx'], 0.9, 0.5),
  processorBar('l7', '1m', ['haproxy', 'nginx'], 0.6, 0.4),
  processorBar('l7', 'small', ['http-proxy'], 1 / 4, 1 / 5),
  processorBar('l4', 'small', ['haproxy'], 0.95, 0.9),
  processorBar('l4', '1m', ['haproxy'], 0.4, 0.3),
  processorBar('tls', 'small', ['nginx'], 0.9, 0.85),
  processorBar('tls-logged', 'small', ['nginx'], 0.9, 0.85),
  // At least 0.95 of nginx's handshakes per second of a core.
  processorBar('full', 'small', ['nginx'], 1 / 0.95, 1),
  processorBar('resumed', 'small', ['nginx'], 1 / 0.95, 1),
  processorBar('passed', 'small', ['fourseven-plain'], 1.05, 1),
  latencyBar(1, 0.8),
  sampleBar('memory per idle keep-alive connection', ' B', 1024, 600, (results) => results.idle),
  sampleBar('start to first byte', ' ms', 500, 250, (results) => results.start),
];

export type Verdict = 'MISSED' | 'reached' | 'reached, stretch too';

export function judge(bar: Bar, measured: number): Verdict {
  if (measured > bar.must) return 'MISSED';
  return measured > bar.stretch ? 'reached' : 'reached, stretch too';
}

/** CPU per request as a multiple of the best of the rivals; all of them must have been measured. */
function processorBar(
  layer: Layer,
  size: BodySize,
  rivals: readonly SubjectName[],
  must: number,
  stretch: number,
): Bar {
  const against = rivals.length > 1 ? `the better of ${rivals.join(' and ')}` : rivals.join();
  return {
    title: `${LAYER_TITLES[layer]} ${SIZE_TITLES[size].replace(' body', '')}: CPU ÷ ${against}`,
    unit: '',
    must,
    stretch,
    measured: (results, name) => {
      const ours = validProcessorUs(results, usualCase(layer, size), name);
      const theirs = rivals.map((rival) => validProcessorUs(results, usualCase(layer, size), rival));
      const best = Math.min(...theirs.map((value) => value ?? Number.NaN));
      return ours === undefined ? undefined : ratio(ours, best);
    },
  };
}

function latencyBar(must: number, stretch: number): Bar {
  const measured = (results: Results, ours: Ours): number | undefined => {
    const p99Us = (name: SubjectName): number => {
      const rounds = results.latency.find(
        (result) => result.subject === name && result.layer === 'l7' && result.size === 'small' && result.share === 0.7,
      )?.rounds;
      const summary = rounds === undefined ? undefined : summarizeLatency(rounds);
      return summary === undefined || summary.problems.length > 0 ? Number.NaN : summary.p99Us;
    };
    return ratio(p99Us(ours), p99Us('haproxy'));
  };
  return { title: 'L7 small, p99 at 70 % of saturation: ÷ haproxy', unit: '', must, stretch, measured };
}

function sampleBar(
  title: string,
  unit: Bar['unit'],
  must: number,
  stretch: number,
  from: (results: Results) => Results['idle'],
): Bar {
  const measured = (results: Results, ours: Ours): number | undefined => {
    const samples = from(results).find(({ subject }) => subject === ours)?.samples;
    return samples === undefined ? undefined : median(samples);
  };
  return { title, unit, must, stretch, measured };
}
