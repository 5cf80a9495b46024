/**
 * `npm test`: packages, addon and dist where stale; then format, lint and types; then every suite but the long one. All steps run even if
 * one fails. The last line counts all of them together, each static check as one: `N passed, N failed, N skipped`.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { programExists, runCommand, say } from './command.mjs';
import { runNativeTests } from './native-tests.mjs';
import { ensureDist, ensureNative, ensurePackages, ROOT, TSC } from './prepare.mjs';
import { formatCounts, runVitest } from './run-vitest.mjs';

const total = { passed: 0, failed: 0, skipped: 0 };
/** @type {string[]} what failed or was skipped, said again at the end, where it is seen */
const remarks = [];

/** @param {{ passed: number, failed: number, skipped: number, why?: string }} counts */
function add(/** @type {string} */ name, counts) {
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
  if (counts.failed > 0) remarks.push(`FAILED   ${name}${counts.why ? `: ${counts.why}` : ''}`);
  if (counts.skipped > 0) remarks.push(`SKIPPED  ${name}${counts.why ? `: ${counts.why}` : ` (${counts.skipped})`}`);
}

/** A check that passes or fails as a whole. */
function addCheck(/** @type {string} */ name, /** @type {'passed' | 'failed' | 'skipped'} */ outcome, why = '') {
  add(name, { passed: 0, failed: 0, skipped: 0, [outcome]: 1, ...(why && { why }) });
}

/** @param {readonly string[]} args of a program of one of our packages */
async function check(/** @type {string} */ name, args) {
  say(name);
  const { code } = await runCommand(process.execPath, args, { cwd: ROOT });
  addCheck(name, code === 0 ? 'passed' : 'failed');
}

async function checkNativeFormat() {
  const name = 'format of native/ (clang-format)';
  const sources = readdirSync(join(ROOT, 'native'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.(cc|h)$/.test(file),
  );
  if (!programExists('clang-format')) return addCheck(name, 'skipped', 'clang-format is not installed');
  say(name);
  const files = sources.map((file) => join('native', file));
  const { code } = await runCommand('clang-format', ['--dry-run', '-Werror', ...files], { cwd: ROOT });
  addCheck(name, code === 0 ? 'passed' : 'failed');
}

await ensurePackages();
addCheck('the native engine', await ensureNative(), 'see above');
addCheck('dist', (await ensureDist()) === 0 ? 'passed' : 'failed');
const colors = process.stdout.isTTY ? [] : ['--colors=off'];
await check('format and lint (biome)', ['node_modules/@biomejs/biome/bin/biome', 'ci', ...colors, '.']);
await check('types (tsc)', [TSC, '-p', 'tsconfig.check.json']);
await check('types of the dashboard (tsc)', [TSC, '-p', 'tsconfig.dashboard.json']);
await checkNativeFormat();
say('native unit tests');
add('native unit tests', await runNativeTests({ sanitize: false }));
say('unit, guards, contract and integration tests (vitest)');
add('vitest', await runVitest([]));

for (const remark of remarks) say(remark);
process.stdout.write(`${formatCounts(total)}\n`);
process.exit(total.failed > 0 ? 1 : 0);
