/**
 * Makes bundle/ of dist/: the program in a few files, with the packages that it needs whenever it starts. Of these and of its own there are some 400 files
 * else, and finding them takes longer than running them.
 *
 * bundle/code/ has the program, as CommonJS; what is beside it are the files that are started, each of which loads one of them with bin/load-code.js.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The shard is bundled apart, into one file: it shares no memory with the others, and its data path looks nothing up in another file. */
const PARTS = [
  { entries: ['cli/main', 'cli/config-process'], codeSplitting: true },
  { entries: ['shard/entry'], codeSplitting: false },
];
/** Others are loaded on demand. */
const BUNDLED = ['commander', 'piscina', 'yaml', 'zod'];

/** Piscina looks for the script of its threads beside itself, which is where it was. */
const PISCINA = {
  name: 'piscina-worker',
  transform: {
    filter: { id: /piscina\/dist\/index\.js$/ },
    handler: (/** @type {string} */ code) => {
      if (code.split('__dirname').length !== 2) throw new Error('piscina looks for its script in another way');
      // On the same line: the map still holds.
      return { code: code.replace('__dirname', 'require("node:path").dirname(require.resolve("piscina"))'), map: null };
    },
  },
};

/**
 * Throws what is wrong with it.
 *
 * @param {string} root folder of the package
 * @param {string} build names what it is made of, in 64 characters
 */
export async function makeBundle(root, build) {
  const { rolldown } = await import('rolldown');
  rmSync(join(root, 'bundle'), { recursive: true, force: true });
  for (const { entries, codeSplitting } of PARTS) {
    const bundle = await rolldown({
      cwd: root,
      input: Object.fromEntries(entries.map((name) => [name.replace('/', '-'), `dist/${name}.js`])),
      platform: 'node',
      plugins: [PISCINA],
      external: (name) => !/^[./]/.test(name) && !BUNDLED.includes(name.split('/')[0] ?? ''),
    });
    await bundle.write({
      dir: join(root, 'bundle/code'),
      format: 'cjs',
      codeSplitting,
      // Code that V8 takes from a recording cannot import: Node does not know it.
      dynamicImportInCjs: false,
      postBanner: `/*${build}*/`,
      entryFileNames: '[name].js',
      // Without digests: what runs from an older bundle may still want to load a part of it.
      chunkFileNames: '[name].js',
      sourcemap: true,
      // Names stay: they are what a stack trace is read for.
      minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
    });
    await bundle.close();
  }
  writeFileSync(join(root, 'bundle/package.json'), '{ "type": "commonjs" }\n');
  for (const name of PARTS.flatMap(({ entries }) => entries)) writeStart(root, name);
}

/** @param {string} root @param {string} name of an entry */
function writeStart(root, name) {
  const path = join(root, `bundle/${name}.js`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(
    path,
    `const { join } = require('node:path');
module.exports = require('../../bin/load-code.js').loadCode(join(__dirname, '../code/${name.replace('/', '-')}.js'));
`,
  );
}
