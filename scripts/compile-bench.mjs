/** Builds what is stale, and compiles the benchmark suite. Ends the process if that fails. */
import { runCommand } from './command.mjs';
import { prepare, ROOT, TSC } from './prepare.mjs';

export async function compileBench() {
  await prepare();
  for (const project of ['bench/tsconfig.json', 'bench/micro/tsconfig.json']) {
    const compiled = await runCommand(process.execPath, [TSC, '-p', project], { cwd: ROOT });
    if (compiled.code !== 0) process.exit(compiled.code);
  }
}
