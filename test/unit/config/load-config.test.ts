import { chmod, mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_CONFIG_FILES, findConfigFile } from '../../../src/config/find-config-file.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { runModule } from '../../../src/config/module-source.ts';
import type { Problem } from '../../../src/config/problem.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fourseven-config-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function write(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

async function problemsIn(name: string, content: string | Uint8Array): Promise<readonly Problem[]> {
  const result = await loadConfig(await write(name, content));
  return result.config === undefined ? result.problems : [];
}

const YAML = `listeners:
  web: { address: 127.0.0.1:8080, cluster: site }
clusters:
  site: { endpoints: [10.0.0.1:9000] }
`;
const OBJECT = `{
  "listeners": { "web": { "address": "127.0.0.1:8080", "cluster": "site" } },
  "clusters": { "site": { "endpoints": ["10.0.0.1:9000"] } }
}
`;

describe('formats', () => {
  test.each([
    ['plain.yaml', YAML],
    ['plain.yml', YAML],
    ['windows.yaml', `\uFEFF${YAML.replaceAll('\n', '\r\n')}`],
    ['plain.json', OBJECT],
    ['tabs.json', OBJECT.replaceAll('  ', '\t')],
    [
      'typed.ts',
      `import { defineConfig } from 'fourseven';\nconst input: object = ${OBJECT};\nexport default defineConfig(input);`,
    ],
    [
      'typed.mts',
      `import type { ConfigInput } from 'fourseven';\nexport default ${OBJECT.trim()} satisfies ConfigInput;`,
    ],
    ['waits.mjs', `await null;\nexport default Promise.resolve(${OBJECT});`],
    ['old.js', `module.exports = ${OBJECT};`],
  ])('%s is read', async (name, content) => {
    expect(await loadConfig(await write(name, content))).toMatchObject({
      config: { listeners: [{ name: 'web' }], clusters: [{ name: 'site' }] },
      warnings: [],
    });
  });

  test('anchors, aliases and merge keys are read, and their problems have lines', async () => {
    const text = `listeners:
  one: &http
    address: 127.0.0.1:1
    cluster: site
    timeouts: { idle: 0s }
  two: { <<: *http, address: 127.0.0.1:2 }
clusters:
  site: { endpoints: [10.0.0.1:9000] }
`;
    expect(await problemsIn('merge.yaml', text)).toMatchObject([
      { path: 'listeners.one.timeouts.idle', line: 5, column: 23 },
      { path: 'listeners.two.timeouts.idle', line: 5, column: 23 },
    ]);
    expect(await problemsIn('merge.yaml', text.replace('0s', '1s'))).toEqual([]);
  });

  test('off is a text, whatever version of YAML the file claims', async () => {
    const path = await write('directive.yaml', `%YAML 1.1\n---\nadmin: off\n${YAML}`);
    expect(await loadConfig(path)).toMatchObject({ config: { admin: 'off' } });
  });
});

describe('lines', () => {
  test('each problem is on the line and column of what is wrong, in the order of the file', async () => {
    const text = `shard: 2
listeners:
  web:
    address: 127.0.0.1:8080
    routes:
      - cluster: site
      - match: { path: v1 }
        timeout: 5
  db:
    protocol: tcp
    address: 127.0.0.1:1
clusters:
  site:
    endpoints:
      - 10.0.0.1:9000
      - { address: 10.0.0.1:9000 }
`;
    const places = (await problemsIn('lines.yaml', text)).map(({ path, line, column }) => `${line}:${column} ${path}`);
    expect(places).toEqual([
      '1:1 shard',
      '7:9 listeners.web.routes[1]',
      '7:24 listeners.web.routes[1].match.path',
      '8:18 listeners.web.routes[1].timeout',
      '9:3 listeners.db.cluster',
      '16:9 clusters.site.endpoints[1]',
    ]);
  });
});

describe('files that cannot be used', () => {
  test.each<[string, string | Uint8Array, RegExp]>([
    ['empty.yaml', '', /empty\.yaml is empty/],
    ['comments.yaml', '# nothing\n', /is empty/],
    ['null.json', 'null', /is empty/],
    ['empty.json', '', /is empty/],
    ['binary.yaml', Uint8Array.from({ length: 4096 }, (_, index) => (index * 7919) % 256), /is not a text in UTF-8/],
    ['zeros.yaml', new Uint8Array(100), /is not a text in UTF-8/],
    ['latin1.yaml', Uint8Array.from([0x61, 0x3a, 0xe9]), /is not a text in UTF-8/],
    ['list.yaml', '- a\n', /a list is not expected here/],
    ['text.yaml', 'hello\n', /the text "hello" is not expected here/],
    ['config.toml', 'a = 1', /does not say what it is/],
    ['config', YAML, /does not say what it is/],
  ])('%s', async (name, content, message) => {
    const problems = await problemsIn(name, content);
    expect(problems).toMatchObject([{ severity: 'error', message: expect.stringMatching(message) }]);
    expect(problems[0]?.remedy).not.toBe('');
  });

  test('a missing file is named', async () => {
    const path = join(directory, 'missing.yaml');
    expect(await loadConfig(path)).toMatchObject({ problems: [{ message: `there is no file ${path}` }] });
    expect(await loadConfig(`${path}/inner.yaml`)).toMatchObject({
      problems: [{ message: `there is no file ${path}/inner.yaml` }],
    });
  });

  test('a directory is named', async () => {
    const path = join(directory, 'folder.yaml');
    await mkdir(path);
    expect(await loadConfig(path)).toMatchObject({ problems: [{ message: `${path} is a directory` }] });
  });

  test('a device is not read', async () => {
    expect(await loadConfig('/dev/zero')).toMatchObject({ problems: [{ message: '/dev/zero is not a regular file' }] });
  });

  test.skipIf(process.getuid?.() === 0)('a file that may not be read is named', async () => {
    const path = await write('secret.yaml', YAML);
    await chmod(path, 0o000);
    expect(await loadConfig(path)).toMatchObject({ problems: [{ message: `${path} may not be read (EACCES)` }] });
  });

  test('a huge file is not read at all', async () => {
    const path = await write('huge.yaml', '');
    await truncate(path, 1024 ** 4);
    expect(await loadConfig(path)).toMatchObject({ problems: [{ message: expect.stringContaining('bytes') }] });
  });
});

describe('texts that are no YAML or JSON', () => {
  test.each<[string, string, { line: number; path?: string; remedy?: RegExp }]>([
    ['tab.yaml', 'listeners:\n\tweb: 1\n', { line: 2, remedy: /spaces/ }],
    ['indent.yaml', 'listeners:\n  web:\n    address: a\n   cluster: b\n', { line: 4 }],
    ['quote.yaml', 'listeners: "web\n', { line: 2, remedy: /quotes/ }],
    [
      'v6.yaml',
      'listeners:\n  web: { cluster: a }\n  b:\n    address: [::1]:8080\n',
      { line: 4, path: 'listeners.b.address', remedy: /"\[::1\]:8080"/ },
    ],
    [
      'star.yaml',
      'listeners:\n  web:\n    hosts: [*.example.com]\n',
      { line: 3, path: 'listeners.web.hosts[0]', remedy: /"\*\.example\.com"/ },
    ],
    ['two.yaml', `${YAML}---\n${YAML}`, { line: 5, remedy: /one document/ }],
    ['tag.yaml', `shards: !!js/function 'x'\n${YAML}`, { line: 1, path: 'shards', remedy: /!/ }],
    ['complex.yaml', `? { a: b }\n: c\n${YAML}`, { line: 1, remedy: /plain name/ }],
    ['bare.json', '{\n  "admin": off\n}', { line: 2, path: 'admin', remedy: /double quotes/ }],
    ['cut.json', '{\n  "admin": {\n', { line: 3 }],
  ])('%s', async (name, content, { line, path, remedy }) => {
    const [first] = await problemsIn(name, content);
    expect(first).toMatchObject({ severity: 'error', line });
    if (path !== undefined) expect(first?.path).toBe(path);
    expect(first?.remedy).toMatch(remedy ?? /./);
  });

  test('a key written twice is a problem, and hides no other', async () => {
    const text = `${YAML}shards: 0\nshards: 300\n`;
    expect(await problemsIn('twice.yaml', text)).toMatchObject([
      { path: 'shards', line: 6, message: 'this key is written twice' },
      { path: 'shards', line: 6, message: 'the number 300 is too large' },
    ]);
  });

  test('also in JSON, wherever it is, and however it is spelled', async () => {
    const twice = OBJECT.replace('"site": {', '"site": { "endpoints": [],');
    expect(await problemsIn('twice.json', twice)).toMatchObject([
      { path: 'clusters.site.endpoints', line: 3, message: 'this key is written twice' },
    ]);
    const escaped = OBJECT.replace('"clusters"', '"clust\\u0065rs": {},\n  "clusters"');
    expect(await problemsIn('escaped.json', escaped)).toMatchObject([
      { message: 'this key is written twice', line: 4 },
    ]);
  });

  test('what is wrong in a JSON text that is whole has its line', async () => {
    expect(await problemsIn('wrong.json', OBJECT.replace('"site": {', '"site": {\n"policy": "best",'))).toMatchObject([
      { path: 'clusters.site.policy', line: 4 },
    ]);
  });

  test('a JSON text that nests too deeply is stopped', async () => {
    const deep = `{ "shards": ${'['.repeat(100_000)}${']'.repeat(100_000)} }`;
    expect(await problemsIn('deep.json', deep)).toMatchObject([{ message: expect.stringContaining('deep') }]);
  });

  test('an alias bomb is stopped', async () => {
    const levels = ['a: &a [x, x, x, x, x, x, x, x, x]'];
    for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh']) {
      levels.push(`${to}: &${to} [${Array(9).fill(`*${from}`).join(', ')}]`);
    }
    expect(await problemsIn('bomb.yaml', levels.join('\n'))).toMatchObject([
      { message: expect.stringContaining('expand to too much') },
    ]);
  });

  test('an anchor that contains itself does no harm', async () => {
    const problems = await problemsIn('cycle.yaml', `listeners: &a { web: *a }\nclusters: *a\n`);
    expect(problems.length).toBeGreaterThan(0);
  });

  test.each([
    ['open brackets', '['.repeat(100_000)],
    ['closed brackets', `${'['.repeat(5_000)}${']'.repeat(5_000)}`],
    ['mappings', '{a: '.repeat(50_000)],
    ['dashes', '- '.repeat(50_000)],
    ['indentation', Array.from({ length: 1_000 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
  ])('nesting without end is stopped: %s', async (_, content) => {
    expect(await problemsIn('deep.yaml', content)).toMatchObject([
      { line: expect.any(Number), remedy: 'nest at most 64 levels deep' },
    ]);
  });

  test('garbage is answered with a few problems, not with thousands', async () => {
    expect((await problemsIn('garbage.yaml', '}]: {,"\n'.repeat(1_000))).length).toBeLessThanOrEqual(10);
  });
});

describe('modules', () => {
  test.each<[string, string, Partial<Problem>]>([
    [
      'throws.ts',
      `interface A {\n  a: 1;\n}\nfunction f(): A {\n  throw new Error('boom\\nand more');\n}\nexport default f();`,
      { line: 5, message: 'the module failed: boom' },
    ],
    ['throws.mjs', `\n\nthrow new TypeError('boom');`, { line: 3, message: 'the module failed: boom' }],
    ['undefined.ts', `export default {\n  a: process.env.NO_SUCH_VARIABLE!.length,\n};`, { line: 2 }],
    [
      'rejects.ts',
      `\nexport default Promise.reject(new Error('late'));`,
      { line: 2, message: 'the module failed: late' },
    ],
    ['syntax.ts', `export default {\n  a: 1,\n  b: ],\n};`, { line: 3 }],
    [
      'import.ts',
      `\nimport x from './not-there.ts';\nexport default x;`,
      { line: 2, message: "the module failed: Cannot find module './not-there.ts'" },
    ],
    ['string.ts', `throw 'a text';`, { message: 'the module threw the text "a text"' }],
    ['nothing.ts', '', { message: 'the module has no default export' }],
    ['named.ts', 'export const config = {};', { message: 'the module has no default export' }],
    ['function.ts', 'export default () => ({});', { message: 'a function is not expected here' }],
  ])('%s gives one problem with its line', async (name, content, expected) => {
    const problems = await problemsIn(name, content);
    expect(problems).toEqual([expect.objectContaining({ severity: 'error', ...expected })]);
    expect(`${problems[0]?.message}${problems[0]?.remedy}`).not.toMatch(/ at |node_modules|\n/);
  });

  test('a failure in an imported file names both files', async () => {
    const inner = await write('inner.ts', `\nthrow new Error('inside');`);
    expect(await problemsIn('outer.ts', `\n\nimport './inner.ts';\nexport default {};`)).toMatchObject([
      { line: 3, message: `the module failed: inside (in ${inner}, line 2)` },
    ]);
  });

  test('a module and its imports are read anew each time', async () => {
    const path = await write('reload.ts', `import { port } from './port.ts';\nexport default { shards: port };`);
    await write('port.ts', 'export const port = 1_000;');
    expect(JSON.stringify(await loadConfig(path))).toContain('the number 1000 is too large');
    await write('port.ts', 'export const port = 2_000;');
    expect(JSON.stringify(await loadConfig(path))).toContain('the number 2000 is too large');
  });

  test('a module that never ends its work is given up', async () => {
    const source = await runModule(join(directory, 'endless.ts'), 'export default new Promise(() => {});', 20);
    expect(source).toMatchObject({ problem: { message: 'the module has not finished within 20ms' } });
  });
});

describe('the default file', () => {
  test('is the first of the known names that exists', async () => {
    const empty = await mkdtemp(join(directory, 'default-'));
    expect(await findConfigFile(empty)).toBeUndefined();
    for (const name of [...DEFAULT_CONFIG_FILES].reverse()) {
      await writeFile(join(empty, name), '');
      expect(await findConfigFile(empty)).toBe(join(empty, name));
    }
  });
});
