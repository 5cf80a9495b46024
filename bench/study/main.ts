/**
 * `npm run study`: measures, fits, judges and writes the report. See `--help` and docs/benchmarking.md. Exit codes: 0 fine, 1 a part could not be measured, 2
 * the command line is wrong, 128 and the number of the signal that ended it.
 */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Options } from '../arguments.ts';
import { ChildProcesses } from '../child-processes.ts';
import { Interruption, untilInterrupted } from '../interruption.ts';
import { ROOT } from '../paths.ts';
import { Progress } from '../progress.ts';
import { RESULTS_FORMAT, type Results } from '../results.ts';
import { runScenarios } from '../run-scenarios.ts';
import { mergeResults } from './merge.ts';
import { planOf } from './plan.ts';
import { renderHtml } from './report/html.ts';
import { pictureFile, picturesOf, renderMarkdown } from './report/markdown.ts';
import { buildReport } from './sections/all-sections.ts';

const HELP = `Usage: npm run study -- [options]

Measures what a layer costs on this machine and writes a report: report.html (one file, which needs nothing else), report.md with plots/, and
results.json with every round, which is written after each part.

  --quick       a first look in ten minutes, instead of an hour and a quarter
  --from FILE   measures nothing: makes the report of a results.json
  --out DIR     where it is written (default: study)
  --seed N      of every schedule and fit (default: 1)
  --help        prints this
`;

process.exit(await main(process.argv.slice(2)));

async function main(argv: readonly string[]): Promise<number> {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(argv);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\nSee npm run study -- --help\n`);
    return 2;
  }
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const seed = Number(values.seed);
  if (!Number.isInteger(seed) || seed < 1) {
    process.stderr.write('--seed is a whole number from 1 on\n');
    return 2;
  }
  const out = resolve(ROOT, values.out);
  try {
    const command = repeatCommand(values.quick, seed);
    const results = values.from === undefined ? await measure(values.quick, seed, out) : await readResults(values.from);
    await keep(out, results);
    await writeReport(out, results, command);
    process.stderr.write(`The report is ${join(out, 'report.html')}\n`);
    return results.failures.every(({ missing }) => missing) ? 0 : 1;
  } catch (error) {
    if (error instanceof Interruption) return error.exitCode;
    process.stderr.write(`${(error as Error).message}\n`);
    return 1;
  }
}

function parse(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    options: {
      quick: { type: 'boolean', default: false },
      from: { type: 'string' },
      out: { type: 'string', default: 'study' },
      seed: { type: 'string', default: '1' },
      help: { type: 'boolean', default: false },
    },
  }).values;
}

function repeatCommand(isQuick: boolean, seed: number): string {
  const words = [...(isQuick ? ['--quick'] : []), ...(seed === 1 ? [] : [`--seed ${seed}`])];
  return words.length === 0 ? 'npm run study' : `npm run study -- ${words.join(' ')}`;
}

async function readResults(file: string): Promise<Results> {
  const results = JSON.parse(await readFile(file, 'utf8')) as Partial<Results>;
  if (results.format !== RESULTS_FORMAT) throw new Error(`${file} is not what this version writes`);
  return results as Results;
}

/** Keeps what there is after each part in `out`. */
async function measure(isQuick: boolean, seed: number, out: string): Promise<Results> {
  const interrupted = untilInterrupted();
  const plan = planOf(isQuick, seed);
  const parts: Results[] = [];
  for (const [index, options] of plan.entries()) {
    process.stderr.write(`Run ${index + 1} of ${plan.length}: ${options.scenarios.join(', ')}\n`);
    parts.push(await measurePart(options, interrupted));
    await keep(out, mergeResults(parts));
  }
  return mergeResults(parts);
}

async function measurePart(options: Options, interrupted: Promise<never>): Promise<Results> {
  const children = new ChildProcesses();
  const killAll = (): void => children.killAll();
  process.once('exit', killAll);
  const progress = new Progress((words) => {
    if (!children.isEnding) process.stderr.write(words);
  }, process.stderr.isTTY === true);
  const directory = await mkdtemp(`${tmpdir()}/fourseven-study-`);
  await chmod(directory, 0o755); // the unprivileged workers of nginx read in it
  try {
    return await Promise.race([runScenarios(options, children, directory, progress), interrupted]);
  } finally {
    progress.end();
    await children.endAll();
    process.off('exit', killAll);
    await rm(directory, { recursive: true, force: true });
  }
}

/** Also of a run that is cut short: `--from` makes a report of it. */
async function keep(out: string, results: Results): Promise<void> {
  await mkdir(out, { recursive: true });
  await writeFile(join(out, 'results.json'), `${JSON.stringify(results)}\n`);
}

async function writeReport(out: string, results: Results, command: string): Promise<void> {
  const report = buildReport(results, command);
  await rm(join(out, 'plots'), { recursive: true, force: true });
  await mkdir(join(out, 'plots'), { recursive: true });
  await writeFile(join(out, 'report.html'), renderHtml(report));
  await writeFile(join(out, 'report.md'), renderMarkdown(report));
  for (const picture of picturesOf(report)) await writeFile(join(out, pictureFile(picture)), picture.svg);
}
