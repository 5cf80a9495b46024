/**
 * Makes bundle/ of dist/: the program in a few files, with the packages that it needs whenever it starts. Of these and of its own there are some 400 files
 * else, and finding them takes longer than running them.
 */
import { join } from 'node:path';

/** Beside chunks in `code`, so that what one file says of another by a relative path holds from every one of them. */
const ENTRIES = ['cli/main', 'cli/config-process', 'shard/entry'];
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

/** Throws what is wrong with it. @param {string} root folder of the package */
export async function makeBundle(root) {
  const { rolldown } = await import('rolldown');
  const bundle = await rolldown({
    cwd: root,
    input: Object.fromEntries(ENTRIES.map((name) => [name, `dist/${name}.js`])),
    platform: 'node',
    plugins: [PISCINA],
    external: (name) => !/^[./]/.test(name) && !BUNDLED.includes(name.split('/')[0] ?? ''),
  });
  await bundle.write({
    dir: join(root, 'bundle'),
    format: 'esm',
    entryFileNames: '[name].js',
    // Without digests: what runs from an older bundle may still want to load a part of it.
    chunkFileNames: 'code/[name].js',
    sourcemap: true,
    // Names stay: they are what a stack trace is read for.
    minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
  });
  await bundle.close();
}
