/**
 * Loads a file of bundle/ with what V8 made of it when the bundle was built: the bytecode of the functions that a start needs. Compiling them anew takes
 * a quarter of a start. V8 takes such code only if its version and its flags are those it was made with; otherwise, or without a recording, the source is
 * compiled as ever.
 */
const { readFileSync } = require('node:fs');
const { dirname, join } = require('node:path');
const { Script } = require('node:vm');

/** Files of one build begin with a comment of this length, which names the build; so does what was recorded of them. */
const BUILD_NAME_BYTES = 68;
/** Each V8 has its own: bytecode names builtins by number, and which there are depends on the architecture, too. */
const RECORDING = `.${process.versions.v8}-${process.platform}-${process.arch}.v8`;
/** As Node wraps a CommonJS module. */
const HEAD = '(function (exports, require, module, __filename, __dirname) {';
const TAIL = '\n})';

/**
 * What has been loaded, by path.
 * @type {Map<string, { module: { exports: unknown }, build: Buffer, script: Script }>}
 */
const loaded = new Map();

/**
 * @param {string} path of the file, absolute
 * @returns {any} what it exports
 */
function loadCode(path) {
  // Node finds the map of a module only if it has loaded the module itself.
  if (process.sourceMapsEnabled) return require(path);
  const known = loaded.get(path);
  if (known !== undefined) return known.module.exports;
  const source = readFileSync(path);
  const build = source.subarray(0, BUILD_NAME_BYTES);
  const script = new Script(HEAD + source.toString() + TAIL, {
    filename: path,
    columnOffset: -HEAD.length,
    cachedData: readRecording(path, build),
  });
  const module = { exports: {} };
  loaded.set(path, { module, build, script });
  const folder = dirname(path);
  /** Packages are looked up as from here, which is beside bundle/. @param {string} name */
  const requireFrom = (name) => (name.startsWith('.') ? loadCode(join(folder, name)) : require(name));
  requireFrom.resolve = require.resolve;
  script.runInThisContext().call(module.exports, module.exports, requireFrom, module, path, folder);
  return module.exports;
}

/**
 * @param {string} path
 * @param {Buffer} build
 * @returns {Buffer | undefined} undefined if there is none of this build
 */
function readRecording(path, build) {
  try {
    const recording = readFileSync(path + RECORDING);
    return recording.subarray(0, BUILD_NAME_BYTES).equals(build) ? recording.subarray(BUILD_NAME_BYTES) : undefined;
  } catch {
    return undefined;
  }
}

module.exports = { RECORDING, loadCode, loaded };
