import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCheck } from '../../../src/cli/check.ts';

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'fourseven-check-'));
});
afterEach(() => rm(cwd, { recursive: true }));

async function check(file?: string): Promise<{ code: number; output: string }> {
  let output = '';
  const write = (text: string) => {
    output += text;
  };
  const code = await runCheck(file, { cwd, stdout: { write } });
  return { code, output };
}

const RIGHT =
  'listeners: { web: { address: 127.0.0.1:8080, cluster: site } }\nclusters: { site: { endpoints: [a:1] } }\n';

test('a right file exits 0 and says what is in it', async () => {
  await writeFile(join(cwd, 'fourseven.yaml'), RIGHT);
  expect(await check()).toEqual({ code: 0, output: 'fourseven.yaml is fine: 1 listener, 1 cluster\n' });
});

test('warnings are printed and exit 0', async () => {
  await writeFile(join(cwd, 'a.yaml'), RIGHT.replace('[a:1] }', '[a:1] }, spare: { endpoints: [a:1] }'));
  expect(await check('a.yaml')).toEqual({
    code: 0,
    output: `a.yaml:2:41  clusters.spare
  warning: no listener leads to this cluster
  remedy: use it in a route, or remove it
a.yaml is fine: 1 listener, 2 clusters, 1 warning
`,
  });
});

test('a wrong file exits 1 and every problem is printed with its place, cause and remedy', async () => {
  await writeFile(join(cwd, 'a.yaml'), RIGHT.replace('cluster: site', 'cluster: sit').replace('[a:1]', '[a:0]'));
  expect(await check('a.yaml')).toEqual({
    code: 1,
    output: `a.yaml:1:55  listeners.web.cluster
  error: there is no cluster "sit"
  remedy: did you mean "site"?
a.yaml:2:33  clusters.site.endpoints[0]
  error: "a:0" has port 0, and nobody can be reached there
  remedy: write a port from 1 to 65535
a.yaml:2:13  clusters.site
  warning: no listener leads to this cluster
  remedy: use it in a route, or remove it
a.yaml is wrong: 2 errors, 1 warning
`,
  });
});

test('a missing file exits 1 and is named', async () => {
  expect(await check('nowhere.yaml')).toMatchObject({
    code: 1,
    output: expect.stringContaining(`${cwd}/nowhere.yaml`),
  });
});

test('no file at all exits 1 and says which names were looked for', async () => {
  expect(await check()).toMatchObject({ code: 1, output: expect.stringContaining('fourseven.yaml, fourseven.yml') });
});
