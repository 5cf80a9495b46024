/**
 * Records what V8 compiles of bundle/ when a proxy starts and serves, so that the next start need not compile it again: runs the proxy on unix sockets in
 * a folder of its own, asks for one page and has scripts/record-code.cjs write what there is.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const TIMEOUT_MS = 30_000;

/** Throws what went wrong. @param {string} root folder of the package */
export async function recordCode(root) {
  const folder = mkdtempSync(join(tmpdir(), 'fourseven-'));
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const origin = createServer((_, response) => response.end('hello\n'));
  const config = join(folder, 'fourseven.yaml');
  writeFileSync(
    config,
    `shards: 1
admin: { address: 'unix:${folder}/admin.sock' }
listeners:
  web: { address: 'unix:${folder}/web.sock', protocol: http, cluster: site }
clusters:
  site: { endpoints: ['unix:${folder}/origin.sock'] }
`,
  );
  const proxy = fork(join(root, 'bin/fourseven'), ['run', config], {
    execArgv: ['--require', join(root, 'scripts/record-code.cjs')],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    signal,
    killSignal: 'SIGKILL',
  });
  const ended = once(proxy, 'exit').catch(() => {});
  try {
    await once(origin.listen(join(folder, 'origin.sock')), 'listening', { signal });
    await isReady(proxy, signal);
    const [response] = await once(
      request({ socketPath: join(folder, 'web.sock'), path: '/', signal }).end(),
      'response',
      { signal },
    );
    if (response.statusCode !== 200) throw new Error(`the proxy answered ${response.statusCode}`);
    response.resume();
    proxy.send('record');
    await once(proxy, 'message', { signal });
  } finally {
    proxy.kill('SIGKILL');
    origin.close();
    origin.closeAllConnections();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {import('node:child_process').ChildProcess} proxy @param {AbortSignal} signal */
async function isReady(proxy, signal) {
  let complaints = '';
  proxy.stderr?.on('data', (chunk) => (complaints += chunk));
  const input = /** @type {import('node:stream').Readable} */ (proxy.stdout);
  for await (const line of createInterface({ input, signal })) if (line === 'ready') return;
  throw new Error(`the proxy ended: ${complaints}`);
}
