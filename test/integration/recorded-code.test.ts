/** The bundle, and what is recorded beside it of the code that V8 compiled. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { temporaryDirectory } from './proxy-process.ts';

const LOADER = fileURLToPath(new URL('../../bin/load-code.js', import.meta.url));
const RECORDER = fileURLToPath(new URL('../../scripts/record-code.cjs', import.meta.url));
const COMMAND = fileURLToPath(new URL('../../bin/fourseven', import.meta.url));
const BUNDLE = fileURLToPath(new URL('../../bundle', import.meta.url));
/** As the loader names what this V8 has recorded. */
const RECORDING = `.${process.versions.v8}-${process.platform}-${process.arch}.v8`;
const directory = temporaryDirectory();
afterAll(directory.remove);

/** Runs a script that has `loadCode`, `record()` and `answer(value)`, in a process of its own. `taken` says of each file whether V8 took its recording. */
async function run(script: string, nodeArgs: readonly string[] = []) {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...nodeArgs,
    '-e',
    `const { loadCode, loaded } = require(${JSON.stringify(LOADER)});
     const { record } = require(${JSON.stringify(RECORDER)});
     const answer = async (value) => {
       const taken = [...loaded.values()].map(({ script }) => script.cachedDataRejected === false);
       console.log(JSON.stringify({ taken, value: await value }));
     };
     ${script}`,
  ]);
  return JSON.parse(stdout) as { readonly taken: readonly boolean[]; readonly value: unknown };
}

describe.skipIf(!existsSync(BUNDLE))('the bundle', () => {
  const recordings = existsSync(BUNDLE) ? readdirSync(join(BUNDLE, 'code')).filter((name) => name.endsWith('.v8')) : [];
  const ofAnotherNode = recordings.length > 0 && !recordings.some((name) => name.endsWith(RECORDING));

  it.skipIf(ofAnotherNode).each(['load-config', 'shard-entry'])(
    'is recorded as this Node compiles it: %s',
    async (name) => {
      const { taken } = await run(`loadCode(${JSON.stringify(join(BUNDLE, `code/${name}.js`))}); answer();`);
      expect(taken).toEqual([true]);
    },
  );

  it('loads packages that a configuration asks for, from recorded code', async () => {
    const path = directory.write(
      'fourseven.ts',
      `const endpoints: string[] = ['127.0.0.1:9000'];
export default { listeners: { web: { address: '127.0.0.1:0', cluster: 'site' } }, clusters: { site: { endpoints } } };`,
    );
    await expect(promisify(execFile)(COMMAND, ['check', path])).resolves.toMatchObject({
      stdout: expect.stringContaining('fine'),
    });
  });

  it('names its sources in a stack trace where maps are asked for', async () => {
    const path = JSON.stringify(join(BUNDLE, 'code/load-config.js'));
    const script = `
      const read = Object.values(loadCode(${path})).find((part) => part.name === 'readDurationMs');
      try { read(Symbol()); } catch (error) { answer(error.stack); }`;
    expect((await run(script)).value).not.toContain('dist/config/duration.js:');
    expect((await run(script, ['--enable-source-maps'])).value).toContain('dist/config/duration.js:');
  });
});

describe('a file of a bundle', () => {
  const build = `/*${'b'.repeat(64)}*/`;
  let twice: string;
  let use: string;
  beforeEach(() => {
    twice = directory.write('twice.js', `${build}\nexports.twice = (x) => 2 * x;\n`);
    const sum = directory.write(
      'sum.js',
      `${build}\nconst { twice } = require('./twice.js');
exports.sum = (x) => twice(x) + require('node:path').join('a', 'b').length;\n`,
    );
    use = `const { sum } = loadCode(${JSON.stringify(sum)}); `;
  });
  const expected = 2 * 5 + 3;

  it('runs without a recording', async () => {
    expect(await run(`${use} answer(sum(5));`)).toEqual({ taken: [false, false], value: expected });
  });

  it('runs with one, which has the functions that had run', async () => {
    await run(`${use} sum(5); record(); answer();`);
    const grown = readFileSync(`${twice}${RECORDING}`).length;
    expect(await run(`${use} answer(sum(5));`)).toEqual({ taken: [true, true], value: expected });
    rmSync(`${twice}${RECORDING}`);
    await run(`${use} record(); answer();`);
    expect(readFileSync(`${twice}${RECORDING}`).length).toBeLessThan(grown);
  });

  it.each<[string, () => void]>([
    ['of another build', () => writeFileSync(twice, readFileSync(twice, 'utf8').replace('/*b', '/*c'))],
    ['of another source', () => writeFileSync(twice, readFileSync(twice, 'utf8').replace('2 * x', 'x + x + 0'))],
    ['of another V8', () => renameSync(`${twice}${RECORDING}`, `${twice}.1.2.3-linux-x64.v8`)],
    ['cut short', () => truncateSync(`${twice}${RECORDING}`, 200)],
    ['cut to nothing', () => truncateSync(`${twice}${RECORDING}`, 0)],
  ])('does not use a recording %s', async (_, spoil) => {
    await run(`${use} record(); answer();`);
    spoil();
    expect(await run(`${use} answer(sum(5));`)).toEqual({ taken: [true, false], value: expected });
  });

  it('does not use one that V8 made with other flags', async () => {
    await run(`${use} record(); answer();`);
    const other = await run(`${use} answer(sum(5));`, ['--max-lazy']);
    expect(other).toEqual({ taken: [false, false], value: expected });
  });
});
