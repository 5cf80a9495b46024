import { formatCount } from '../../report/figures.ts';
import { findThroughput, type Results, type Summary, summarize } from '../../results.ts';
import { type Case, SUBJECT_NAMES, type SubjectName } from '../../vocabulary.ts';
import type { Axis } from '../report/plots.ts';

export const US: Axis = { label: '↑ CPU µs per request', log: true, format: formatTick };

/** Of a subject in a case; undefined if there are none, or they are invalid. */
export function figuresOf(results: Results, subject: SubjectName, measured: Case): Summary | undefined {
  const found = findThroughput(results, measured, subject);
  const summary = found && summarize(found.rounds);
  return summary?.problems.length === 0 ? summary : undefined;
}

export function subjectsIn(results: Results): readonly SubjectName[] {
  return SUBJECT_NAMES.filter((name) => results.throughput.some(({ subject }) => subject === name));
}

/** Those that relay by themselves: the floor has no processor time of its own. */
export function proxiesIn(results: Results): readonly SubjectName[] {
  return subjectsIn(results).filter((name) => name !== 'direct' && name !== 'dnat' && name !== 'fourseven-plain');
}

export function formatTick(value: number): string {
  return value >= 1000 ? formatCount(value) : String(Number(value.toPrecision(3)));
}

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes.toFixed(0)} bytes`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(0)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
