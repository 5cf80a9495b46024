/** Configuration as a TypeScript or JavaScript module: run through jiti, which needs no build and follows imports. */
import { pathToFileURL } from 'node:url';
import { CONFIG_MODULE_TIMEOUT_MS } from './defaults.ts';
import { defineConfig } from './define-config.ts';
import { formatDuration } from './duration.ts';
import type { Problem } from './problem.ts';
import { describeValue } from './quote.ts';

export type ModuleSource = { readonly value: unknown } | { readonly problem: Problem };

const NO_EXPORT: Omit<Problem, 'severity' | 'path'> = {
  message: 'the module has no default export',
  remedy: 'write `export default defineConfig({ listeners: …, clusters: … })`',
};

/**
 * Runs the module in this thread, and returns its default export (awaited). The text is evaluated anew each time, so that a reload sees
 * changes; `import … from 'fourseven'` gives `defineConfig` wherever the file lies. Whatever is thrown becomes one problem.
 */
export async function runModule(
  file: string,
  text: string,
  timeoutMs = CONFIG_MODULE_TIMEOUT_MS,
): Promise<ModuleSource> {
  // Loaded here, because it takes longer to load than all the rest, and most configurations are YAML.
  const { createJiti } = await import('jiti');
  const jiti = createJiti(pathToFileURL(file).href, {
    fsCache: false,
    moduleCache: false,
    interopDefault: false,
    virtualModules: { fourseven: { defineConfig } },
  });
  try {
    return await withDeadline(evaluate(), timeoutMs);
  } catch (thrown) {
    return { problem: { severity: 'error', path: '', ...describeFailure(thrown, file) } };
  }

  async function evaluate(): Promise<ModuleSource> {
    const exported: unknown = await jiti.evalModule(text, { filename: file, async: true, forceTranspile: true });
    const value = await defaultExport(exported);
    return value === undefined ? { problem: { severity: 'error', path: '', ...NO_EXPORT } } : { value };
  }
}

/** ES modules say so with a mark; anything else is CommonJS, where `module.exports` is the configuration. */
function defaultExport(exported: unknown): unknown {
  if (typeof exported !== 'object' || exported === null) return exported;
  if ('default' in exported) return exported.default;
  return '__esModule' in exported || Object.keys(exported).length === 0 ? undefined : exported;
}

async function withDeadline(work: Promise<ModuleSource>, timeoutMs: number): Promise<ModuleSource> {
  const late: ModuleSource = {
    problem: {
      severity: 'error',
      path: '',
      message: `the module has not finished within ${formatDuration(timeoutMs)}`,
      remedy: 'look for an await that never ends',
    },
  };
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<ModuleSource>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, late);
  });
  return Promise.race([work, deadline]).finally(() => clearTimeout(timer));
}

function describeFailure(thrown: unknown, file: string): Omit<Problem, 'severity' | 'path'> {
  if (!(thrown instanceof Error) && !isErrorLike(thrown)) {
    return { message: `the module threw ${describeValue(thrown)}`, remedy: 'correct the module' };
  }
  const reason = thrown.message.split('\n', 1)[0]!.trim();
  const places = placesIn(`${thrown.message}\n${thrown.stack ?? ''}`);
  const line = places.find((place) => place.file === file)?.line;
  const origin = places[0];
  const elsewhere = origin === undefined || origin.file === file ? '' : ` (in ${origin.file}, line ${origin.line})`;
  const message = `the module failed: ${reason}${elsewhere}`;
  const remedy =
    line === undefined ? 'correct the module, or what it imports' : `correct line ${line}, or what it calls`;
  return { ...(line === undefined ? {} : { line }), message, remedy };
}

/** Errors of another realm are no instances of ours. */
function isErrorLike(thrown: unknown): thrown is Error {
  return typeof thrown === 'object' && thrown !== null && 'message' in thrown && typeof thrown.message === 'string';
}

/** Places in user's files named by a stack (or by the parser's message), innermost first. Columns are the transpiled ones: left out. */
function placesIn(text: string): { file: string; line: number }[] {
  const places = [...text.matchAll(/(?:^\s*|\(|at |file:\/\/)(\/[^\n()]*?):([0-9]+):[0-9]+\)?$/gm)];
  return places
    .map((match) => ({ file: match[1]!, line: Number(match[2]) }))
    .filter((place) => !place.file.includes('/node_modules/') && !place.file.includes('/config/module-source.'));
}
