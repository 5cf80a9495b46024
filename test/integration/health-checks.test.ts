/** Active checks against real servers: what each type asks, what it makes of the answers, and who gets the traffic then. */
import { once } from 'node:events';
import { createServer as createHttp2Server, type Http2Server } from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ConfigInput } from '../../src/config/config.ts';
import { until } from './deadline.ts';
import { HttpClient } from './http-client.ts';
import { get } from './http-rig.ts';
import { ProxyProcess } from './proxy-process.ts';

const INTERVAL_MS = 200;
const TIMEOUT_MS = 150;
const UNHEALTHY_AFTER = 3;
/** The latest that an endpoint which has died may get work. */
const OUT_AFTER_MS = INTERVAL_MS * UNHEALTHY_AFTER + TIMEOUT_MS + 500;
const TIMING = {
  interval: `${INTERVAL_MS}ms`,
  timeout: `${TIMEOUT_MS}ms`,
  healthyAfter: 2,
  unhealthyAfter: UNHEALTHY_AFTER,
};

type Cluster = NonNullable<ConfigInput['clusters']>[string];

const cleanUps: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** Answers every connection with what `answer` gives for the bytes that came; '' for nothing. */
async function endpoint(
  answer: (request: string) => string,
): Promise<{ port: number; seen: string[]; server: Server }> {
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let text = '';
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      // A PROXY header of version 2 has an empty line in it.
      if (!/\S\r\n\r\n$/.test(text)) return;
      seen.push(text);
      const reply = answer(text);
      text = '';
      if (reply !== '') socket.write(reply);
    });
    socket.on('end', () => seen.push(`${text}<end>`));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUps.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, seen, server };
}

const reply = (status: number, body = '') => `HTTP/1.1 ${status} X\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

async function proxyFor(cluster: Cluster, others: Record<string, Cluster> = {}): Promise<ProxyProcess> {
  const proxy = await ProxyProcess.start({
    shards: 1,
    listeners: { web: { address: '127.0.0.1:0', cluster: 'api' } },
    clusters: { api: { outlier: 'off', ...cluster }, ...others },
  });
  cleanUps.push(() => proxy.stop());
  return proxy;
}

async function healthOf(proxy: ProxyProcess): Promise<readonly string[]> {
  return (await proxy.status()).clusters[0]!.endpoints.map(({ health }) => health);
}

const healthIs = (proxy: ProxyProcess, ...expected: readonly string[]) =>
  until(5_000, `health ${expected}`, async () => (await healthOf(proxy)).join() === expected.join());

async function statusOf(proxy: ProxyProcess): Promise<number> {
  const client = new HttpClient(proxy.port('web'));
  const { status } = await client.ask(get('/live'));
  client.close();
  return status;
}

describe('the http check', () => {
  it('asks over a fresh connection each time, for what it was told to', async () => {
    const { port, seen } = await endpoint(() => reply(204));
    const proxy = await proxyFor({
      endpoints: [`127.0.0.1:${port}`],
      healthCheck: { ...TIMING, path: '/health?full=1', method: 'OPTIONS', host: 'api.test' },
    });
    await healthIs(proxy, 'healthy');
    await until(2_000, 'a second check', async () => seen.filter((text) => text.startsWith('OPTIONS')).length >= 2);
    expect(seen[0]).toMatch(
      /^OPTIONS \/health\?full=1 HTTP\/1\.1\r\nhost: api\.test\r\nuser-agent: fourseven-health-check\r\n/,
    );
    expect(seen[0]).toMatch(/\r\nconnection: close\r\n/i);
  });

  it('judges by status and body', async () => {
    const rows = [
      ['a status that is expected', { expect: [418, '300-302'] }, reply(301), 'healthy'],
      ['one that is not', { expect: [418, '300-302'] }, reply(200), 'unhealthy'],
      ['a redirect', {}, reply(302), 'unhealthy'],
      ['the text in the body', { body: '"ready":true' }, reply(200, '{"ready":true}'), 'healthy'],
      ['another body', { body: '"ready":true' }, reply(200, '{"ready":false}'), 'unhealthy'],
      [
        'a body that never ends without the text',
        { body: 'x' },
        `HTTP/1.1 200 X\r\n\r\n${'y'.repeat(100_000)}`,
        'unhealthy',
      ],
      ['no HTTP', {}, 'hello\r\n\r\n', 'unhealthy'],
      ['another protocol', {}, 'HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n', 'unhealthy'],
      ['nothing', {}, '', 'unhealthy'],
    ] as const;
    const ports = await Promise.all(rows.map(async ([, , answer]) => (await endpoint(() => answer)).port));
    const clusters = rows.map(([what, check], index) => {
      const cluster = { endpoints: [`127.0.0.1:${ports[index]}`], healthCheck: { ...TIMING, ...check } };
      return [what.replaceAll(' ', '-'), cluster] as const;
    });
    const proxy = await proxyFor({ endpoints: ['127.0.0.1:1'] }, Object.fromEntries(clusters));
    const found = async () =>
      (await proxy.status()).clusters.slice(1).map(({ name, endpoints }) => [name, endpoints[0]!.health]);
    await until(5_000, 'a verdict on each', async () => (await found()).every(([, health]) => health !== 'unknown'));
    expect(await found()).toEqual(rows.map(([what, , , health]) => [what.replaceAll(' ', '-'), health]));
  });

  it('finds the text across two segments', async () => {
    const { port, server } = await endpoint(() => '');
    server.on('connection', (socket: Socket) => {
      socket.write('HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nab"rea');
      setTimeout(() => socket.write('dy"x'), 30);
    });
    const proxy = await proxyFor({ endpoints: [`127.0.0.1:${port}`], healthCheck: { ...TIMING, body: '"ready"' } });
    await healthIs(proxy, 'healthy');
  });

  it.each(['v1', 'v2'] as const)('says that nobody is behind it where the cluster sends PROXY %s', async (version) => {
    const { port, seen } = await endpoint(() => reply(200));
    const proxy = await proxyFor({
      endpoints: [`127.0.0.1:${port}`],
      proxyProtocol: version,
      healthCheck: TIMING,
    });
    await healthIs(proxy, 'healthy');
    const header = version === 'v1' ? 'PROXY UNKNOWN\r\n' : '\r\n\r\n\0\r\nQUIT\n\x20\0\0\0';
    expect(seen[0]?.startsWith(`${header}GET / HTTP/1.1\r\n`)).toBe(true);
  });
});

describe('who gets the traffic', () => {
  it('takes an endpoint out that dies, in time, and back when it lives again', async () => {
    let isWell = true;
    const good = await endpoint(() => reply(200, 'good'));
    const bad = await endpoint((text) => (isWell || !text.includes('/health') ? reply(200, 'bad') : ''));
    const proxy = await proxyFor({
      policy: 'round-robin',
      endpoints: [`127.0.0.1:${good.port}`, `127.0.0.1:${bad.port}`],
      healthCheck: { ...TIMING, path: '/health' },
    });
    await healthIs(proxy, 'healthy', 'healthy');
    isWell = false;
    const diedMs = performance.now();
    await healthIs(proxy, 'healthy', 'unhealthy');
    expect(performance.now() - diedMs).toBeLessThan(OUT_AFTER_MS);
    bad.seen.length = 0;
    for (let i = 0; i < 20; i++) expect(await statusOf(proxy)).toBe(200);
    expect(bad.seen.filter((text) => text.includes('/live'))).toEqual([]);
    expect(proxy.stderr).toContain('is unhealthy, 3 checks in a row failed: no answer within 150 ms');
    isWell = true;
    await healthIs(proxy, 'healthy', 'healthy');
    for (let i = 0; i < 4; i++) await statusOf(proxy);
    expect(bad.seen.filter((text) => text.includes('/live')).length).toBeGreaterThanOrEqual(1);
    expect(proxy.stderr).toContain('is healthy again, 2 checks in a row passed');
  });

  it('port open, every request 503: the http check takes it out, the tcp check does not', async () => {
    const broken = await endpoint(() => reply(503));
    const good = await endpoint(() => reply(200));
    const endpoints = [`127.0.0.1:${broken.port}`, `127.0.0.1:${good.port}`];
    const byHttp = await proxyFor({ policy: 'round-robin', endpoints, healthCheck: TIMING });
    const byTcp = await proxyFor({ policy: 'round-robin', endpoints, healthCheck: { ...TIMING, type: 'tcp' } });
    await healthIs(byHttp, 'unhealthy', 'healthy');
    await healthIs(byTcp, 'healthy', 'healthy');
    const statuses = async (proxy: ProxyProcess) => {
      const all: number[] = [];
      for (let i = 0; i < 10; i++) all.push(await statusOf(proxy));
      return all;
    };
    // One endpoint of two is not less than half: no panic.
    expect(await statuses(byHttp)).toEqual(Array.from({ length: 10 }, () => 200));
    await new Promise((resolve) => setTimeout(resolve, 2 * OUT_AFTER_MS));
    expect(await healthOf(byTcp)).toEqual(['healthy', 'healthy']);
    expect((await statuses(byTcp)).filter((status) => status === 503)).toHaveLength(5);
  });

  it('the port of a check may be another one', async () => {
    const app = await endpoint(() => reply(200));
    const sidecar = await endpoint(() => reply(503));
    const proxy = await proxyFor({
      endpoints: [`127.0.0.1:${app.port}`],
      healthCheck: { ...TIMING, port: sidecar.port },
    });
    await healthIs(proxy, 'unhealthy');
    expect(app.seen).toEqual([]);
  });
});

describe('the tcp check', () => {
  it('fails where nobody listens, and where nobody accepts in time', async () => {
    const gone = await endpoint(() => '');
    gone.server.close();
    const proxy = await proxyFor({
      endpoints: [`127.0.0.1:${gone.port}`, 'unix:/nowhere.sock'],
      healthCheck: { ...TIMING, type: 'tcp' },
    });
    await healthIs(proxy, 'unhealthy', 'unhealthy');
    expect(proxy.stderr).toContain('the connection was refused');
  });

  it('ends its connection without a byte', async () => {
    const { port, seen } = await endpoint(() => reply(200));
    const proxy = await proxyFor({ endpoints: [`127.0.0.1:${port}`], healthCheck: { ...TIMING, type: 'tcp' } });
    await healthIs(proxy, 'healthy');
    await until(1_000, 'the end of the check', async () => seen.length > 0);
    expect(new Set(seen)).toEqual(new Set(['<end>']));
  });
});

describe('the grpc check', () => {
  /** `status`: of the response message; undefined for none. */
  async function grpcEndpoint(services: Record<string, number | undefined>, grpcStatus = '0') {
    const asked: string[] = [];
    const server: Http2Server = createHttp2Server();
    server.on('stream', (stream, headers) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const message = Buffer.concat(chunks).subarray(5);
        const service = message.subarray(2).toString();
        asked.push(`${headers[':method']} ${headers[':path']} ${headers['content-type']} ${service}`);
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': grpcStatus }));
        const status = services[service];
        stream.end(status === undefined ? undefined : Buffer.from([0, 0, 0, 0, 2, 0x08, status]));
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanUps.push(() => server.close());
    return { port: (server.address() as AddressInfo).port, asked };
  }

  it('goes by the status in the message and that of the call', async () => {
    const rows = [
      [1, '0', 'healthy'],
      [2, '0', 'unhealthy'],
      [0, '0', 'unhealthy'],
      [undefined, '5', 'unhealthy'],
      [1, '14', 'unhealthy'],
    ] as const;
    const servers = await Promise.all(rows.map(([status, call]) => grpcEndpoint({ 'shop.Cart': status }, call)));
    const proxy = await proxyFor({
      endpoints: servers.map(({ port }) => `127.0.0.1:${port}`),
      healthCheck: { ...TIMING, type: 'grpc', service: 'shop.Cart' },
    });
    await healthIs(proxy, ...rows.map(([, , health]) => health));
    expect(servers[0]!.asked[0]).toBe('POST /grpc.health.v1.Health/Check application/grpc shop.Cart');
  });

  it('asks for the whole server unless a service is named', async () => {
    const { port } = await grpcEndpoint({ '': 1 });
    const proxy = await proxyFor({ endpoints: [`127.0.0.1:${port}`], healthCheck: { ...TIMING, type: 'grpc' } });
    await healthIs(proxy, 'healthy');
  });

  it('takes what speaks no HTTP/2 for unhealthy', async () => {
    const { port } = await endpoint(() => reply(200));
    const proxy = await proxyFor({ endpoints: [`127.0.0.1:${port}`], healthCheck: { ...TIMING, type: 'grpc' } });
    await healthIs(proxy, 'unhealthy');
  });
});
