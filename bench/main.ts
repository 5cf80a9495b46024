/**
 * `npm run bench`: see `--help` and docs/benchmarking.md. Exit codes: 0 fine, 1 a figure is missing or invalid, 2 the command
 * line is wrong, 128 and the number of the signal that ended it.
 */
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { HELP, type Options, parseArguments } from './arguments.ts';
import { ChildProcesses } from './child-processes.ts';
import { compareResults, differencesOfRuns } from './comparison.ts';
import { Interruption, untilInterrupted } from './interruption.ts';
import { ROOT } from './paths.ts';
import { Progress } from './progress.ts';
import { renderComparison } from './report/comparison.ts';
import { readmeSection, repeatCommand, updateReadme } from './report/readme.ts';
import { describeRun, renderReport } from './report/report.ts';
import { RESULTS_FORMAT, type Results, summarize } from './results.ts';
import { runScenarios } from './run-scenarios.ts';

const README = `${ROOT}README.md`;

process.exit(await main(process.argv.slice(2)));

async function main(argv: readonly string[]): Promise<number> {
  const parsed = parseArguments(argv);
  if (parsed.kind === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  if (parsed.kind === 'problem') {
    process.stderr.write(`${parsed.problem}\nSee npm run bench -- --help\n`);
    return 2;
  }
  if (parsed.kind === 'compare') return compare(parsed.beforeFile, parsed.afterFile);
  return bench(parsed.options, repeatCommand(argv));
}

async function compare(beforeFile: string, afterFile: string): Promise<number> {
  try {
    const [before, after] = [await readResults(beforeFile), await readResults(afterFile)];
    process.stdout.write(renderComparison(compareResults(before, after), differencesOfRuns(before, after)));
    return 0;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 2;
  }
}

async function readResults(file: string): Promise<Results> {
  const results = JSON.parse(await readFile(file, 'utf8')) as Partial<Results>;
  if (results.format !== RESULTS_FORMAT) throw new Error(`${file} is not what --json of this version writes`);
  return results as Results;
}

async function bench(options: Options, command: string): Promise<number> {
  const children = new ChildProcesses();
  process.once('exit', () => children.killAll());
  const interrupted = untilInterrupted();
  const directory = await mkdtemp(`${tmpdir()}/fourseven-bench-`);
  const write = (text: string): void => {
    if (!children.isEnding) process.stderr.write(text);
  };
  const progress = new Progress(write, process.stderr.isTTY === true);
  try {
    await chmod(directory, 0o755); // the unprivileged workers of nginx read in it
    // A run that is interrupted is abandoned: it can start nothing any more, and nobody looks at what it does.
    const results = await Promise.race([runScenarios(options, children, directory, progress), interrupted]);
    progress.end();
    process.stdout.write(`\n${describeRun(results)}\n\n${renderReport(results)}`);
    await writeResults(options, results, command);
    return isComplete(options, results) ? 0 : 1;
  } catch (error) {
    if (error instanceof Interruption) return error.exitCode;
    process.stderr.write(`${(error as Error).message}\n`);
    return 1;
  } finally {
    await children.endAll();
    if (options.keep) process.stderr.write(`The configurations are in ${directory}\n`);
    else await rm(directory, { recursive: true, force: true });
  }
}

async function writeResults(options: Options, results: Results, command: string): Promise<void> {
  if (options.jsonFile !== undefined) await writeFile(options.jsonFile, `${JSON.stringify(results, null, 2)}\n`);
  if (!options.updateReadme) return;
  await writeFile(README, updateReadme(await readFile(README, 'utf8'), readmeSection(results, command)));
  process.stderr.write('README.md has the new table.\n');
}

/** Whether every figure is valid and nothing broke. A rival that is not installed is fine unless it was asked for. */
function isComplete(options: Options, results: Results): boolean {
  const valid = results.throughput.every(({ rounds }) => summarize(rounds).problems.length === 0);
  const inTime = results.latency.every(({ rounds }) => rounds.every(({ problems }) => problems.length === 0));
  return valid && inTime && results.failures.every(({ missing }) => missing && !options.subjectsNamed);
}
