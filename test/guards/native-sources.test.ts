import { expect, test } from 'vitest';
import { listFiles, readJson, readText } from './source-tree.ts';

const listed = readJson('native/sources.json') as Record<'core' | 'door', string[]>;
const filesInNative = listFiles('native').filter((path) => !/^native\/(test|fuzz)\//.test(path));
const code = filesInNative.filter((path) => /\.(cc|h)$/.test(path));

/** Files that include a header whose name matches. */
const includersOf = (header: RegExp): string[] =>
  code.filter((path) =>
    [...readText(path).matchAll(/^\s*#\s*include\s*[<"]([^>"]+)[>"]/gm)].some((found) => header.test(found[1]!)),
  );

test('every C++ source is built: sources.json names the files of native/, each once', () => {
  const names = [...listed.core, ...listed.door].sort();
  expect(names).toEqual(
    filesInNative.filter((path) => path.endsWith('.cc')).map((path) => path.slice('native/'.length)),
  );
});

test('both build files take their sources from sources.json and name none themselves', () => {
  for (const [path, lists] of [
    ['binding.gyp', ["Object.values(require(\\'./native/sources.json\\')).flat()"]],
    [
      'native/CMakeLists.txt',
      ['read_sources(core core_sources)', 'read_sources(door door_sources)', 'file(READ sources.json'],
    ],
  ] as const) {
    const text = readText(path);
    expect(lists.filter((list) => !text.includes(list))).toEqual([]);
    expect(text.match(/[a-z_]+\.cc\b/g) ?? []).toEqual([]);
  }
});

test('only binding.cc includes napi.h, and no other Node-API header is included anywhere', () => {
  expect(includersOf(/^napi\.h$/)).toEqual(['native/binding.cc']);
  expect(includersOf(/^(node|node_api|js_native_api|v8)\b.*\.h$/)).toEqual([]);
});

test('only event_loop includes uv.h', () => {
  const includers = includersOf(/^uv\.h$/);
  expect(includers.length).toBeGreaterThan(0);
  expect(includers.filter((path) => !/^native\/event_loop\.(cc|h)$/.test(path))).toEqual([]);
});

test('the core does not reach the door: nothing in it includes event_loop.h', () => {
  const core = includersOf(/^event_loop\.h$/).filter((path) => listed.core.includes(path.slice('native/'.length)));
  expect(core).toEqual([]);
});
