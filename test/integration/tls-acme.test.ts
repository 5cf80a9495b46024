/** Certificates that a real ACME server issues: Debian's `pebble`, with its server of names for tests. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { connect } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Authority } from '../tls/authority.ts';
import { until } from './deadline.ts';
import { ENGINES, ProxyProcess, temporaryDirectory } from './proxy-process.ts';

const MS = 30_000;
const CONNECT_MS = 2_000;
const ATTEMPTS_MAX = 3;
const NAMES = ['a.example.test', 'b.example.test'];

function isInstalled(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`]);
    return true;
  } catch {
    return false;
  }
}

const canRun = isInstalled('pebble') && isInstalled('pebble-challtestsrv');
if (!canRun) console.warn('no ACME server here (apt-get install pebble): its tests are skipped');

/** Ports that nobody listens on, until somebody else takes one. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

describe.skipIf(!canRun)('an ACME server', () => {
  const directory = temporaryDirectory();
  const children: ChildProcess[] = [];
  let ca = '';
  let acmePort = 0;
  let httpPort = 0;
  let tlsPort = 0;
  let proxy: ProxyProcess | undefined;

  beforeAll(async () => {
    const authority = await Authority.create();
    const own = await authority.sign({ addresses: ['127.0.0.1'], names: ['localhost'] });
    ca = directory.write('ca.pem', authority.certificate);
    const certificate = directory.write('pebble-cert.pem', own.certificate);
    const privateKey = directory.write('pebble-key.pem', own.key);
    // Tests beside this one may take a port before the server does.
    for (let attempt = 1; !(await startServer(certificate, privateKey)); attempt++) {
      if (attempt === ATTEMPTS_MAX) throw new Error('the ACME server does not start');
    }
  }, 2 * MS);

  /** Whether it accepts connections. */
  async function startServer(certificate: string, privateKey: string): Promise<boolean> {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    const ports = (await freePorts(6)) as [number, number, number, number, number, number];
    [acmePort, httpPort, tlsPort] = ports;
    const [management, dns, dnsManagement] = ports.slice(3);
    const config = directory.write(
      'pebble.json',
      JSON.stringify({
        pebble: {
          listenAddress: `127.0.0.1:${acmePort}`,
          managementListenAddress: `127.0.0.1:${management}`,
          certificate,
          privateKey,
          httpPort,
          tlsPort,
        },
      }),
    );
    // It answers every name with the loopback address, and nothing else.
    const nothing = ['-http01', '', '-https01', '', '-tlsalpn01', ''];
    const names = ['-dns01', `127.0.0.1:${dns}`, '-defaultIPv6', '', '-management', `127.0.0.1:${dnsManagement}`];
    const namesServer = spawn('pebble-challtestsrv', [...nothing, ...names], { stdio: 'ignore' });
    const env = { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0' };
    const server = spawn('pebble', ['-config', config, '-dnsserver', `127.0.0.1:${dns}`], { env, stdio: 'ignore' });
    children.push(namesServer, server);
    const ended = () => namesServer.exitCode !== null || server.exitCode !== null;
    await until(MS / ATTEMPTS_MAX, 'the ACME server', async () => ended() || (await canConnect(acmePort))).catch(
      () => {},
    );
    return !ended() && (await canConnect(acmePort));
  }

  afterEach(async () => {
    await proxy?.stop();
    proxy = undefined;
  });

  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
    directory.remove();
  });

  async function canConnect(port: number): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
      socket.once('secureConnect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('secureConnect', () => socket.destroy());
      // Whoever has the port now may not speak TLS.
      socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error('no handshake')));
    });
  }

  /** What a new connection is shown. No connection may fail while certificates change. */
  async function certificateFor(servername: string): Promise<X509Certificate> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port: tlsPort, host: '127.0.0.1', servername, rejectUnauthorized: false });
      socket.once('error', reject);
      socket.once('secureConnect', () => {
        resolve(socket.getPeerX509Certificate()!);
        socket.destroy();
      });
    });
  }

  it.each(
    ENGINES.flatMap((engine) => (['http-01', 'tls-alpn-01'] as const).map((challenge) => [engine, challenge] as const)),
  )(
    'issues a certificate to the %s engine by %s, which all shards show, and the next start keeps',
    { timeout: 60_000 },
    async (engine, challenge) => {
      const storage = `${directory.path}/${engine}-${challenge}`;
      // Of an attempt before this one: the certificate in it would be shown from the start.
      rmSync(storage, { recursive: true, force: true });
      const config = {
        engine,
        shards: 2,
        acme: {
          agreeToTerms: true,
          directory: `https://127.0.0.1:${acmePort}/dir`,
          storage,
          challenges: [challenge],
          ca,
        },
        listeners: {
          plain: { address: `127.0.0.1:${httpPort}`, routes: [{ redirect: { scheme: 'https' } }] },
          secure: {
            address: `127.0.0.1:${tlsPort}`,
            routes: [{ respond: { body: 'here' } }],
            tls: { certificates: [{ acme: NAMES }] },
          },
        },
        clusters: { unused: { endpoints: ['127.0.0.1:1'] } },
      } as const;
      proxy = await ProxyProcess.start(config as never);
      expect((await certificateFor(NAMES[0]!)).issuer).toContain('self-signed');
      const isIssued = async (name: string) => (await certificateFor(name)).issuer.includes('Pebble');
      // Shards take it one after the other, and each connection goes to one of them: eight in turn leave none out.
      const areIssued = async () => {
        for (let count = 0; count < 8; count++) if (!(await isIssued(NAMES[count % 2]!))) return false;
        return true;
      };
      await until(MS, 'the certificate in all shards', areIssued).catch((error: Error) => {
        throw new Error(`${error.message}\n${proxy!.stderr}`);
      });
      const issued = await certificateFor(NAMES[1]!);
      expect(issued.subjectAltName).toBe(NAMES.map((name) => `DNS:${name}`).join(', '));
      expect(statSync(`${storage}/${NAMES[0]}/key.pem`).mode & 0o777).toBe(0o600);
      expect(
        readFileSync(`${storage}/${NAMES[0]}/cert.pem`, 'utf8').match(/BEGIN CERTIFICATE/g)!.length,
      ).toBeGreaterThan(1);
      // Nothing of the challenge is left.
      const answer = await fetch(`http://127.0.0.1:${httpPort}/.well-known/acme-challenge/x`, { redirect: 'manual' });
      expect(answer.status).toBe(302);
      await proxy.stop();
      proxy = await ProxyProcess.start(config as never);
      expect((await certificateFor(NAMES[0]!)).serialNumber).toBe(issued.serialNumber);
      expect(proxy.stderr).not.toContain('is asked for');
    },
  );

  it('that refuses is told of in the log, and the proxy goes on', async () => {
    proxy = await ProxyProcess.start({
      acme: {
        agreeToTerms: true,
        directory: `https://127.0.0.1:${acmePort}/nowhere`,
        storage: `${directory.path}/refused`,
        ca,
      },
      listeners: {
        secure: {
          address: `127.0.0.1:${tlsPort}`,
          routes: [{ respond: { body: 'here' } }],
          tls: { certificates: [{ acme: ['c.example.test'] }] },
        },
      },
      clusters: { unused: { endpoints: ['127.0.0.1:1'] } },
    } as never);
    await until(MS, 'the complaint', () => /acme: no certificate for c\.example\.test: .+/.test(proxy!.stderr));
    expect((await certificateFor('c.example.test')).issuer).toContain('self-signed');
    expect(existsSync(`${directory.path}/refused/c.example.test`)).toBe(false);
  });
});
