/** One process takes over from another, and nobody notices. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/config/config.ts';
import { loadAddon } from '../../src/engine/binding.ts';
import { until } from './deadline.ts';
import { HttpClient } from './http-client.ts';
import { get } from './http-rig.ts';
import { answerPlainly, Origin } from './origin-server.ts';
import { ENGINES, ProxyProcess, runCommand, temporaryDirectory } from './proxy-process.ts';

const COMMAND = join(fileURLToPath(new URL('../../', import.meta.url)), 'bin/fourseven');
const { addon } = loadAddon();

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

// Sockets are handed over by the addon, whichever engine uses them.
describe.skipIf(addon === undefined).each(ENGINES)('an upgrade, %s engine', (engine) => {
  let origin: Origin;
  let directory: ReturnType<typeof temporaryDirectory>;
  let proxy: ProxyProcess;
  let pidFile: string;
  /** The process that serves. */
  let pid: number;

  const config = (): ConfigInput => ({
    engine,
    shards: 2,
    listeners: {
      web: { address: '127.0.0.1:0', cluster: 'origin' },
      raw: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'origin' },
      path: { address: `unix:${join(directory.path, 'web.sock')}`, cluster: 'origin' },
    },
    clusters: { origin: { endpoints: [`127.0.0.1:${origin.port}`, '127.0.0.2:1'] } },
  });

  beforeEach(async () => {
    origin = await Origin.start();
    directory = temporaryDirectory();
    pidFile = join(directory.path, 'pid');
    proxy = await ProxyProcess.start(config(), {}, ['--pid-file', pidFile]);
    pid = proxy.pid;
    await proxy.admin('/api/clusters/origin/endpoints/127.0.0.2:1/disable', { method: 'POST' });
  });
  afterEach(async () => {
    if (isAlive(pid)) process.kill(pid, 'SIGTERM');
    await proxy.exit();
    await origin.close();
    directory.remove();
  });

  const adminAddress = () => proxy.adminUrl.replace('http://', '');

  async function upgrade(): Promise<number> {
    const { code, stdout, stderr } = await runCommand(['upgrade', '--admin', adminAddress()]);
    expect([code, stderr]).toEqual([0, '']);
    const successor = Number(/^process (\d+) has taken over/.exec(stdout)?.[1]);
    const before = pid;
    pid = successor;
    expect(successor).not.toBe(before);
    return before;
  }

  test('serves on the same sockets, and the process before ends by itself', async () => {
    const before = await upgrade();
    expect((await proxy.status()).pid).toBe(pid);
    const client = new HttpClient(proxy.port('web'));
    expect((await client.send(get('/')).answer()).status).toBe(200);
    client.close();
    await until(5_000, 'the end of the process before', () => !isAlive(before));
    expect(readFileSync(pidFile, 'utf8')).toBe(`${pid}\n`);
    expect(existsSync(join(directory.path, 'web.sock'))).toBe(true);
    await upgrade();
  });

  test('by one connection after the other asks the one that serves', async () => {
    // A session keeps the process before alive: who kept a connection to that must not be answered by it.
    const session = new HttpClient(proxy.port('raw'));
    await session.send(get('/first')).answer();
    const pids = new Set([pid]);
    for (let count = 0; count < 2; count++) {
      const answer = await proxy.admin('/api/upgrade', { method: 'POST', signal: AbortSignal.timeout(20_000) });
      expect(answer.headers.get('connection')).toBe('close');
      pid = ((await answer.json()) as { pid: number }).pid;
      pids.add(pid);
    }
    expect(pids.size).toBe(3);
    session.socket.resetAndDestroy();
  });

  test('keeps a session that runs, and a request that is under way', async () => {
    const session = new HttpClient(proxy.port('raw'));
    await session.send(get('/first')).answer();
    let answer = () => {};
    origin.onRequest = (request, connection) => {
      if (request.target === '/slow') answer = () => answerPlainly(request, connection);
      else answerPlainly(request, connection);
    };
    const slow = new HttpClient(proxy.port('web'));
    slow.send(get('/slow'));
    await until(5_000, 'the request at the endpoint', () => origin.requests.some(({ target }) => target === '/slow'));
    const before = await upgrade();
    expect((await session.send(get('/second')).answer()).status).toBe(200);
    answer();
    const { status, headers } = await slow.answer();
    expect(status).toBe(200);
    expect(headers).toContainEqual(['Connection', 'close']);
    expect(isAlive(before)).toBe(true);
    session.socket.resetAndDestroy();
    slow.close();
    await until(10_000, 'the end of the process before', () => !isAlive(before));
  });

  // What the control plane does is the same whatever carries the traffic.
  if (engine === ENGINES[0]) {
    test('leaves an endpoint out of service that an operator took out', async () => {
      await upgrade();
      const [cluster] = (await proxy.status()).clusters;
      expect(cluster!.endpoints.map(({ admin }) => admin)).toEqual(['enabled', 'disabled']);
    });

    test('of a configuration that is wrong changes nothing, and says so', async () => {
      proxy.rewrite({ ...config(), clusters: {} });
      const { code, stderr } = await runCommand(['upgrade', '--admin', adminAddress()]);
      expect([code, stderr]).toEqual([3, expect.stringContaining('ended with code 1 before it was ready')]);
      expect((await proxy.status()).pid).toBe(pid);
      expect(proxy.stderr).toContain('everything is as before');
      proxy.rewrite(config());
      await upgrade();
    });

    test('brings what is new in the configuration, and more shards', async () => {
      const { listeners, ...rest } = config();
      proxy.rewrite({
        ...rest,
        shards: 3,
        listeners: { ...listeners, more: { address: '127.0.0.1:0', cluster: 'origin' } },
      });
      await upgrade();
      const status = await proxy.status();
      expect(status.shards).toHaveLength(3);
      expect(status.listeners.map(({ name }) => name)).toEqual(['web', 'raw', 'path', 'more']);
      expect(status.listeners[0]!.address).toBe(proxy.addresses.get('web'));
    });

    test('with fewer shards keeps those whose sockets there are', async () => {
      proxy.rewrite({ ...config(), shards: 1 });
      await upgrade();
      expect((await proxy.status()).shards).toHaveLength(2);
      expect(proxy.stderr).toContain('2 shards instead of 1');
    });
  }

  test('by signal is the same', async () => {
    const before = pid;
    proxy.signal('SIGUSR2');
    await until(10_000, 'the new process in the pid file', () => readFileSync(pidFile, 'utf8') !== `${before}\n`);
    pid = Number(readFileSync(pidFile, 'utf8'));
    // A connection that was kept to the process before ends with it.
    const pidNow = () =>
      proxy
        .status()
        .then((status) => status.pid)
        .catch(() => 0);
    await until(10_000, 'its answer', async () => (await pidNow()) === pid);
    await until(5_000, 'the end of the process before', () => !isAlive(before));
  });
});

describe.skipIf(addon === undefined)('a service manager', () => {
  let child: ChildProcess | undefined;

  afterEach(() => {
    child?.kill('SIGKILL');
  });

  /** As a service manager starts a service: the number of the process is in its environment. */
  function startService(file: string, env: Record<string, string>, descriptors: readonly number[] = []): ChildProcess {
    const script = 'export LISTEN_PID=$$; exec "$@"';
    return spawn('bash', ['-c', script, 'bash', process.execPath, COMMAND, 'run', file], {
      stdio: ['ignore', 'pipe', 'pipe', ...descriptors],
      env: { ...process.env, ...env },
    });
  }

  test('hands over a socket, by name or by address', async () => {
    const directory = temporaryDirectory();
    const origin = await Origin.start();
    const fd = addon!.listenSocket('127.0.0.1', 0, 16);
    const port = addon!.socketPort(fd);
    const file = directory.write(
      'fourseven.json',
      JSON.stringify({
        admin: 'off',
        shards: 2,
        listeners: { web: { address: '127.0.0.1:0', cluster: 'origin' } },
        clusters: { origin: { endpoints: [`127.0.0.1:${origin.port}`] } },
      }),
    );
    child = startService(file, { LISTEN_FDS: '1', LISTEN_FDNAMES: 'web' }, [fd]);
    addon!.closeDescriptor(fd);
    let output = '';
    child.stdout!.on('data', (chunk) => {
      output += chunk;
    });
    await until(10_000, 'ready', () => output.includes('ready'));
    expect(output).toContain(`listener web: http on 127.0.0.1:${port} `);
    const client = new HttpClient(port);
    expect((await client.send(get('/')).answer()).status).toBe(200);
    client.close();
    await origin.close();
    directory.remove();
  });

  test('is told when the proxy is ready, reloads, and ends', async () => {
    const directory = temporaryDirectory();
    const notify = join(directory.path, 'notify');
    const script = `import socket,sys
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.bind(sys.argv[1]); print('bound',flush=True)
while True: print(s.recv(4096).decode().replace(chr(10),' '),flush=True)`;
    const receiver = spawn('python3', ['-c', script, notify], { stdio: ['ignore', 'pipe', 'inherit'] });
    let told = '';
    receiver.stdout.on('data', (chunk) => {
      told += chunk;
    });
    await until(5_000, 'the receiver', () => told.includes('bound'));
    const proxy = await ProxyProcess.start(
      {
        shards: 1,
        listeners: { web: { address: '127.0.0.1:0', cluster: 'c' } },
        clusters: { c: { endpoints: ['127.0.0.1:1'] } },
      },
      { env: { NOTIFY_SOCKET: notify } },
    );
    await until(5_000, 'READY=1', () => told.includes('READY=1'));
    proxy.signal('SIGHUP');
    await until(5_000, 'a reload', () => /RELOADING=1 MONOTONIC_USEC=\d+\nREADY=1/.test(told));
    await proxy.stop();
    await until(5_000, 'STOPPING=1', () => told.includes('STOPPING=1'));
    receiver.kill();
    directory.remove();
  });
});

test.skipIf(addon === undefined)(
  'a process that is waited for stays until its successor ends, and passes signals on',
  async () => {
    const directory = temporaryDirectory();
    const file = directory.write(
      'fourseven.json',
      JSON.stringify({
        admin: { address: '127.0.0.1:0' },
        drain: { grace: '0s' },
        listeners: { web: { address: '127.0.0.1:0', cluster: 'c' } },
        clusters: { c: { endpoints: ['127.0.0.1:1'] } },
      }),
    );
    const parent = spawn(process.execPath, [COMMAND, 'run', file], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
    let output = '';
    parent.stdout!.on('data', (chunk) => {
      output += chunk;
    });
    await until(10_000, 'ready', () => output.includes('ready'));
    const admin = `http://${/^admin: http on (\S+)$/m.exec(output)![1]}`;
    const { pid } = (await (await fetch(`${admin}/api/upgrade`, { method: 'POST' })).json()) as { pid: number };
    const exited = new Promise((resolve) => parent.once('exit', resolve));
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect([parent.exitCode, isAlive(pid)]).toEqual([null, true]);
    parent.kill('SIGTERM');
    expect(await exited).toBe(0);
    expect(isAlive(pid)).toBe(false);
    directory.remove();
  },
);

test.skipIf(addon === undefined || process.geteuid?.() !== 0)(
  'a proxy that was started as root gives up its rights, and its successor still has the sockets',
  async () => {
    const directory = temporaryDirectory();
    const origin = await Origin.start();
    const low = 83;
    const file = directory.write(
      'fourseven.json',
      JSON.stringify({
        user: 'nobody',
        admin: { address: '127.0.0.1:0' },
        drain: { grace: '0s' },
        listeners: { web: { address: `127.0.0.1:${low}`, cluster: 'c' } },
        clusters: { c: { endpoints: [`127.0.0.1:${origin.port}`] } },
      }),
    );
    chmodSync(directory.path, 0o755);
    const proxy = spawn(process.execPath, [COMMAND, 'run', file], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    proxy.stdout!.on('data', (chunk) => {
      output += chunk;
    });
    await until(10_000, 'ready', () => output.includes('ready'));
    const uidOf = (pid: number) =>
      /^Uid:\t(\d+)\t(\d+)\t(\d+)\t/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!.slice(1);
    const nobody = ['65534', '65534', '65534'];
    expect(uidOf(proxy.pid!)).toEqual(nobody);
    for (const thread of readdirSync(`/proc/${proxy.pid}/task`)) expect(uidOf(Number(thread))).toEqual(nobody);
    const admin = `http://${/^admin: http on (\S+)$/m.exec(output)![1]}`;
    const { pid } = (await (await fetch(`${admin}/api/upgrade`, { method: 'POST' })).json()) as { pid: number };
    expect(uidOf(pid)).toEqual(nobody);
    const client = new HttpClient(low);
    expect((await client.send(get('/')).answer()).status).toBe(200);
    client.close();
    process.kill(pid, 'SIGTERM');
    await until(10_000, 'the end', () => !isAlive(pid));
    await origin.close();
    directory.remove();
  },
);
