import { relative, resolve } from 'node:path';
import { DEFAULT_CONFIG_FILES, findConfigFile } from '../config/find-config-file.ts';
import { loadConfig } from '../config/load-config.ts';
import { formatProblems } from '../config/problem.ts';
import { ExitCode, type ExitCodeValue } from './exit-code.ts';
import { HeapTidier } from './heap-tidier.ts';
import { loadConfigApart } from './load-apart.ts';
import { runProxy } from './run-proxy.ts';

/** `fourseven run [FILE]`: runs the proxy until a signal ends it. Resolves to the exit code. */
export async function runRun(
  file: string | undefined,
  options: { readonly watch?: boolean; readonly pidFile?: string } = {},
): Promise<ExitCodeValue> {
  const cwd = process.cwd();
  const path = file ?? (await findConfigFile(cwd).then((found) => found && relative(cwd, found)));
  if (path === undefined) {
    process.stderr.write(
      `fourseven: there is no configuration in ${cwd} (looked for ${DEFAULT_CONFIG_FILES.join(', ')})\n`,
    );
    return ExitCode.CONFIG;
  }
  const absolute = resolve(cwd, path);
  const result = await loadConfig(absolute);
  if (result.config === undefined) {
    process.stderr.write(formatProblems([...result.problems, ...result.warnings], path));
    return ExitCode.CONFIG;
  }
  process.stderr.write(formatProblems(result.warnings, path));
  const tidier = new HeapTidier();
  return runProxy(result.config, {
    load: () => loadConfigApart(absolute).finally(() => tidier.touch()),
    watch: options.watch ? absolute : undefined,
    pidFile: options.pidFile,
    // From the path that this process was started from: a link that leads to a newer version by now is followed.
    successor: { file: process.execPath, args: [...process.execArgv, ...process.argv.slice(1)] },
  });
}
