/**
 * Builds the addon the way users get it: node-gyp, by binding.gyp. Node built-ins only.
 *
 * Whether a build is needed is decided by a digest of the sources, not by their times: a fresh clone has no useful ones.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { programExists, runCommand } from './command.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const ADDON = join(ROOT, 'build/Release/fourseven.node');
/** Digest of the sources that the addon was built from. */
const DIGEST_FILE = join(ROOT, 'build/fourseven.sha256');
const LOG_FILE = 'build/native-build.log';
const REBUILD = 'run `npm rebuild fourseven` (in a clone: `npm run build`)';
const ARCHITECTURES = ['x64', 'arm64'];

/** @returns {boolean} whether the addon is there and was built from the sources as they are */
export function nativeIsFresh() {
  return existsSync(ADDON) && existsSync(DIGEST_FILE) && readFileSync(DIGEST_FILE, 'utf8') === digestOfSources();
}

/**
 * @typedef {{ state: 'built' }} Built
 * @typedef {{ state: 'impossible', reason: string, remedy: string }} Impossible something is missing on this machine
 * @typedef {{ state: 'failed', reason: string, remedy: string, log: string }} Failed the compiler or node-gyp said no
 */

/**
 * Builds what changed. Never throws.
 *
 * @returns {Promise<Built | Impossible | Failed>}
 */
export async function buildNative() {
  const missing = whatIsMissing();
  if (missing) return { state: 'impossible', ...missing };
  const nodeGyp = findNodeGyp();
  if (!nodeGyp) {
    return {
      state: 'impossible',
      reason: 'node-gyp was not found',
      remedy: 'run npm install again, with the npm that comes with Node',
    };
  }
  const digest = digestOfSources();
  const { code, output } = await runCommand(process.execPath, [nodeGyp, 'configure', 'build', '--jobs=max'], {
    quiet: true,
    cwd: ROOT,
  });
  mkdirSync(join(ROOT, 'build'), { recursive: true });
  writeFileSync(join(ROOT, LOG_FILE), output);
  if (code !== 0 || !existsSync(ADDON)) {
    const complaint = output.split('\n').find((line) => /error\b/i.test(line)) ?? `code ${code}`;
    return {
      state: 'failed',
      reason: `the build failed: ${complaint.trim()}`,
      remedy: `see ${LOG_FILE}, then ${REBUILD}`,
      log: output,
    };
  }
  writeFileSync(DIGEST_FILE, digest);
  return { state: 'built' };
}

/** @param {Impossible | Failed} outcome */
export function explainMissingNative({ reason, remedy }) {
  return `the native engine was not built (${reason}); the node engine will be used. To get the native one: ${remedy}.`;
}

/** What node-gyp needs, asked beforehand: its own complaints are pages long. */
function whatIsMissing() {
  if (process.platform !== 'linux') {
    return { reason: `it needs Linux, this is ${process.platform}`, remedy: 'run on Linux' };
  }
  if (!ARCHITECTURES.includes(process.arch)) {
    return { reason: `it is not made for ${process.arch}`, remedy: `run on ${ARCHITECTURES.join(' or ')}` };
  }
  const remedy = `install a C++20 compiler, make and Python 3 (Debian: apt-get install g++ make python3), then ${REBUILD}`;
  const compiler = process.env.CXX?.split(' ')[0];
  if (!(compiler ? programExists(compiler) : programExists('g++')))
    return { reason: 'no C++ compiler was found', remedy };
  if (!programExists('make')) return { reason: 'make was not found', remedy };
  const python = process.env.npm_config_python ?? process.env.PYTHON;
  if (![python ?? 'python3', 'python3', 'python'].some(programExists))
    return { reason: 'Python was not found', remedy };
  return undefined;
}

/** npm names its own copy to the scripts it runs; a clone has one among its packages as well. */
function findNodeGyp() {
  const named = process.env.npm_config_node_gyp;
  if (named && existsSync(named)) return named;
  try {
    return createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
  } catch {
    return undefined;
  }
}

/** @returns {string | undefined} the addon that came with the package for this machine, if it was built from these sources and loads */
export function usablePrebuild() {
  const digest = join(ROOT, 'prebuilds/fourseven.sha256');
  const file = join(ROOT, 'prebuilds', `${process.platform}-${process.arch}-${libcHere()}`, 'fourseven.node');
  if (!existsSync(file) || !existsSync(digest) || readFileSync(digest, 'utf8') !== digestOfSources()) return undefined;
  try {
    createRequire(import.meta.url)(file);
    return file;
  } catch {
    return undefined;
  }
}

/** @returns {'glibc' | 'musl'} Node's report names the C library only where that is the one of GNU */
export function libcHere() {
  const report = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport());
  return report.header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
}

export function digestOfSources() {
  const hash = createHash('sha256');
  const sources = readdirSync(join(ROOT, 'native')).filter((name) => /\.(cc|h|json)$/.test(name));
  for (const name of [...sources.sort().map((source) => `native/${source}`), 'binding.gyp']) {
    hash.update(`${name}\n`).update(readFileSync(join(ROOT, name)));
  }
  return hash.digest('hex');
}
