/** Endpoints that speak TLS: believed or not, asked for by name, shown a certificate, checked. */
import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import { createServer as createHttpsServer, type Server, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Authority, type Pair } from '../tls/authority.ts';
import { until } from './deadline.ts';
import { get, HttpRig, post } from './http-rig.ts';
import { ENGINES } from './proxy-process.ts';
import { TcpClient } from './tcp-client.ts';

const MS = 5_000;

interface SecureOrigin {
  readonly port: number;
  readonly server: Server;
  /** What clients asked for, what they showed, and whether they resumed, by connection. */
  readonly connections: {
    readonly servername: unknown;
    readonly subject: string | undefined;
    readonly resumed: boolean;
  }[];
  close(): void;
}

async function startOrigin(pair: Pair, options: ServerOptions = {}): Promise<SecureOrigin> {
  const connections: SecureOrigin['connections'][number][] = [];
  const server = createHttpsServer({ cert: pair.certificate, key: pair.key, ...options }, (request, response) => {
    request.resume();
    request.on('end', () => response.end(`${request.method} ${request.url}`));
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    const { servername } = socket as unknown as { servername: unknown };
    connections.push({
      servername,
      subject: socket.getPeerX509Certificate()?.subject,
      resumed: socket.isSessionReused(),
    });
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    server,
    connections,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe.each(ENGINES)('endpoints that speak TLS with the %s engine', (engine) => {
  let authority: Authority;
  let proxyPair: Pair;
  let rig: HttpRig;
  let origin: SecureOrigin;
  let strict: SecureOrigin;
  const servers: { close(): void }[] = [];

  beforeAll(async () => {
    authority = await Authority.create();
    proxyPair = await authority.client('proxy');
    const pair = await authority.sign({ names: ['api.test'], addresses: ['127.0.0.1'] });
    origin = await startOrigin(pair);
    strict = await startOrigin(pair, { ca: authority.certificate, requestCert: true, rejectUnauthorized: true });
    const stranger = await startOrigin(await (await Authority.create('CN=Nobody')).server('api.test'));
    const echo = createTlsServer({ cert: pair.certificate, key: pair.key }, (socket) => socket.pipe(socket));
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    const checked = await startOrigin(pair);
    const grpc = createSecureServer({ cert: pair.certificate, key: pair.key });
    grpc.on('stream', (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      // SERVING
      stream.end(Buffer.of(0, 0, 0, 0, 2, 0x08, 1));
    });
    grpc.listen(0, '127.0.0.1');
    await once(grpc, 'listening');
    servers.push(origin, strict, stranger, checked, echo, grpc);
    const at = ({ port }: { port: number }) => ({ endpoints: [`127.0.0.1:${port}`] });
    const ca = authority.certificate;
    rig = await HttpRig.start(engine, () => ({
      routes: [
        'named',
        'address',
        'wrong',
        'stranger',
        'trusting',
        'strict',
        'anonymous',
        'plain',
        'checked',
        'mixed',
        'system',
      ].map((name) => ({
        match: { path: `/${name}/*` },
        cluster: name,
      })),
      listeners: { raw: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'echo' } },
      clusters: {
        named: { ...at(origin), tls: { serverName: 'api.test', ca } },
        address: { ...at(origin), tls: { ca } },
        wrong: { ...at(origin), tls: { serverName: 'other.test', ca } },
        stranger: { ...at(stranger), tls: { serverName: 'api.test', ca } },
        system: { ...at(origin), tls: { serverName: 'api.test' } },
        trusting: { ...at(stranger), tls: { verify: false } },
        strict: { ...at(strict), tls: { serverName: 'api.test', ca, ...proxyPair } },
        anonymous: { ...at(strict), tls: { serverName: 'api.test', ca } },
        plain: { ...at(origin) },
        mixed: {
          policy: 'round-robin',
          endpoints: [`127.0.0.1:${stranger.port}`, `127.0.0.1:${origin.port}`],
          tls: { serverName: 'api.test', ca },
          outlier: 'off',
        },
        checked: {
          ...at(stranger),
          tls: { serverName: 'api.test', ca },
          healthCheck: { path: '/', interval: '200ms', unhealthyAfter: 1, expect: ['200-499'] },
        },
        fine: {
          ...at(checked),
          tls: { serverName: 'api.test', ca },
          healthCheck: { path: '/health', interval: '200ms' },
        },
        grpc: {
          endpoints: [`127.0.0.1:${(grpc.address() as AddressInfo).port}`],
          tls: { serverName: 'api.test', ca },
          healthCheck: { type: 'grpc', interval: '200ms' },
        },
        handshake: {
          ...at(stranger),
          tls: { serverName: 'api.test', ca },
          healthCheck: { type: 'tcp', interval: '200ms' },
        },
        echo: { endpoints: [`127.0.0.1:${(echo.address() as AddressInfo).port}`], tls: { serverName: 'api.test', ca } },
      },
    }));
  });

  afterEach(() => rig.reset());

  afterAll(async () => {
    await rig.stop('TLS with');
    for (const server of servers) server.close();
  });

  const ask = (path: string) => rig.client().ask(get(path));

  it('get requests, and are asked for by name', async () => {
    const answer = await ask('/named/x');
    expect([answer.status, answer.text]).toEqual([200, 'GET /named/x']);
    expect(origin.connections.at(-1)).toMatchObject({ servername: 'api.test', subject: undefined });
    const posted = await rig.client().ask(post('/named/y', 'body'));
    expect(posted.text).toBe('POST /named/y');
  });

  it('keep their connections', async () => {
    const before = origin.connections.length;
    const client = rig.client();
    for (let count = 0; count < 5; count++) expect((await client.ask(get('/named/kept'))).status).toBe(200);
    expect(origin.connections.length - before).toBeLessThanOrEqual(1);
  });

  it('may be known by their address', async () => {
    expect((await ask('/address/x')).status).toBe(200);
    expect(origin.connections.at(-1)!.servername).not.toBe('127.0.0.1');
  });

  it.each(['wrong', 'stranger', 'anonymous', 'system'])(
    'that are not what they should be, or do not want us, mean 502 (%s)',
    async (name) => {
      const answer = await ask(`/${name}/x`);
      expect([answer.status, answer.text]).toEqual([502, '502 Bad Gateway\n']);
      if (name === 'anonymous') return;
      await until(MS, 'the reason in the log', () => /TLS with 127\.0\.0\.1:\d+ failed: .+/.test(rig.proxy.stderr));
    },
  );

  it('are never spoken to in plain text instead', async () => {
    const before = origin.connections.length;
    await ask('/wrong/secret');
    expect(origin.connections.length).toBe(before);
    expect((await ask('/plain/x')).status).not.toBe(200);
  });

  it('that cannot be believed leave their requests to the others', async () => {
    for (let count = 0; count < 4; count++) expect((await ask('/mixed/x')).status).toBe(200);
  });

  it('need not be believed where the configuration says so', async () => {
    expect((await ask('/trusting/x')).status).toBe(200);
  });

  it('are shown our certificate', async () => {
    expect((await ask('/strict/x')).status).toBe(200);
    expect(strict.connections.at(-1)!.subject).toContain('CN=proxy');
  });

  it('are checked over TLS', async () => {
    const healthOf = async (name: string) => {
      const { clusters } = await rig.proxy.status();
      return clusters.find((cluster) => cluster.name === name)!.endpoints[0]!.health;
    };
    const wanted = { fine: 'healthy', grpc: 'healthy', checked: 'unhealthy', handshake: 'unhealthy' };
    for (const [name, health] of Object.entries(wanted)) {
      await until(MS, `${name} is ${health}`, async () => (await healthOf(name)) === health);
    }
  });

  it('get sessions as well', async () => {
    const client = new TcpClient({ port: rig.proxy.port('raw') });
    await client.echo('in plain text here, in TLS there');
    client.close();
  });
});
