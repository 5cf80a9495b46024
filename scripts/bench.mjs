/** `npm run bench [-- ARGS]`: builds what is stale, then hands over to bench/main.ts. */

import { runCommand } from './command.mjs';
import { prepare, ROOT, TSC } from './prepare.mjs';

await prepare();
for (const project of ['bench/tsconfig.json', 'bench/micro/tsconfig.json']) {
  const compiled = await runCommand(process.execPath, [TSC, '-p', project], { cwd: ROOT });
  if (compiled.code !== 0) process.exit(compiled.code);
}
const { code } = await runCommand(process.execPath, ['build-bench/main.js', ...process.argv.slice(2)], { cwd: ROOT });
process.exit(code);
