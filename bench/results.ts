import { mergeHistograms } from './load/open-loop/open-loop.ts';
import type { Machine } from './machine.ts';
import { median, type Spread, spread } from './statistics.ts';
import type { SystemCounters } from './system-counters.ts';
import { type BodySize, type Case, isSameCase, type Layer, type SubjectName } from './vocabulary.ts';

/** One measurement of one subject. */
export interface Round {
  readonly requests: number;
  readonly seconds: number;
  /** Processor time of the subject during the measurement. */
  readonly userUs: number;
  readonly systemUs: number;
  /** What the kernel counted meanwhile; null if the round is invalid. */
  readonly counters: SystemCounters | null;
  /** What makes it invalid, in words. */
  readonly problems: readonly string[];
}

export interface ThroughputResult extends Case {
  readonly subject: SubjectName;
  readonly rounds: readonly Round[];
}

/** One open-loop run against one subject. */
export interface LatencyRound {
  /** Microseconds from when each request was due to its whole answer: a histogram as `Report` has it. */
  readonly latency: string;
  /** Microseconds by which the generator was late itself. */
  readonly lateness: string;
  /** Milliseconds of processor time that the hypervisor gave to others meanwhile. */
  readonly stolenMs: number;
  /** Share of a core that the subject was busy. */
  readonly busy: number;
  /** What it was asked for: a share of what the weakest subject answered at most in this round. */
  readonly ratePerSecond: number;
  /** What it answered at most in this round. */
  readonly saturationPerSecond: number;
  /** Share of a core that it was busy meanwhile: below 1 something else was the limit. */
  readonly saturationBusy: number;
  readonly problems: readonly string[];
}

export interface LatencyResult {
  readonly subject: SubjectName;
  readonly layer: Layer;
  readonly size: BodySize;
  /** Of what the weakest subject answers at most. */
  readonly share: number;
  readonly rounds: readonly LatencyRound[];
}

/** Memory per idle connection in bytes, or milliseconds to the first byte: one number per round. */
export interface SampleResult {
  readonly subject: SubjectName;
  readonly samples: readonly number[];
}

/** What a single unit of the proxy costs by itself. */
export interface MicroResult {
  readonly group: 'head' | 'route' | 'policy' | 'maglev' | 'door' | 'relay';
  readonly name: string;
  /** What it depends on: bytes of a head or a message, number of routes or of endpoints. */
  readonly x: number;
  /** Nanoseconds, one for each round. */
  readonly samples: readonly number[];
}

/** A subject that could not be measured, and why. */
export interface Failure {
  readonly subject: SubjectName;
  readonly where: string;
  readonly reason: string;
  /** Not installed, as opposed to installed and broken. */
  readonly missing: boolean;
}

/** Of what `--json` writes: another number for another shape. */
export const RESULTS_FORMAT = 8;

/** Everything a run has found out; what `--json` writes. */
export interface Results {
  readonly format: typeof RESULTS_FORMAT;
  readonly machine: Machine;
  readonly load: string;
  readonly origin: string;
  readonly pinned: boolean;
  readonly connections: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
  readonly idleConnections: number;
  readonly versions: Partial<Record<SubjectName, string>>;
  readonly throughput: readonly ThroughputResult[];
  readonly seed: number;
  readonly latency: readonly LatencyResult[];
  /** Bytes per idle keep-alive connection. */
  readonly idle: readonly SampleResult[];
  /** Milliseconds from start to first byte. */
  readonly start: readonly SampleResult[];
  readonly micro: readonly MicroResult[];
  /** What the experiments of the claims have found, by the number of the claim. */
  readonly experiments: Readonly<Record<number, unknown>>;
  readonly failures: readonly Failure[];
}

/** The rounds of one subject in one figure each; counts are per request. */
export interface Summary {
  /** Microseconds of processor time per request. */
  readonly processorUs: Spread;
  readonly userUs: number;
  readonly systemUs: number;
  /** Processor time of the whole machine, load and origin included. */
  readonly machineUs: number;
  /** Processor time of the origin. */
  readonly originUs: number;
  readonly packets: number;
  readonly contextSwitches: number;
  readonly requestsPerSecond: number;
  /** Share of a core that the subject was busy: 1 is a whole one. */
  readonly busy: number;
  readonly problems: readonly string[];
}

/** Each case that was measured, in the order in which it was. */
export function casesIn(results: Results): readonly Case[] {
  const cases: Case[] = [];
  for (const { layer, load, size, connections } of results.throughput) {
    const one = { layer, load, size, connections };
    if (!cases.some((known) => isSameCase(known, one))) cases.push(one);
  }
  return cases;
}

export function summarize(rounds: readonly Round[]): Summary {
  const perRequest = (time: (round: Round) => number): number[] => rounds.map((round) => time(round) / round.requests);
  return {
    processorUs: spread(perRequest((round) => round.userUs + round.systemUs)),
    userUs: median(perRequest((round) => round.userUs)),
    systemUs: median(perRequest((round) => round.systemUs)),
    ...summarizeCounters(rounds),
    requestsPerSecond: median(rounds.map((round) => round.requests / round.seconds)),
    busy: median(rounds.map((round) => (round.userUs + round.systemUs) / (round.seconds * 1_000_000))),
    problems: rounds.flatMap((round) => round.problems),
  };
}

function summarizeCounters(
  rounds: readonly Round[],
): Pick<Summary, 'machineUs' | 'originUs' | 'packets' | 'contextSwitches'> {
  const perRequest = (name: keyof SystemCounters): number =>
    median(rounds.flatMap(({ counters, requests }) => (counters === null ? [] : [counters[name] / requests])));
  return {
    machineUs: perRequest('machineUs'),
    originUs: perRequest('originUs'),
    packets: perRequest('packets'),
    contextSwitches: perRequest('contextSwitches'),
  };
}

/** The rounds of one subject merged, in microseconds. */
export interface LatencySummary {
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
  /** Of the generator's own lateness. */
  readonly latenessP99Us: number;
  readonly busy: number;
  readonly ratePerSecond: number;
  readonly saturationPerSecond: number;
  readonly saturationBusy: number;
  /** From all rounds together. */
  readonly stolenMs: number;
  readonly problems: readonly string[];
}

/** Share of a subject's p99 that the generator may have caused itself. */
const LATENESS_SHARE_MAX = 0.25;

export function summarizeLatency(rounds: readonly LatencyRound[]): LatencySummary {
  const problems = rounds.flatMap((round) => round.problems);
  const latency = mergeHistograms(rounds.flatMap((round) => round.latency || []));
  const latenessP99Us = mergeHistograms(rounds.flatMap((round) => round.lateness || [])).getValueAtPercentile(99);
  const at = (percentile: number): number => latency.getValueAtPercentile(percentile);
  return {
    p50Us: at(50),
    p90Us: at(90),
    p99Us: at(99),
    p999Us: at(99.9),
    maxUs: latency.maxValue,
    latenessP99Us,
    busy: median(rounds.map((round) => round.busy)),
    ratePerSecond: median(rounds.map((round) => round.ratePerSecond)),
    saturationPerSecond: median(rounds.map((round) => round.saturationPerSecond)),
    saturationBusy: median(rounds.map((round) => round.saturationBusy)),
    stolenMs: rounds.reduce((sum, round) => sum + round.stolenMs, 0),
    problems,
  };
}

/** Whether the generator was so late that its lateness may be what was measured. */
export function isGeneratorBottleneck(summary: LatencySummary): boolean {
  return summary.latenessP99Us > LATENESS_SHARE_MAX * summary.p99Us;
}

/** The figures of one subject in one case, if it was measured. */
export function findThroughput(results: Results, measured: Case, subject: SubjectName): ThroughputResult | undefined {
  return results.throughput.find((result) => result.subject === subject && isSameCase(result, measured));
}

/** Microseconds per request of a subject, if it was measured and the figure is valid. */
export function validProcessorUs(results: Results, measured: Case, subject: SubjectName): number | undefined {
  const found = findThroughput(results, measured, subject);
  if (found === undefined) return undefined;
  const summary = summarize(found.rounds);
  return summary.problems.length === 0 ? summary.processorUs.median : undefined;
}
