/**
 * Runs vitest on the Node that runs this script, and counts. `node scripts/run-vitest.mjs [--config FILE]` ends with the one line
 * `N passed, N failed, N skipped`. It neither installs nor builds: scripts/test.mjs does.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from './command.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * @typedef {{ passed: number, failed: number, skipped: number }} Counts
 * @param {readonly string[]} args for vitest
 * @returns {Promise<Counts>}
 */
export async function runVitest(args) {
  const folder = mkdtempSync(join(tmpdir(), 'fourseven-tests-'));
  const report = join(folder, 'report.json');
  try {
    const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--reporter=default', '--reporter=json'];
    const { code } = await runCommand(process.execPath, [...vitest, `--outputFile.json=${report}`, ...args], {
      cwd: ROOT,
    });
    return count(report, code);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns {Counts} */
function count(/** @type {string} */ file, /** @type {number} */ code) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'));
    counts.passed = report.numPassedTests;
    counts.skipped = report.numPendingTests + report.numTodoTests;
    counts.failed = report.numFailedTests;
    // A file that could not be loaded has no tests in it, and must not pass for that reason.
    for (const suite of report.testResults) {
      if (suite.status === 'failed' && suite.assertionResults.every((test) => test.status !== 'failed'))
        counts.failed++;
    }
  } catch {
    // No report: vitest did not get as far as writing one. Its exit code says so.
  }
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

/** @param {Counts} counts */
export function formatCounts({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const counts = await runVitest(process.argv.slice(2));
  process.stdout.write(`${formatCounts(counts)}\n`);
  process.exit(counts.failed > 0 ? 1 : 0);
}
