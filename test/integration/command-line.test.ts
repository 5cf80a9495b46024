import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { CommandProcess, ENGINES, ProxyProcess, runCommand, temporaryDirectory } from './proxy-process.ts';
import { askSecurely } from './tls-client.ts';

const directory = temporaryDirectory();
afterAll(() => directory.remove());

const STACK_TRACE = /^\s+at .+:\d+:\d+/m;
const started: ProxyProcess[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((proxy) => proxy.stop()));
});

function tcpConfig(address: string, more = ''): string {
  return directory.write(
    `tcp-${Math.random()}.yaml`,
    `admin: off\n${more}listeners: { db: { address: "${address}", protocol: tcp, cluster: a } }\nclusters: { a: { endpoints: [127.0.0.1:9] } }\n`,
  );
}

describe('the command line', () => {
  it('prints help and version with exit code 0', async () => {
    const [help, version] = await Promise.all([runCommand(['--help']), runCommand(['--version'])]);
    expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining('demo') });
    expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });

  it.each([
    { args: ['run', '--bogus'], says: '--bogus' },
    { args: ['walk'], says: 'walk' },
    { args: ['run', 'a.yaml', 'b.yaml'], says: 'too many arguments' },
    { args: [], says: 'Usage' },
    { args: ['status', '--admin', 'nowhere'], says: 'nowhere' },
  ])('refuses $args with exit code 2 and says why', async ({ args, says }) => {
    const { code, stderr } = await runCommand(args);
    expect(code).toBe(2);
    expect(stderr).toContain(says);
    expect(stderr).not.toMatch(STACK_TRACE);
  });

  it('exits 1 and names the file that is missing', async () => {
    const { code, stderr } = await runCommand(['run', `${directory.path}/absent.yaml`]);
    expect(code).toBe(1);
    expect(stderr).toContain('absent.yaml');
    expect(stderr).not.toMatch(STACK_TRACE);
  });

  it('exits 1 and names what it looked for where no file is given', async () => {
    const empty = temporaryDirectory();
    const { code, stderr } = await runCommand(['run'], { cwd: empty.path });
    empty.remove();
    expect(code).toBe(1);
    expect(stderr).toContain('fourseven.yaml');
  });

  it('exits 1 and names every problem of a configuration', async () => {
    const file = directory.write(
      'wrong.yaml',
      'listeners:\n  web: { address: nowhere, cluster: absent }\n  db: { adress: 127.0.0.1:0, protocol: tcp, cluster: a }\nclusters:\n  a: { endpoints: [] }\n',
    );
    const { code, stdout, stderr } = await runCommand(['run', file]);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    for (const path of [
      'listeners.web.address',
      'listeners.web.cluster',
      'listeners.db.adress',
      'clusters.a.endpoints',
    ]) {
      expect(stderr).toContain(path);
    }
    expect(stderr).not.toMatch(STACK_TRACE);
  });

  it('exits 3 and names the endpoint name that does not resolve, and its cluster', async () => {
    const file = directory.write(
      'unresolved.yaml',
      'admin: off\nlisteners: { db: { address: 127.0.0.1:0, protocol: tcp, cluster: a } }\nclusters: { a: { endpoints: ["absent.invalid:80"] } }\n',
    );
    const { code, stderr } = await runCommand(['run', file]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/absent\.invalid.*cluster a.*does not resolve/);
    expect(stderr).not.toMatch(STACK_TRACE);
  });
});

describe('a port in use', () => {
  it('exits 3 and names the port and the listener', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const { code, stderr } = await runCommand(['run', tcpConfig(`127.0.0.1:${port}`)]);
    server.close();
    expect(code).toBe(3);
    expect(stderr).toContain(`127.0.0.1:${port} (listener db)`);
    expect(stderr).not.toMatch(STACK_TRACE);
  });

  it.each(ENGINES)('exits 3 also if another %s proxy of ours has it', async (engine) => {
    const proxy = await startProxy({ engine, admin: 'off', listeners: { db: tcpListener('127.0.0.1:0') } });
    const { code, stderr } = await runCommand(['run', tcpConfig(`127.0.0.1:${proxy.port('db')}`)]);
    expect(code).toBe(3);
    expect(stderr).toContain(String(proxy.port('db')));
  });

  it('exits 3 and names the admin port', async () => {
    const proxy = await startProxy({ listeners: { db: tcpListener('127.0.0.1:0') } });
    const address = proxy.adminUrl.replace('http://', '');
    const file = directory.write(
      'admin.json',
      JSON.stringify({ admin: { address }, listeners: { db: tcpListener('127.0.0.1:0') }, clusters: CLUSTERS }),
    );
    const { code, stderr } = await runCommand(['run', file]);
    expect(code).toBe(3);
    expect(stderr).toContain(`${address} (admin)`);
  });

  it('exits 3 for the path of a living unix socket, and replaces a dead one', async () => {
    const path = `${directory.path}/live.sock`;
    const proxy = await startProxy({ admin: 'off', listeners: { db: tcpListener(`unix:${path}`) } });
    const second = await runCommand(['run', tcpConfig(`unix:${path}`)]);
    expect(second.code).toBe(3);
    expect(second.stderr).toContain(path);
    // Killed, it leaves its path behind.
    proxy.signal('SIGKILL');
    await proxy.exit();
    const successor = await startProxy({ admin: 'off', listeners: { db: tcpListener(`unix:${path}`) } });
    expect(successor.addresses.get('db')).toBe(`unix:${path}`);
  });
});

describe('the engine', () => {
  it('says in one line why the native engine is missing, and serves with the other', async () => {
    const proxy = await startProxy(
      { engine: 'auto', shards: 2, listeners: { db: tcpListener('127.0.0.1:0') } },
      { FOURSEVEN_ADDON: '/nonexistent/fourseven.node' },
    );
    expect(proxy.stderr.match(/the native engine is not available.*to get it/g)).toHaveLength(1);
    expect((await proxy.status()).shards).toHaveLength(1);
  });

  it('exits 3 if the native engine is demanded and missing', async () => {
    const file = tcpConfig('127.0.0.1:0', 'engine: native\n');
    const { code, stderr } = await runCommand(['run', file], {
      env: { FOURSEVEN_ADDON: '/nonexistent/fourseven.node' },
    });
    expect(code).toBe(3);
    expect(stderr).toContain('has not been built');
    expect(stderr).not.toMatch(STACK_TRACE);
  });
});

describe('cert', () => {
  it('prints a pair that serves at once, or writes it where it is told to', async () => {
    const { code, stdout } = await runCommand(['cert', 'a.test', '*.a.test', '127.0.0.1', '--days', '5']);
    const certificate = new X509Certificate(stdout);
    expect([code, certificate.subjectAltName]).toEqual([0, 'DNS:a.test, DNS:*.a.test, IP Address:127.0.0.1']);
    expect(certificate.checkPrivateKey(createPrivateKey(stdout))).toBe(true);
    expect(Date.parse(certificate.validTo)).toBeLessThan(Date.now() + 6 * 86_400_000);
    const written = await runCommand(['cert', '--out', `${directory.path}/pair`]);
    expect(written.code).toBe(0);
    expect(statSync(`${directory.path}/pair/key.pem`).mode & 0o777).toBe(0o600);
    const proxy = await ProxyProcess.start({
      listeners: {
        web: {
          address: '127.0.0.1:0',
          routes: [{ respond: { body: 'secure' } }],
          tls: {
            certificates: [{ certificate: `${directory.path}/pair/cert.pem`, key: `${directory.path}/pair/key.pem` }],
          },
        },
      },
      clusters: CLUSTERS,
    });
    started.push(proxy);
    const ca = readFileSync(`${directory.path}/pair/cert.pem`, 'utf8');
    expect((await askSecurely(proxy.port('web'), { servername: 'localhost', ca })).text).toBe('secure');
  });

  it.each([
    { args: ['a b'], says: 'neither a host name nor an address' },
    { args: ['--days', '0'], says: 'not a number of days' },
  ])('refuses $args', async ({ args, says }) => {
    const { code, stderr } = await runCommand(['cert', ...args]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(says)]);
  });
});

describe('signals', () => {
  it.each([
    ['SIGUSR1', 'logs were opened anew'],
    ['SIGUSR2', 'upgrade: '],
  ] as const)('%s does not end the proxy, and is answered in the log', async (signal, answer) => {
    const proxy = await startProxy({ listeners: { db: tcpListener('127.0.0.1:0') } });
    proxy.signal(signal);
    await expect.poll(() => proxy.stderr, { timeout: 5_000 }).toContain(answer);
    expect((await proxy.admin('/readyz')).status).toBe(200);
  });

  it('SIGINT drains and ends with exit code 0', async () => {
    const proxy = await startProxy({ listeners: { db: tcpListener('127.0.0.1:0') } });
    proxy.signal('SIGINT');
    expect(await proxy.exit()).toEqual({ code: 0, signal: null });
  });
});

describe('status', () => {
  it('goes on with --watch, and says the token', async () => {
    const token = 'sixteen-letters-and-more';
    const admin = { address: '127.0.0.1:0', token };
    const proxy = await startProxy({ admin, shards: 1, listeners: { db: tcpListener('127.0.0.1:0') } });
    const target = ['--admin', proxy.adminUrl.replace('http://', '')];
    expect((await runCommand(['status', ...target])).stderr).toContain('say the token');
    const watch = new CommandProcess(['status', '--watch', ...target], { env: { FOURSEVEN_ADMIN_TOKEN: token } });
    await expect
      .poll(() => watch.stdout.match(/LISTENER +PROTOCOL/g)?.length ?? 0, { timeout: 8_000 })
      .toBeGreaterThan(1);
    expect(watch.stdout).toMatch(/^db +tcp +127\.0\.0\.1:\d+ +0 +0 +0 +- +-$/m);
    await proxy.stop();
    expect((await watch.exit()).code).toBe(0);
  });

  it('shows a table, or the JSON as it is', async () => {
    const proxy = await startProxy({ shards: 1, listeners: { db: tcpListener('127.0.0.1:0') } });
    const admin = proxy.adminUrl.replace('http://', '');
    const [table, json] = await Promise.all([
      runCommand(['status', '--admin', admin]),
      runCommand(['status', '--admin', admin, '--json']),
    ]);
    expect(table.code).toBe(0);
    expect(table.stdout).toMatch(/^a +least-request +127\.0\.0\.1:9 +1 +unknown +enabled +0$/m);
    expect(JSON.parse(json.stdout)).toEqual(await proxy.status());
  });

  it('exits 3 where no proxy answers', async () => {
    const { code, stderr } = await runCommand(['status', '--admin', '127.0.0.1:1']);
    expect(code).toBe(3);
    expect(stderr).toContain('127.0.0.1:1');
  });
});

const CLUSTERS = { a: { endpoints: ['127.0.0.1:9'] } } as const;

function tcpListener(address: string) {
  return { address, protocol: 'tcp', cluster: 'a' } as const;
}

async function startProxy(
  config: Omit<Parameters<typeof ProxyProcess.start>[0], 'clusters'>,
  env: Record<string, string> = {},
): Promise<ProxyProcess> {
  const proxy = await ProxyProcess.start({ ...config, clusters: CLUSTERS }, { env });
  started.push(proxy);
  return proxy;
}
