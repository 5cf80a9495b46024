/** The proxy goes on, whatever becomes of its output. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until, within } from './deadline.ts';
import { HttpClient } from './http-client.ts';
import { get } from './http-rig.ts';
import { Origin } from './origin-server.ts';
import { temporaryDirectory } from './proxy-process.ts';

const COMMAND = join(fileURLToPath(new URL('../../', import.meta.url)), 'bin/fourseven');
const FULL = '/dev/full';

describe('the proxy goes on', () => {
  let origin: Origin;

  beforeAll(async () => {
    origin = await Origin.start();
  });
  afterAll(() => origin.close());

  /** Runs a proxy whose standard output and error are these, makes it log, asks it, ends it. Returns its exit code. */
  async function run(
    stdout: 'pipe' | number,
    stderr: 'pipe' | number,
    spoil: (child: ReturnType<typeof spawn>) => void,
  ) {
    const port = await freePort();
    const directory = temporaryDirectory();
    const config = {
      shards: 1,
      engine: 'node',
      admin: 'off',
      drain: { grace: '0s' },
      listeners: { web: { address: `127.0.0.1:${port}`, cluster: 'origin' } },
      clusters: { origin: { endpoints: [`127.0.0.1:${origin.port}`] } },
    };
    const file = directory.write('fourseven.json', JSON.stringify(config));
    const child = spawn(process.execPath, [COMMAND, 'run', file], { stdio: ['ignore', stdout, stderr] });
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
    try {
      spoil(child);
      const ask = async () => {
        const client = new HttpClient(port);
        const answer = await client.ask(get('/')).catch(() => undefined);
        client.close();
        return answer?.status === 200;
      };
      await until(10_000, 'the first answer', ask);
      // Signals without an effect: each is a line of the log.
      for (let line = 0; line < 20; line++) child.kill('SIGHUP');
      for (let request = 0; request < 5; request++) expect(await ask()).toBe(true);
      child.kill('SIGTERM');
      return await within(10_000, 'the exit', exited);
    } finally {
      child.kill('SIGKILL');
      directory.remove();
    }
  }

  test('without readers: both pipes are closed', async () => {
    const code = await run('pipe', 'pipe', ({ stdout, stderr }) => {
      stdout?.destroy();
      stderr?.destroy();
    });
    expect(code).toBe(0);
  });

  test('with readers that do not read', async () => {
    const code = await run('pipe', 'pipe', ({ stdout, stderr }) => {
      stdout?.pause();
      stderr?.pause();
    });
    expect(code).toBe(0);
  });

  test.skipIf(!existsSync(FULL))('on a full disk', async () => {
    const fd = openSync(FULL, 'w');
    try {
      expect(await run(fd, fd, () => {})).toBe(0);
    } finally {
      closeSync(fd);
    }
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
