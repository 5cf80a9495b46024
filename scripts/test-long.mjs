/** `npm run test:long [-- ARGS of vitest]`: the tests that take minutes or hours. */
import { prepare } from './prepare.mjs';
import { formatCounts, runVitest } from './run-vitest.mjs';

await prepare();
const counts = await runVitest(['--config', 'vitest.long.config.ts', ...process.argv.slice(2)]);
process.stdout.write(`${formatCounts(counts)}\n`);
process.exit(counts.failed > 0 ? 1 : 0);
