import { relative, resolve } from 'node:path';
import { DEFAULT_CONFIG_FILES, findConfigFile } from '../config/find-config-file.ts';
import { loadConfig } from '../config/load-config.ts';
import { formatProblems } from '../config/problem.ts';

/** Where a command reads and writes; `process` fits, with `cwd: process.cwd()`. */
export interface CheckIo {
  readonly cwd: string;
  readonly stdout: { write(text: string): unknown };
}

/** Validates a configuration file (without one: the default file in `io.cwd`) and prints all problems. Resolves to the exit code. */
export async function runCheck(file: string | undefined, io: CheckIo): Promise<0 | 1> {
  const path = file ?? (await findConfigFile(io.cwd).then((found) => found && relative(io.cwd, found)));
  if (path === undefined) {
    io.stdout.write(`there is no configuration in ${io.cwd} (looked for ${DEFAULT_CONFIG_FILES.join(', ')})\n`);
    return 1;
  }
  const result = await loadConfig(resolve(io.cwd, path));
  const problems = 'problems' in result ? result.problems : [];
  io.stdout.write(formatProblems([...problems, ...result.warnings], path));
  const warnings = result.warnings.length > 0 ? `, ${count(result.warnings.length, 'warning')}` : '';
  if (result.config === undefined) {
    io.stdout.write(`${path} is wrong: ${count(problems.length, 'error')}${warnings}\n`);
    return 1;
  }
  const { listeners, clusters } = result.config;
  io.stdout.write(
    `${path} is fine: ${count(listeners.length, 'listener')}, ${count(clusters.length, 'cluster')}${warnings}\n`,
  );
  return 0;
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}
