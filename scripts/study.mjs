/** `npm run study [-- ARGS]`: builds what is stale, then hands over to bench/study/main.ts. */

import { runCommand } from './command.mjs';
import { compileBench } from './compile-bench.mjs';
import { ROOT } from './prepare.mjs';

await compileBench();
const { code } = await runCommand(process.execPath, ['build-bench/study/main.js', ...process.argv.slice(2)], {
  cwd: ROOT,
});
process.exit(code);
