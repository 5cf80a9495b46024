/**
 * `npm run release:addons [-- TARGET…]`: builds the addon for the targets whose compiler is here, for a release: `prebuilds/linux-ARCH-LIBC/fourseven.node`. The
 * addon speaks Node-API and links nothing of Node, so that one file serves every version of it. Without TARGET all are tried, and what is left out is said.
 *
 * musl needs a C++ library of its own: run this in an Alpine image (`apk add g++ nodejs npm`), where the plain compiler makes it.
 */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { digestOfSources, libcHere } from './build-native.mjs';
import { programExists, runCommand, say } from './command.mjs';
import { ROOT } from './prepare.mjs';

const HERE = `${process.arch}-${libcHere()}`;
/** By target: the compiler, and the one that removes what only a debugger needs. */
const TOOLS = {
  'x64-glibc': { compiler: 'x86_64-linux-gnu-g++', strip: 'x86_64-linux-gnu-strip' },
  'arm64-glibc': { compiler: 'aarch64-linux-gnu-g++', strip: 'aarch64-linux-gnu-strip' },
  'x64-musl': { compiler: 'x86_64-alpine-linux-musl-g++', strip: 'strip' },
  'arm64-musl': { compiler: 'aarch64-alpine-linux-musl-g++', strip: 'strip' },
};
const FLAGS = [
  '-std=c++20',
  '-O3',
  '-fPIC',
  '-shared',
  '-fno-exceptions',
  '-fno-rtti',
  '-fvisibility=hidden',
  '-Wall',
  '-Wextra',
];
const DEFINES = [
  '-DNAPI_VERSION=8',
  '-DNAPI_DISABLE_CPP_EXCEPTIONS',
  '-DNODE_GYP_MODULE_NAME=fourseven',
  '-DBUILDING_NODE_EXTENSION',
];
/** The C++ library goes along, so that an older system need not have ours. */
const LINK = ['-static-libstdc++', '-static-libgcc', '-Wl,--exclude-libs,ALL', '-Wl,-z,relro,-z,now'];

/** @param {keyof typeof TOOLS} target */
function toolsFor(target) {
  const { compiler, strip } = TOOLS[target];
  if (programExists(compiler)) return { compiler, strip };
  return target === HERE && programExists('g++') ? { compiler: 'g++', strip: 'strip' } : undefined;
}

/** @param {keyof typeof TOOLS} target */
async function build(target) {
  const tools = toolsFor(target);
  if (tools === undefined) return say(`${target} is left out: ${TOOLS[target].compiler} is not installed`);
  const file = join(ROOT, 'prebuilds', `linux-${target}`, 'fourseven.node');
  mkdirSync(dirname(file), { recursive: true });
  const sources = Object.values(JSON.parse(readFileSync(join(ROOT, 'native/sources.json'), 'utf8'))).flat();
  const includes = [join(dirname(dirname(process.execPath)), 'include/node'), addonApi()].map(
    (folder) => `-I${folder}`,
  );
  const args = [
    ...FLAGS,
    ...DEFINES,
    ...includes,
    ...sources.map((name) => join(ROOT, 'native', name)),
    ...LINK,
    '-o',
    file,
  ];
  say(`building ${target}`);
  const { code, output } = await runCommand(tools.compiler, args, { quiet: true, cwd: ROOT });
  if (code !== 0) throw new Error(`${target} cannot be built:\n${output}`);
  await runCommand(tools.strip, ['--strip-unneeded', file], { quiet: true, cwd: ROOT });
  say(`${file.slice(ROOT.length)} has ${Math.round(statSync(file).size / 1024)} KiB`);
}

/** @returns {string} */
function addonApi() {
  return createRequire(import.meta.url)('node-addon-api').include_dir.replaceAll('"', '');
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((target) => !(target in TOOLS));
if (unknown.length > 0) {
  say(`there is no target ${unknown.join(', ')}; there are ${Object.keys(TOOLS).join(', ')}`);
  process.exit(2);
}
if (!existsSync(join(dirname(dirname(process.execPath)), 'include/node/node_api.h'))) {
  say('the headers of Node are not beside it (include/node)');
  process.exit(1);
}
const targets = /** @type {(keyof typeof TOOLS)[]} */ (wanted.length > 0 ? wanted : Object.keys(TOOLS));
for (const target of targets) await build(target);
mkdirSync(join(ROOT, 'prebuilds'), { recursive: true });
writeFileSync(join(ROOT, 'prebuilds/fourseven.sha256'), digestOfSources());
