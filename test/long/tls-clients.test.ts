/** What others say of our TLS: a scanner, a browser, a load generator. Each where it is installed. */
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ENGINES, ProxyProcess, temporaryDirectory } from '../integration/proxy-process.ts';
import { Authority, type Pair } from '../tls/authority.ts';

const run = promisify(execFile);
const SCAN_TIMEOUT_MS = 400_000;
const BROWSER_TIMEOUT_MS = 60_000;
const BAD: ReadonlySet<string> = new Set(['MEDIUM', 'HIGH', 'CRITICAL']);
/** What the scanner thinks of a certificate that this test has made, and of fields that only an application can set. */
const NOT_OURS = /^(cert_|security_headers|overall_grade|grade_cap|scanTime|engine_problem)/;

function isInstalled(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`]);
    return true;
  } catch {
    console.warn(`${program} is not installed: what it would say is skipped`);
    return false;
  }
}

interface Finding {
  readonly id: string;
  readonly severity: string;
  readonly finding: string;
}

describe.each(ENGINES)('TLS of the %s engine, to', (engine) => {
  const directory = temporaryDirectory();
  let pairs: Pair[];
  let proxy: ProxyProcess;

  beforeAll(async () => {
    const authority = await Authority.create();
    const names = { names: ['a.test', 'localhost'], addresses: ['127.0.0.1'] };
    pairs = await Promise.all([authority.sign(names), authority.sign({ ...names, keyType: 'rsa' })]);
  });

  const start = async () => {
    proxy = await ProxyProcess.start({
      engine,
      shards: 1,
      listeners: {
        secure: {
          address: '127.0.0.1:0',
          routes: [{ respond: { body: '<p>hello</p>', contentType: 'text/html' } }],
          tls: { certificates: pairs, hsts: { maxAge: '8760h' } },
        },
      },
      clusters: { unused: { endpoints: ['127.0.0.1:1'] } },
    });
    return proxy.port('secure');
  };

  afterEach(() => proxy.stop());
  afterAll(() => directory.remove());

  it.skipIf(!isInstalled('testssl'))('testssl: nothing of MEDIUM or above', { timeout: SCAN_TIMEOUT_MS }, async () => {
    const port = await start();
    const report = `${directory.path}/${engine}.json`;
    const options = ['--quiet', '--color', '0', '--warnings', 'off', '--ip', 'one', '--jsonfile', report];
    // Its exit code counts findings of any kind.
    await run('testssl', [...options, `127.0.0.1:${port}`], { maxBuffer: 16 * 1024 * 1024 }).catch(() => {});
    const findings = JSON.parse(readFileSync(report, 'utf8')) as Finding[];
    expect(findings.length).toBeGreaterThan(50);
    expect(findings.find(({ id }) => id === 'TLS1_3')?.finding).toMatch(/^offered/);
    expect(findings.filter(({ id, severity }) => BAD.has(severity) && !NOT_OURS.test(id))).toEqual([]);
  });

  it.skipIf(!isInstalled('chromium'))('Chromium', { timeout: BROWSER_TIMEOUT_MS }, async () => {
    const port = await start();
    const { stdout } = await run('chromium', [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--ignore-certificate-errors',
      `--user-data-dir=${directory.path}/${engine}-profile`,
      `--host-resolver-rules=MAP a.test:443 127.0.0.1:${port}`,
      '--dump-dom',
      'https://a.test/',
    ]);
    expect(stdout).toContain('<p>hello</p>');
  });

  it.skipIf(!isInstalled('wrk'))('wrk: no error', async () => {
    const port = await start();
    const { stdout } = await run('wrk', ['-t1', '-c16', '-d2s', `https://127.0.0.1:${port}/`]);
    expect(stdout).not.toMatch(/Socket errors|Non-2xx/);
    expect(Number(/(\d+) requests in/.exec(stdout)![1])).toBeGreaterThan(100);
  });
});
