/**
 * Brings a clone to the state in which it can run: packages, the addon, dist and bundle. Each step is done only if it is stale, and says in
 * one line what it does. Node built-ins only, until the packages are there.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildNative, explainMissingNative, nativeIsFresh } from './build-native.mjs';
import { makeBundle } from './bundle.mjs';
import { recordCode } from './code-recording.mjs';
import { runCommand, say } from './command.mjs';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const TSC = 'node_modules/typescript/bin/tsc';

const LOCK = join(ROOT, 'package-lock.json');
/** npm writes this file last: an install that was interrupted has none. */
const INSTALLED = join(ROOT, 'node_modules/.package-lock.json');
const DIST = join(ROOT, 'dist');
const DIST_DIGEST = join(DIST, '.sha256');
const BUNDLE = join(ROOT, 'bundle');
const BUILT_WITH = [
  'tsconfig.json',
  'package-lock.json',
  'bin/load-code.js',
  'scripts/bundle.mjs',
  'scripts/code-recording.mjs',
  'scripts/record-code.cjs',
];

/** Ends the script with the code if it is not 0. */
function must(/** @type {number} */ code, /** @type {string} */ what) {
  if (code === 0) return;
  process.stderr.write(`fourseven: ${what} failed\n`);
  process.exit(code);
}

/** Packages, addon and dist. Ends the process if one of them that must be there cannot be made. */
export async function prepare() {
  await ensurePackages();
  await ensureNative();
  must(await ensureDist(), 'building dist');
}

/** Ends the process if the packages cannot be installed: nothing works without them. */
export async function ensurePackages() {
  if (existsSync(INSTALLED) && statSync(INSTALLED).mtimeMs >= statSync(LOCK).mtimeMs) return;
  // `ci` begins by removing what is there: not where somebody may be running from it.
  const how = existsSync(join(ROOT, 'node_modules')) ? 'install' : 'ci';
  say(`installing packages and building the native engine (npm ${how})`);
  // --foreground-scripts: the one line of scripts/install.mjs is to be seen.
  // --include=dev: NODE_ENV=production would leave out the compiler.
  const args = [how, '--include=dev', '--no-audit', '--no-fund', '--foreground-scripts', '--loglevel=error'];
  must((await runNpm(args)).code, `npm ${how}`);
  const now = new Date();
  if (existsSync(INSTALLED)) utimesSync(INSTALLED, now, now);
}

/** @param {readonly string[]} args */
function runNpm(args) {
  const npm = process.env.npm_execpath;
  if (npm?.endsWith('npm-cli.js')) return runCommand(process.execPath, [npm, ...args], { cwd: ROOT });
  return runCommand('npm', args, { cwd: ROOT });
}

/** @returns {Promise<'passed' | 'failed' | 'skipped'>} skipped: this machine cannot build it, which is allowed */
export async function ensureNative() {
  if (nativeIsFresh()) return 'passed';
  say('building the native engine (node-gyp)');
  const outcome = await buildNative();
  if (outcome.state === 'built') return 'passed';
  if (outcome.state === 'failed') process.stderr.write(outcome.log);
  say(explainMissingNative(outcome));
  return outcome.state === 'failed' ? 'failed' : 'skipped';
}

/** And the bundle of it. @returns {Promise<number>} exit code of the compiler */
export async function ensureDist() {
  const digest = digestOfTypeScript();
  if (existsSync(DIST_DIGEST) && readFileSync(DIST_DIGEST, 'utf8') === digest) return 0;
  say('building dist (tsc) and its bundle (rolldown)');
  rmSync(DIST_DIGEST, { force: true });
  const { code } = await runCommand(process.execPath, [TSC, '-p', 'tsconfig.json'], { cwd: ROOT });
  if (code !== 0) return code;
  removeOrphans();
  await ensureBundle(digest);
  writeFileSync(DIST_DIGEST, digest);
  return 0;
}

/** The program runs without it as well, but starts later. @param {string} digest */
async function ensureBundle(digest) {
  try {
    await makeBundle(ROOT, digest);
  } catch (error) {
    rmSync(BUNDLE, { recursive: true, force: true });
    say(`no bundle, what runs is dist: ${error instanceof Error ? error.message : error}`);
    return;
  }
  await recordCode(ROOT).catch((error) => say(`code is not recorded, starts take longer: ${error.message}`));
}

/** tsc leaves the output of a source that has gone. */
function removeOrphans() {
  for (const output of listFiles(DIST)) {
    const source = output.replace(/\.(js|js\.map|d\.ts)$/, '.ts');
    if (!existsSync(join(ROOT, 'src', source))) rmSync(join(DIST, output));
  }
}

function digestOfTypeScript() {
  // What is recorded is of one version of V8.
  const hash = createHash('sha256').update(`${process.version}\n`);
  const sources = listFiles(join(ROOT, 'src')).map((name) => `src/${name}`);
  for (const name of [...sources, ...BUILT_WITH]) {
    hash.update(`${name}\n`).update(readFileSync(join(ROOT, name)));
  }
  return hash.digest('hex');
}

/** @param {string} folder @returns {string[]} paths below it, sorted */
function listFiles(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
