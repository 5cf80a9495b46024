import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ExplainOptions, runExplain } from '../../../src/cli/explain.ts';

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'fourseven-explain-'));
});
afterEach(() => rm(cwd, { recursive: true }));

const CONFIG = `
listeners:
  web:
    address: 127.0.0.1:8080
    routes:
      - { name: canary, match: { headers: { x-canary: "true" } }, cluster: next }
      - { name: site, match: { path: /a/* }, clusters: { site: 3, next: 1 } }
      - { name: bye, match: { path: /bye }, respond: { status: 410, body: "gone\\n" } }
clusters:
  site: { endpoints: ["10.0.0.1:80", { address: "10.0.0.2:80", weight: 2 }] }
  next: { endpoints: ["10.0.0.3:80"] }
`;

async function explain(url: string, options: Partial<ExplainOptions> = {}, config = CONFIG) {
  await writeFile(join(cwd, 'a.yaml'), config);
  let output = '';
  const write = (text: string) => {
    output += text;
  };
  const stdout = { write };
  const code = await runExplain('a.yaml', 'GET', url, { header: [], json: false, ...options }, { cwd, stdout });
  return { code, output };
}

test('a request that goes on is shown with its clusters and with the routes that do not take it', async () => {
  expect(await explain('http://h/a/b', { header: ['Accept: */*'], source: '192.0.2.1' })).toEqual({
    code: 0,
    output: `listener web, client 192.0.2.1

route site forwards

  GET /a/b HTTP/1.1
  Host: h
  Accept: */*
  X-Forwarded-For: 192.0.2.1
  X-Forwarded-Proto: http
  X-Forwarded-Host: h
  X-Request-Id: 00000000000000000000000000000000

to, within 1m
  cluster site (least-request, 3 of 4 requests)
    10.0.0.1:80
    10.0.0.2:80 (weight 2)
  cluster next (least-request, 1 of 4 requests)
    10.0.0.3:80

not taken
  canary: there is no header x-canary
  bye: the path is not /bye
`,
  });
});

test('an answer of the route is shown as it is sent', async () => {
  const { output } = await explain('/bye', { header: [] });
  expect(output).toContain('route bye answers with 410\n\n  HTTP/1.1 410 Gone\n');
  expect(output).toContain('\n\n  gone\n');
});

test('a request that is refused says so', async () => {
  expect((await explain('/x')).output).toContain('refused with 404: no route matches\n');
  expect((await explain('/a%00')).output).toContain('refused with 400: the path has');
});

test('--json gives the same to programs', async () => {
  const { output } = await explain('/x', { header: ['X-Canary: true'], json: true });
  expect(JSON.parse(output)).toMatchObject({ route: 'canary', outcome: { kind: 'forwarded' } });
});

test('a wrong configuration exits 1, a wrong question 2', async () => {
  expect(await explain('/', {}, 'listeners: {}')).toMatchObject({ code: 1, output: expect.stringContaining('a.yaml') });
  expect(await explain('nonsense')).toMatchObject({ code: 2, output: expect.stringContaining('is not a URL') });
});

test('what clients could send cannot control a terminal', async () => {
  const { output } = await explain('/a/b', { header: ['x: \u001b[2J\u009b'] });
  expect(output.replaceAll('\n', '')).toMatch(/^[ -~]*$/);
});
