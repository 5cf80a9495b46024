import { readFile, stat } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { CONFIG_FILE_MAX_BYTES } from './defaults.ts';
import { readJson } from './json-source.ts';
import { runModule } from './module-source.ts';
import type { Problem } from './problem.ts';
import { isFault, type Reading } from './reading.ts';
import { formatSize } from './size.ts';
import { type ConfigResult, checkConfig } from './validate-config.ts';
import { readYaml } from './yaml-source.ts';

const FORMATS: Readonly<Record<string, 'yaml' | 'json' | 'module'>> = {
  '.yaml': 'yaml',
  '.yml': 'yaml',
  '.json': 'json',
  '.ts': 'module',
  '.mts': 'module',
  '.mjs': 'module',
  '.js': 'module',
};

/**
 * Reads and checks a configuration file; its extension says what it is. Whatever is wrong with the file or in it comes back as problems:
 * nothing is thrown. A module (.ts, .mts, .mjs, .js) is run in this thread.
 */
export async function loadConfig(path: string): Promise<ConfigResult> {
  const file = resolve(path);
  const text = await readText(path, file);
  if (isFault(text)) return failed([fileProblem(text.cause, text.remedy)]);
  const format = FORMATS[extname(file).toLowerCase()];
  if (format === undefined) {
    const extensions = Object.keys(FORMATS).join(', ');
    return failed([fileProblem(`the name of ${path} does not say what it is`, `let it end with one of ${extensions}`)]);
  }
  if (format === 'module') return loadModule(file, text.value);
  const { input, problems, locate } = format === 'json' ? readJson(text.value) : readYaml(text.value, 'yaml');
  if (input === undefined) return failed(problems);
  if (input.value === null || input.value === undefined) {
    return failed([fileProblem(`${path} is empty`, 'add `listeners` and `clusters`, as in examples/minimal.yaml')]);
  }
  const result = await checkConfig(input.value, dirname(file), locate);
  if (problems.length === 0) return result;
  return { problems: [...problems, ...('problems' in result ? result.problems : [])], warnings: result.warnings };
}

async function loadModule(file: string, text: string): Promise<ConfigResult> {
  const source = await runModule(file, text);
  return 'problem' in source ? failed([source.problem]) : checkConfig(source.value, dirname(file));
}

/** `shown` is the path as the user gave it. */
async function readText(shown: string, file: string): Promise<Reading<string>> {
  try {
    const status = await stat(file);
    if (status.isDirectory()) return { cause: `${shown} is a directory`, remedy: 'name a file in it' };
    if (!status.isFile()) return { cause: `${shown} is not a regular file`, remedy: 'name a regular file' };
    if (status.size > CONFIG_FILE_MAX_BYTES) {
      const most = formatSize(CONFIG_FILE_MAX_BYTES);
      return {
        cause: `${shown} has ${status.size} bytes`,
        remedy: `a configuration has at most ${most}; is this the right file?`,
      };
    }
    return decode(shown, await readFile(file));
  } catch (thrown) {
    return readingFault(shown, thrown);
  }
}

function decode(shown: string, bytes: Uint8Array): Reading<string> {
  const notText = { cause: `${shown} is not a text in UTF-8`, remedy: 'save it as UTF-8; is this the right file?' };
  if (bytes.includes(0)) return notText;
  try {
    return { value: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return notText;
  }
}

function readingFault(shown: string, thrown: unknown): Reading<never> {
  const code = (thrown as NodeJS.ErrnoException).code ?? 'unknown error';
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return { cause: `there is no file ${shown}`, remedy: 'check the path, or create the file' };
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return {
      cause: `${shown} may not be read (${code})`,
      remedy: 'give the user of this process the right to read it',
    };
  }
  return { cause: `${shown} could not be read (${code})`, remedy: 'check the path and the file system' };
}

function fileProblem(message: string, remedy: string): Problem {
  return { severity: 'error', path: '', message, remedy };
}

function failed(problems: readonly Problem[]): ConfigResult {
  return { problems, warnings: [] };
}
