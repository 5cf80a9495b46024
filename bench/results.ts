import type { Machine } from './machine.ts';
import { median, type Spread, spread } from './statistics.ts';
import type { BodySize, Layer, SubjectName } from './vocabulary.ts';

/** One measurement of one subject. */
export interface Round {
  readonly requests: number;
  readonly seconds: number;
  /** Processor time of the subject during the measurement. */
  readonly userUs: number;
  readonly systemUs: number;
  /** What makes it invalid, in words. */
  readonly problems: readonly string[];
}

export interface ThroughputResult {
  readonly layer: Layer;
  readonly size: BodySize;
  readonly subject: SubjectName;
  readonly rounds: readonly Round[];
}

/** Memory per idle connection in bytes, or milliseconds to the first byte: one number per round. */
export interface SampleResult {
  readonly subject: SubjectName;
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

/** Everything a run has found out; what `--json` writes. */
export interface Results {
  readonly format: 1;
  readonly machine: Machine;
  readonly load: string;
  readonly origin: string;
  readonly pinned: boolean;
  readonly connections: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly idleConnections: number;
  readonly versions: Partial<Record<SubjectName, string>>;
  readonly throughput: readonly ThroughputResult[];
  /** Bytes per idle keep-alive connection. */
  readonly idle: readonly SampleResult[];
  /** Milliseconds from start to first byte. */
  readonly start: readonly SampleResult[];
  readonly failures: readonly Failure[];
}

/** The rounds of one subject in one figure each. */
export interface Summary {
  /** Microseconds of processor time per request. */
  readonly processorUs: Spread;
  readonly userUs: number;
  readonly systemUs: number;
  readonly requestsPerSecond: number;
  /** Share of a core that the subject was busy: 1 is a whole one. */
  readonly busy: number;
  readonly problems: readonly string[];
}

export function summarize(rounds: readonly Round[]): Summary {
  const perRequest = (time: (round: Round) => number): number[] => rounds.map((round) => time(round) / round.requests);
  return {
    processorUs: spread(perRequest((round) => round.userUs + round.systemUs)),
    userUs: median(perRequest((round) => round.userUs)),
    systemUs: median(perRequest((round) => round.systemUs)),
    requestsPerSecond: median(rounds.map((round) => round.requests / round.seconds)),
    busy: median(rounds.map((round) => (round.userUs + round.systemUs) / (round.seconds * 1_000_000))),
    problems: rounds.flatMap((round) => round.problems),
  };
}

/** Microseconds per request of a subject, if it was measured and the figure is valid. */
export function validProcessorUs(
  results: Results,
  layer: Layer,
  size: BodySize,
  subject: SubjectName,
): number | undefined {
  const found = results.throughput.find((r) => r.layer === layer && r.size === size && r.subject === subject);
  if (found === undefined) return undefined;
  const summary = summarize(found.rounds);
  return summary.problems.length === 0 ? summary.processorUs.median : undefined;
}
