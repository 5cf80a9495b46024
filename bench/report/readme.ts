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

/** Options that say where results go, not what is measured: they do not belong into a README. */
const OUTPUT_FLAGS = ['--update-readme', '--keep'];
const OUTPUT_FILES = ['--json'];

/** The command that repeats the measurement of this command line, without its output files. */
export function repeatCommand(argv: readonly string[]): string {
  const kept = argv.filter(
    (argument, index) =>
      !OUTPUT_FLAGS.includes(argument) &&
      !OUTPUT_FILES.some((name) => argument === name || argument.startsWith(`${name}=`) || argv[index - 1] === name),
  );
  return kept.length === 0 ? 'npm run bench' : `npm run bench -- ${kept.join(' ')}`;
}
