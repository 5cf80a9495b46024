import { accessSync, constants, existsSync } from 'node:fs';
import { basename, dirname, join, posix } from 'node:path';
import { expect, test } from 'vitest';
import { importsOf, listFiles, ROOT, readJson, readText } from './source-tree.ts';

const files = listFiles('.');
const texts = files.filter((path) => /\.(ts|mjs|js|json|md|cc|h|txt|gyp|yaml|yml|html)$|^bin\/|^\.ci\//.test(path));

interface Manifest {
  readonly bin: Record<string, string>;
  readonly files: readonly string[];
  readonly scripts: Record<string, string>;
}
const manifest = readJson('package.json') as Manifest;

test('no file or folder has a name that says nothing', () => {
  const empty = /^(utils?|helpers?|common|misc|managers?|base)$/;
  expect(files.filter((path) => path.split('/').some((part) => empty.test(part.split('.')[0]!)))).toEqual([]);
});

test('src/ holds TypeScript alone: output belongs to dist/', () => {
  expect(listFiles('src').filter((path) => !path.endsWith('.ts'))).toEqual([]);
});

test('src/ has no barrels: index.ts is the library door alone', () => {
  expect(listFiles('src').filter((path) => basename(path) === 'index.ts' && path !== 'src/index.ts')).toEqual([]);
});

test('TypeScript files are kebab-case, C++ files snake_case', () => {
  const typeScript = [...listFiles('src'), ...listFiles('test'), ...listFiles('bench')].filter((path) =>
    path.endsWith('.ts'),
  );
  expect(typeScript.filter((path) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*\.ts$/.test(basename(path)))).toEqual([]);
  const native = listFiles('native').filter((path) => /\.(cc|h)$/.test(path));
  expect(native.filter((path) => !/^[a-z0-9]+(_[a-z0-9]+)*\.(cc|h)$/.test(basename(path)))).toEqual([]);
});

test('no text names a path of somebody’s machine', () => {
  // In pieces, so that this file does not name one itself.
  const machinePath = new RegExp(`(^|[^\\w.])/(${['root', 'Users', 'home/[a-z]', 'work/(main|shared)'].join('|')})\\b`);
  expect(texts.filter((path) => machinePath.test(readText(path)))).toEqual([]);
});

test('package-lock.json names no registry', () => {
  expect(readText('package-lock.json')).not.toContain('"resolved"');
});

test('what is published exists, and what only developers need is not', () => {
  const built = new Set(['bundle', 'dist', 'prebuilds']);
  const missing = manifest.files.filter(
    (path) => !path.startsWith('!') && !built.has(path) && !existsSync(join(ROOT, path)),
  );
  expect(missing).toEqual([]);
  expect(manifest.files.filter((path) => /^(test|bench|docs|src|build|\.)/.test(path))).toEqual([]);
});

test('the install script is published with everything that it imports', () => {
  const needed = new Set(['scripts/install.mjs']);
  for (const path of needed) {
    for (const { target } of importsOf(path)) if (target) needed.add(target);
  }
  expect([...needed].filter((path) => !manifest.files.includes(path))).toEqual([]);
});

test('every script of package.json that names a file names one that exists', () => {
  const named = Object.values(manifest.scripts).flatMap((script) => script.match(/\bscripts\/[\w-]+\.mjs/g) ?? []);
  expect(named.length).toBeGreaterThan(0);
  expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test('commands may be executed', () => {
  for (const path of [...Object.values(manifest.bin), '.ci/run']) {
    expect(() => accessSync(join(ROOT, path), constants.X_OK), path).not.toThrow();
  }
});

test('links of the documentation lead to files that exist', () => {
  const broken = files
    .filter((path) => path.endsWith('.md'))
    .flatMap((path) =>
      [...readText(path).matchAll(/\]\(([^)\s]+)\)/g)]
        .map((match) => match[1]!.split('#')[0]!)
        .filter((link) => link !== '' && !/^[a-z]+:/.test(link))
        .filter((link) => !existsSync(join(ROOT, posix.join(dirname(path), link))))
        .map((link) => `${path}: ${link}`),
    );
  expect(broken).toEqual([]);
});
