/** A configuration read beside a proxy that runs: whatever a module does there ends with it. */
import { afterAll, expect, it } from 'vitest';
import type { loadConfigApart as LoadConfigApart } from '../../src/cli/load-apart.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { temporaryDirectory } from './proxy-process.ts';

// The built one: a process of Node 20 reads no TypeScript.
const { loadConfigApart }: { loadConfigApart: typeof LoadConfigApart } = await import(
  `${new URL('../../dist/cli/load-apart.js', import.meta.url)}`
);

const directory = temporaryDirectory();
afterAll(directory.remove);

const YAML = `
listeners:
  web: { address: 127.0.0.1:0, cluster: site }
clusters:
  site: { endpoints: [127.0.0.1:9000] }
`;

it('gives what the file says, frozen', async () => {
  const path = directory.write('good.yaml', YAML);
  const result = await loadConfigApart(path);
  expect(result).toEqual(await loadConfig(path));
  expect(Object.isFrozen(result.config?.listeners[0])).toBe(true);
});

it('gives the problems with their lines', async () => {
  const path = directory.write('wrong.yaml', `${YAML}shards: 300\n`);
  expect(await loadConfigApart(path)).toMatchObject({ problems: [{ path: 'shards', line: 6 }] });
});

it.each([
  ['ends its process', 'process.exit(0);'],
  ['is killed', "process.kill(process.pid, 'SIGKILL');"],
])('survives a module that %s', async (_, text) => {
  expect(await loadConfigApart(directory.write('ends.mjs', text))).toMatchObject({
    problems: [{ message: 'the configuration ended the process that read it' }],
  });
});

it('ends a module that does not end', async () => {
  const path = directory.write('loops.mjs', 'for (;;);');
  expect(await loadConfigApart(path, 1_000)).toMatchObject({
    problems: [{ message: 'the configuration was not read within 1s' }],
  });
});

it('leaves no process behind once nobody waits for it', async () => {
  const path = directory.write('waits.mjs', 'await new Promise((resolve) => setTimeout(resolve, 60_000));');
  const startMs = performance.now();
  await loadConfigApart(path, 500);
  expect(performance.now() - startMs).toBeLessThan(5_000);
});
