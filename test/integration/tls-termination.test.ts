/** TLS that ends at the proxy: names, versions, resumption, clients' certificates; with real clients. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Authority, type Pair } from '../tls/authority.ts';
import { within } from './deadline.ts';
import { get, HttpRig } from './http-rig.ts';
import { field } from './origin-request.ts';
import { plainAnswer } from './origin-server.ts';
import { ENGINES, temporaryDirectory } from './proxy-process.ts';
import { startEchoServer } from './tcp-client.ts';
import { askSecurely } from './tls-client.ts';

const run = promisify(execFile);
const MS = 5_000;
const MIB = 1024 * 1024;
const STAPLED = Buffer.from('30030a0106', 'hex');

describe.each(ENGINES)('TLS that ends at the %s engine', (engine) => {
  const directory = temporaryDirectory();
  let authority: Authority;
  let anna: Pair;
  let stranger: Pair;
  let rig: HttpRig;
  let echo: Awaited<ReturnType<typeof startEchoServer>>;
  let ca: string;
  let port: number;

  beforeAll(async () => {
    authority = await Authority.create();
    anna = await authority.client('anna');
    stranger = await (await Authority.create('CN=Nobody')).client('eve');
    ca = directory.write('ca.pem', authority.certificate);
    const write = async (name: string, pair: Promise<Pair>) => {
      const { certificate, key } = await pair;
      return {
        certificate: directory.write(`${name}.pem`, certificate),
        key: directory.write(`${name}-key.pem`, key),
      };
    };
    const ecdsa = await write('a', authority.sign({ names: ['a.test', '*.wild.test'] }));
    const rsa = await write('a-rsa', authority.sign({ names: ['a.test', '*.wild.test'], keyType: 'rsa' }));
    const b = await write('b', authority.server('b.test'));
    // Whatever stands there is handed on: what it says is between the authority and the client.
    writeFileSync(`${directory.path}/ocsp.der`, STAPLED);
    const asks = { clientCa: ca };
    const required = await write('required', authority.server('required.test'));
    const requested = await write('requested', authority.server('requested.test'));
    echo = await startEchoServer();
    rig = await HttpRig.start(engine, ({ port: originPort }) => ({
      listeners: {
        secure: {
          address: '127.0.0.1:0',
          forwardedHeader: true,
          routes: [{ match: { path: '/move' }, redirect: { path: '/moved' } }, { cluster: 'sticky' }],
          tls: {
            certificates: [
              ecdsa,
              rsa,
              { ...b, ocsp: `${directory.path}/ocsp.der` },
              { ...required, ...asks, clientCertificate: 'require' },
              { ...requested, ...asks, clientCertificate: 'request' },
            ],
            hsts: { maxAge: '1h', includeSubdomains: true },
          },
        },
        raw: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'echo', tls: { certificates: [b] } },
        redirect: { address: '127.0.0.1:0', routes: [{ redirect: { scheme: 'https' } }] },
      },
      clusters: {
        sticky: { endpoints: [`127.0.0.1:${originPort}`], stickiness: { cookie: 'f7' } },
        echo: { endpoints: [`127.0.0.1:${echo.port}`] },
      },
    }));
    port = rig.proxy.port('secure');
  });

  afterEach(() => rig.reset());

  afterAll(async () => {
    await rig.stop();
    await echo.close();
    directory.remove();
  });

  const trusting = () => ({ ca: authority.certificate });
  const showing = ({ certificate, key }: Pair) => ({ cert: certificate, key });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('serves requests over %s, and says so to endpoints', async (version) => {
    const answer = await askSecurely(port, { ...trusting(), minVersion: version, maxVersion: version, path: '/hello' });
    expect([answer.status, answer.text, answer.protocol]).toEqual([200, 'GET /hello', version]);
    expect(answer.headers['strict-transport-security']).toBe('max-age=3600; includeSubDomains');
    expect(answer.headers['set-cookie']![0]).toContain('; Secure');
    const request = rig.origin.requests[0]!;
    expect(field(request, 'x-forwarded-proto')).toBe('https');
    expect(field(request, 'forwarded')).toContain('proto=https');
  });

  it.each([
    ['a.test', 'a.test'],
    ['x.wild.test', '*.wild.test'],
    ['b.test', 'b.test'],
    ['unknown.test', 'a.test'],
    [undefined, 'a.test'],
  ])('shows %s the certificate of %s', async (servername, name) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, servername: servername ?? '' });
    await within(MS, 'TLS', once(socket, 'secureConnect'));
    expect(socket.getPeerX509Certificate()!.subjectAltName).toContain(`DNS:${name}`);
    socket.destroy();
  });

  it('has an RSA certificate for who knows no ECDSA', async () => {
    const ciphers = (list: string) => ({ ...trusting(), maxVersion: 'TLSv1.2' as const, ciphers: list });
    const rsa = await askSecurely(port, ciphers('ECDHE-RSA-AES128-GCM-SHA256'));
    const ecdsa = await askSecurely(port, ciphers('ECDHE-ECDSA-AES128-GCM-SHA256'));
    expect([rsa.cipher, ecdsa.cipher]).toEqual(['ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-GCM-SHA256']);
  });

  it.skipIf(engine === 'node')('staples the response of the authority to who asks for it', async () => {
    const options = { port, host: '127.0.0.1', requestOCSP: true, ...trusting() };
    const stapled = async (servername: string) => {
      const socket = connect({ ...options, servername });
      const [response] = await within(MS, 'a response', once(socket, 'OCSPResponse'));
      socket.destroy();
      return response as Buffer | null;
    };
    expect(await stapled('b.test')).toEqual(STAPLED);
    expect(await stapled('a.test')).toBeNull();
  });

  it('moves large bodies both ways', async () => {
    const body = Buffer.alloc(3 * MIB, 'body').toString('latin1');
    rig.origin.onRequest = (request, connection) => connection.send(plainAnswer(request.body.toString('latin1')));
    const headers = { 'content-length': body.length };
    const answer = await askSecurely(port, { ...trusting(), method: 'PUT', body, headers });
    expect(answer.text === body).toBe(true);
  });

  it('lets go of the exchange when the client leaves', async () => {
    rig.origin.onRequest = () => {};
    const socket = connect({ port, host: '127.0.0.1', servername: 'a.test', ...trusting() });
    socket.write(get('/wait', 'Host: a.test'));
    await rig.origin.request();
    socket.end();
    await within(MS, 'the end at the origin', rig.origin.connections[0]!.gone);
    socket.destroy();
  });

  it('tells clients that speak plain HTTP so', async () => {
    const client = rig.client('secure');
    const answer = await client.ask(get('/', 'Host: a.test'));
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('TLS')]);
    await client.closed;
  });

  it.each([
    ['nonsense', 'nothing of this\r\n'],
    ['a broken record', '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00'],
    ['an empty record', '\x16\x03\x01\x00\x00'],
  ])('closes on %s', async (_, text) => {
    const socket = connectPlain({ port, host: '127.0.0.1' });
    socket.on('error', () => {});
    socket.write(text, 'latin1');
    socket.resume();
    await within(MS, 'the end', once(socket, 'close'));
  });

  it('takes a hello one byte at a time', async () => {
    const socket = connectPlain({ port, host: '127.0.0.1', noDelay: true });
    const hello: Buffer[] = [];
    const { Duplex } = await import('node:stream');
    const transport = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _, done) => {
        hello.push(chunk);
        const bytes = [...chunk];
        const next = () => {
          const byte = bytes.shift();
          if (byte === undefined) done();
          else socket.write(Buffer.from([byte]), () => setImmediate(next));
        };
        next();
      },
    });
    socket.on('data', (chunk) => transport.push(chunk));
    const secure = connect({ socket: transport, servername: 'a.test', ...trusting() });
    await within(MS, 'TLS', once(secure, 'secureConnect'));
    expect(secure.authorized).toBe(true);
    expect(hello.length).toBeGreaterThan(0);
    socket.destroy();
  });

  it('redirects from http in one line, and stays with https by itself', async () => {
    const plain = await rig.client('redirect').ask(get('/x?y', 'Host: a.test:8080'));
    expect([plain.status, field(plain, 'location')]).toEqual([302, 'https://a.test/x?y']);
    const secure = await askSecurely(port, { ...trusting(), path: '/move' });
    expect(secure.headers.location).toBe('https://a.test/moved');
  });

  it('ends TLS for what is no HTTP', async () => {
    const socket = connect({ port: rig.proxy.port('raw'), host: '127.0.0.1', servername: 'b.test', ...trusting() });
    socket.write('echo this');
    const [bytes] = await within(MS, 'the echo', once(socket, 'data'));
    expect(String(bytes)).toBe('echo this');
    socket.end();
    await within(MS, 'the end', once(socket, 'close'));
  });

  describe('and asks for certificates', () => {
    const required = { servername: 'required.test' } as const;
    const requested = { servername: 'requested.test' } as const;
    const forwarded = () => {
      const request = rig.origin.requests.at(-1)!;
      return ['subject', 'san', 'fingerprint'].map((part) => field(request, `x-forwarded-client-cert-${part}`));
    };

    it('tells endpoints who the client is, and drops what others claim', async () => {
      const claim = { 'x-forwarded-client-cert-subject': 'CN=root' };
      const answer = await askSecurely(port, { ...trusting(), ...showing(anna), ...required, headers: claim });
      expect(answer.status).toBe(200);
      expect(forwarded()).toEqual([
        expect.stringMatching(/CN=anna/),
        expect.stringContaining('DNS:anna.clients.test'),
        expect.stringMatching(/^[0-9a-f]{64}$/),
      ]);
      await askSecurely(port, { ...trusting(), headers: claim });
      expect(forwarded()).toEqual([undefined, undefined, undefined]);
    });

    it('refuses who has none where one is required, or a stranger', async () => {
      await expect(askSecurely(port, { ...trusting(), ...required })).rejects.toThrow();
      await expect(askSecurely(port, { ...trusting(), ...required, ...showing(stranger) })).rejects.toThrow();
      await expect(askSecurely(port, { ...trusting(), ...requested, ...showing(stranger) })).rejects.toThrow();
      expect((await askSecurely(port, { ...trusting(), ...requested })).status).toBe(200);
      expect((await askSecurely(port, { ...trusting(), ...requested, ...showing(anna) })).status).toBe(200);
      expect(forwarded()[0]).toContain('CN=anna');
    });

    it('answers 421 where a host asks for more than the connection was asked for', async () => {
      const ask = (servername: string, host: string, more = {}) =>
        askSecurely(port, { ...trusting(), servername, headers: { host }, ...more }).then(({ status }) => status);
      expect(await ask('a.test', 'required.test')).toBe(421);
      expect(await ask('a.test', 'REQUIRED.test:443')).toBe(421);
      expect(await ask('requested.test', 'required.test', showing(anna))).toBe(421);
      expect(await ask('required.test', 'a.test', showing(anna))).toBe(421);
      expect(await ask('a.test', 'b.test')).toBe(200);
      expect(await ask('required.test', 'required.test', showing(anna))).toBe(200);
    });

    it.each(['TLSv1.2', 'TLSv1.3'] as const)('resumes no session of one policy under another (%s)', async (version) => {
      const hosts = ['a.test', 'b.test', 'required.test', 'requested.test'];
      const options = { ...trusting(), minVersion: version, maxVersion: version };
      const sessionOf = async (servername: string): Promise<Buffer> => {
        const socket = connect({ port, host: '127.0.0.1', servername, ...options, ...showing(anna) });
        const session = once(socket, 'session');
        socket.write(get('/', `Host: ${servername}`));
        const [ticket] = await within(MS, 'a session', session);
        socket.destroy();
        return ticket as Buffer;
      };
      const resumes = async (servername: string, session: Buffer): Promise<boolean> => {
        const socket: TLSSocket = connect({ port, host: '127.0.0.1', servername, ...options, session });
        socket.on('error', () => {});
        const outcome = await new Promise<boolean>((resolve) => {
          socket.once('secureConnect', () => resolve(true));
          socket.once('close', () => resolve(false));
        });
        const reused = outcome && socket.isSessionReused();
        socket.destroy();
        return reused;
      };
      for (const from of hosts) {
        const session = await sessionOf(from);
        for (const to of hosts) expect([from, to, await resumes(to, session)]).toEqual([from, to, from === to]);
      }
    });
  });

  describe('with the clients that people have', () => {
    it('serves curl', async () => {
      const { stdout } = await run('curl', [
        '-sS',
        '--cacert',
        ca,
        '--resolve',
        `a.test:${port}:127.0.0.1`,
        '-w',
        '\n%{http_code} %{ssl_verify_result}',
        `https://a.test:${port}/curl`,
      ]);
      expect(stdout).toBe('GET /curl\n200 0');
    });

    it.each(['-tls1_2', '-tls1_3'])('serves openssl s_client %s', async (version) => {
      const child = execFile('openssl', [
        's_client',
        '-connect',
        `127.0.0.1:${port}`,
        '-servername',
        'a.test',
        '-CAfile',
        ca,
        '-verify_return_error',
        '-alpn',
        'http/1.1',
        version,
        '-ign_eof',
      ]);
      child.stdin!.write('GET /openssl HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n');
      let text = '';
      child.stdout!.on('data', (chunk) => {
        text += chunk;
      });
      await within(MS, 'the end of openssl', once(child, 'close'));
      expect(text).toContain('GET /openssl');
      expect(text).toContain('Verify return code: 0 (ok)');
      expect(text).toContain('ALPN protocol: http/1.1');
    });

    it('speaks nothing older than TLS 1.2', async () => {
      const old = run('openssl', [
        's_client',
        '-connect',
        `127.0.0.1:${port}`,
        '-tls1_1',
        '-cipher',
        'ALL:@SECLEVEL=0',
      ]);
      await expect(old).rejects.toThrow();
    });
  });
});
