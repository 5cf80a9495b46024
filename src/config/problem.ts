import { printable } from './quote.ts';

/** One thing that is wrong (error) or suspicious (warning) in a configuration, ready to be shown. */
export interface Problem {
  readonly severity: 'error' | 'warning';
  /** Where in the configuration, as in `listeners.web.routes[2].cluster`; empty: the file as a whole. */
  readonly path: string;
  /** 1-based; absent where the source has no lines (objects given in code, results of modules). */
  readonly line?: number | undefined;
  readonly column?: number | undefined;
  /** The cause: what is wrong. */
  readonly message: string;
  /** What to write or do instead. */
  readonly remedy: string;
}

/** Keys and indexes from the root of the configuration to a value. */
export type Path = readonly (string | number)[];

/** A problem before it is known which line its path is on. */
export interface Finding {
  readonly severity: 'error' | 'warning';
  readonly path: Path;
  /** Whether it is the key at the end of the path that is wrong (unknown, misnamed), not the value. */
  readonly atKey?: boolean;
  readonly cause: string;
  readonly remedy: string;
}

export function error(path: Path, cause: string, remedy: string): Finding {
  return { severity: 'error', path, cause, remedy };
}

export function warning(path: Path, cause: string, remedy: string): Finding {
  return { severity: 'warning', path, cause, remedy };
}

/** `listeners.web.routes[2].cluster`; keys that are no plain names are quoted. */
export function formatPath(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z0-9_-]+$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

/**
 * Text for a terminal, one block per problem: `file:line:column  path`, then cause and remedy. Ends with a line break; empty
 * without problems. What came from the configuration cannot control the terminal.
 */
export function formatProblems(problems: readonly Problem[], file: string): string {
  return problems.map((problem) => formatProblem(problem, file)).join('');
}

function formatProblem(problem: Problem, file: string): string {
  const lineColumn = [problem.line, problem.column].filter((number) => number !== undefined);
  const where = [file, ...lineColumn].join(':');
  const head = problem.path === '' ? where : `${where}  ${problem.path}`;
  const lines = [head, `  ${problem.severity}: ${problem.message}`, `  remedy: ${problem.remedy}`];
  return lines.map((line) => `${printable(line)}\n`).join('');
}
