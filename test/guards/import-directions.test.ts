import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Import, importsIn, importsOf, listFiles, ROOT, readText } from './source-tree.ts';

/**
 * The house, in code: what each room of src/ may import besides itself. docs/architecture.md draws it and says why. `types:` allows
 * `import type` only.
 */
const GROUND_TO_CONTRACT = ['core', 'config', 'engine', 'observe', 'contract'];
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  config: ['core'],
  engine: ['core'],
  observe: ['core'],
  contract: ['core', 'types:config', 'types:observe'],
  downstream: GROUND_TO_CONTRACT,
  upstream: GROUND_TO_CONTRACT,
  l4: [...GROUND_TO_CONTRACT, 'downstream', 'upstream'],
  l7: [...GROUND_TO_CONTRACT, 'downstream', 'upstream'],
  shard: [...GROUND_TO_CONTRACT, 'downstream', 'upstream', 'l4', 'l7'],
  control: GROUND_TO_CONTRACT,
  explain: [...GROUND_TO_CONTRACT, 'downstream', 'l7', 'control'],
  cli: ['control', 'config', 'core', 'explain'],
  'index.ts': ['control', 'config', 'core', 'explain'],
};

const sources = listFiles('src', '.ts');
const roomOf = (path: string): string => path.split('/')[1]!;

/** Why an import from `room` is against the plan of the house, or undefined. */
function objection(room: string, entry: Import): string | undefined {
  if (entry.target === undefined) return undefined;
  if (!entry.target.startsWith('src/')) return `${entry.specifier} leads out of src/`;
  const to = roomOf(entry.target);
  if (to === room) return undefined;
  const allowed = MAY_IMPORT[room] ?? [];
  if (allowed.includes(to) || (entry.typeOnly && allowed.includes(`types:${to}`))) return undefined;
  return `${room} may not import ${entry.specifier}`;
}

function importersOf(wanted: (entry: Import) => boolean): string[] {
  return sources.filter((path) => importsOf(path).some(wanted));
}

describe('the plan of the house', () => {
  test('names every room there is', () => {
    const rooms = readdirSync(join(ROOT, 'src'));
    expect(rooms.filter((room) => !(room in MAY_IMPORT))).toEqual([]);
  });

  test('is kept by every import', () => {
    const objections = sources.flatMap((path) =>
      importsOf(path).flatMap((entry) => {
        const why = objection(roomOf(path), entry);
        return why === undefined ? [] : [`${path}: ${why}`];
      }),
    );
    expect(objections).toEqual([]);
  });

  test('is written in docs/architecture.md, room by room', () => {
    const text = readText('docs/architecture.md');
    expect(Object.keys(MAY_IMPORT).filter((room) => !text.includes(`\`${room}`))).toEqual([]);
  });
});

describe('special rules', () => {
  test('only control/ imports piscina', () => {
    const importers = importersOf((entry) => entry.specifier === 'piscina');
    expect(importers.filter((path) => roomOf(path) !== 'control')).toEqual([]);
  });

  test('only engine/binding.ts loads native code', () => {
    const loads = (path: string) => /createRequire|process\.dlopen|\.node['"`]/.test(readText(path));
    expect(sources.filter(loads).filter((path) => path !== 'src/engine/binding.ts')).toEqual([]);
  });

  test('nothing imports node-addon-api: it is for C++', () => {
    expect(importersOf((entry) => entry.specifier.startsWith('node-addon-api'))).toEqual([]);
  });

  test('the benchmark suite takes nothing from the proxy but types and core; bench/micro measures single units', () => {
    const suite = listFiles('bench', '.ts').filter((path) => !path.startsWith('bench/micro/'));
    const taken = suite.flatMap((path) =>
      importsOf(path)
        .filter((entry) => entry.target?.startsWith('src/') && !entry.typeOnly && roomOf(entry.target) !== 'core')
        .map((entry) => `${path}: ${entry.specifier}`),
    );
    expect(taken).toEqual([]);
  });
});

describe('the reader of imports', () => {
  const read = (text: string) =>
    importsIn(text, 'src/l4/session.ts').map((entry) => [entry.target ?? entry.specifier, entry.typeOnly]);

  test('sees every way to import', () => {
    expect(read("import type { A } from '../core/a.ts';")).toEqual([['src/core/a.ts', true]]);
    expect(read("import {\n  type A,\n  b,\n} from '../core/a.ts';")).toEqual([['src/core/a.ts', false]]);
    expect(read("import * as a from './a.ts';\nexport { b } from './b.ts';")).toEqual([
      ['src/l4/a.ts', false],
      ['src/l4/b.ts', false],
    ]);
    expect(read("import '../l7/a.ts';")).toEqual([['src/l7/a.ts', false]]);
    expect(read("const a = await import('../l7/a.ts');")).toEqual([['src/l7/a.ts', false]]);
    expect(read("import Piscina from 'piscina';")).toEqual([['piscina', false]]);
  });

  test('does not see what is in a comment', () => {
    expect(read("/** As in\n * import { a } from '../l7/a.ts';\n */\n// import '../l7/b.ts';")).toEqual([]);
  });

  test('objects to a forbidden arrow', () => {
    const [entry] = importsIn("import { a } from '../l7/a.ts';", 'src/l4/session.ts');
    expect(objection('l4', entry!)).toBe('l4 may not import ../l7/a.ts');
    const [types] = importsIn("import type { A } from '../config/a.ts';", 'src/contract/plan.ts');
    expect(objection('contract', types!)).toBeUndefined();
    expect(objection('contract', { ...types!, typeOnly: false })).toBe('contract may not import ../config/a.ts');
  });
});
