import type { Results } from '../results.ts';
import { describeRun, summaryTable } from './report.ts';
import { renderMarkdown } from './table.ts';

const START = '<!-- bench:start -->';
const END = '<!-- bench:end -->';

/** Replaces what stands between the markers of README.md. Throws if they are not there, once each and in this order. */
export function updateReadme(readme: string, section: string): string {
  const start = readme.indexOf(START);
  const end = readme.indexOf(END);
  const once = start === readme.lastIndexOf(START) && end === readme.lastIndexOf(END);
  if (start < 0 || end < start || !once) throw new Error(`README.md needs one ${START} and, after it, one ${END}`);
  return `${readme.slice(0, start + START.length)}\n${section.trim()}\n${readme.slice(end)}`;
}

/** The table with what it was made on. `command` repeats the run. No date: the history of the file has it. */
export function readmeSection(results: Results, command: string): string {
  return `${renderMarkdown(summaryTable(results))}\n\n${describeRun(results)}\nRepeat it with \`${command}\`.`;
}
