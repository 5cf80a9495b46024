import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { formatDuration } from '../config/duration.ts';
import { freezeDeep } from '../config/freeze.ts';
import type { ConfigResult } from '../config/validate-config.ts';

/** More than a module may take by itself. */
const LOAD_TIMEOUT_MS = 60_000;

/**
 * As `loadConfig`, in a process of its own with low priority: ten thousand routes take a second or two to check, during which this thread goes on with
 * health checks and the admin API, and those of the shards go first. Whatever a module does there ends with it.
 */
export async function loadConfigApart(path: string, timeoutMs = LOAD_TIMEOUT_MS): Promise<ConfigResult> {
  const child = fork(fileURLToPath(new URL('../cli/config-process.js', import.meta.url)), [path], {
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const timer = setTimeout(kill, timeoutMs);
  const start = performance.now();
  try {
    return await resultOf(child, () =>
      performance.now() - start >= timeoutMs
        ? `the configuration was not read within ${formatDuration(timeoutMs)}`
        : 'the configuration ended the process that read it',
    );
  } finally {
    clearTimeout(timer);
    process.off('exit', kill);
    kill();
  }
}

function resultOf(child: ChildProcess, whyNone: () => string): Promise<ConfigResult> {
  const failed = (message: string, remedy: string): ConfigResult => ({
    problems: [{ severity: 'error', path: '', message, remedy }],
    warnings: [],
  });
  return new Promise((resolve) => {
    child.once('message', (result: ConfigResult) => resolve(freezeDeep(result)));
    child.once('exit', () =>
      resolve(failed(whyNone(), 'look for a loop without an end, or `process.exit`, in the module')),
    );
    child.once('error', ({ message }) => {
      resolve(
        failed(`the configuration could not be read: ${message}`, 'look whether there is memory for a process more'),
      );
    });
  });
}
