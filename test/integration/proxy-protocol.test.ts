/** PROXY protocol through the real proxy: received and sent, with raw peers and with other proxies. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until, within } from './deadline.ts';
import { HttpClient } from './http-client.ts';
import { get } from './http-rig.ts';
import { Origin } from './origin-server.ts';
import { ProxyOrigin, type Seen } from './proxy-origin.ts';
import { ENGINES, ProxyProcess, temporaryDirectory } from './proxy-process.ts';
import { TcpClient } from './tcp-client.ts';

const V1 = 'PROXY TCP4 192.0.2.1 198.51.100.2 49152 443\r\n';
const V2 = Buffer.from('0d0a0d0a000d0a515549540a2111000fc0000201c6336402c00001bb040000', 'hex');
const LOCAL = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex');

describe.each(ENGINES)('PROXY protocol over the %s engine', (engine) => {
  let origin: Origin;
  let announced: ProxyOrigin;
  let raw: ProxyOrigin;
  let proxy: ProxyProcess;
  const clients: { close: () => void }[] = [];

  beforeAll(async () => {
    origin = await Origin.start();
    announced = await ProxyOrigin.start('http');
    raw = await ProxyOrigin.start('tcp');
    const address = '127.0.0.1:0';
    const trustedProxies = ['127.0.0.0/8'];
    proxy = await ProxyProcess.start({
      engine,
      shards: 1,
      listeners: {
        require: {
          address,
          proxyProtocol: 'require',
          trustedProxies: ['127.0.0.0/8', '192.0.2.0/24'],
          cluster: 'plain',
        },
        strangers: { address, proxyProtocol: 'require', trustedProxies: ['10.0.0.0/8'], cluster: 'plain' },
        accept: { address, proxyProtocol: 'accept', trustedProxies, cluster: 'plain' },
        ignore: { address, proxyProtocol: 'accept', trustedProxies: ['10.0.0.0/8'], cluster: 'plain' },
        v1: { address, cluster: 'v1' },
        v2: { address, cluster: 'v2' },
        chain: { address, proxyProtocol: 'require', trustedProxies, cluster: 'v2' },
        tcp: { address, protocol: 'tcp', cluster: 'rawV1' },
        tcpChain: { address, protocol: 'tcp', proxyProtocol: 'require', trustedProxies, cluster: 'rawV2' },
        tcpPlain: { address, protocol: 'tcp', cluster: 'dead' },
      },
      clusters: {
        plain: { endpoints: [`127.0.0.1:${origin.port}`] },
        v1: { endpoints: [announced.address], proxyProtocol: 'v1' },
        v2: { endpoints: [announced.address], proxyProtocol: 'v2' },
        rawV1: { endpoints: [raw.address], proxyProtocol: 'v1' },
        rawV2: { endpoints: [raw.address], proxyProtocol: 'v2' },
        // The first dial fails: the header must come again with the second.
        dead: { endpoints: [await closedAddress(), raw.address], policy: 'round-robin', proxyProtocol: 'v1' },
      },
    });
  });

  afterAll(async () => {
    for (const client of clients) client.close();
    const { code } = await proxy.stop();
    await Promise.all([origin.close(), announced.close(), raw.close()]);
    expect([code, proxy.stderr.match(/ (warn|error) (?!machine:).*/g)]).toEqual([0, null]);
  });

  function connect(listener: string): HttpClient {
    const client = new HttpClient(proxy.port(listener));
    clients.push(client);
    return client;
  }

  /** X-Forwarded-For of the next request at the origin. */
  async function forwardedFor(client: HttpClient, ...sent: (string | Buffer)[]): Promise<string | undefined> {
    const count = origin.requests.length;
    for (const bytes of sent) client.send(bytes);
    expect((await client.answer()).status).toBe(200);
    const request = await origin.request(count);
    return request.headers.find(([name]) => name.toLowerCase() === 'x-forwarded-for')?.[1];
  }

  test.each([
    ['version 1', V1],
    ['version 2 with an extension', V2],
  ])('the announced client is the client: %s', async (_name, header) => {
    const client = connect('require');
    expect(await forwardedFor(client, header, get('/a'))).toBe('192.0.2.1');
    expect(await forwardedFor(client, get('/b'))).toBe('192.0.2.1');
  });

  test('a header that arrives byte by byte is read as one', async () => {
    const client = connect('require');
    await client.drip(V1);
    expect(await forwardedFor(client, get('/dripped'))).toBe('192.0.2.1');
    const other = connect('require');
    for (const byte of V2) await other.drip(String.fromCharCode(byte));
    expect(await forwardedFor(other, get('/dripped'))).toBe('192.0.2.1');
  });

  test('LOCAL keeps the address of the connection', async () => {
    expect(await forwardedFor(connect('require'), LOCAL, get('/'))).toBe('127.0.0.1');
  });

  test('what the announced client says about itself counts only if it is trusted itself', async () => {
    const claim = get('/', 'X-Forwarded-For: 203.0.113.9');
    expect(await forwardedFor(connect('require'), V1, claim)).toBe('203.0.113.9, 192.0.2.1');
    expect(await forwardedFor(connect('accept'), V1, claim)).toBe('192.0.2.1');
  });

  test.each([
    ['no header', get('/')],
    ['a malformed one', 'PROXY TCP4 192.0.2.1 198.51.100.2 49152\r\n'],
    ['an unknown version', Buffer.from('0d0a0d0a000d0a515549540a31110000', 'hex')],
    [
      'an extension beyond its end',
      Buffer.from('0d0a0d0a000d0a515549540a2111000fc0000201c6336402c00001bb040001', 'hex'),
    ],
  ])('where it is required, %s ends the connection without a word', async (_name, bytes) => {
    const before = origin.byteCount;
    const client = connect('require').send(bytes);
    await within(5_000, 'the end', client.closed);
    expect([client.received, origin.byteCount]).toEqual(['', before]);
  });

  test('whoever is not trusted cannot send the one that is required', async () => {
    const client = connect('strangers').send(V1).send(get('/'));
    await within(5_000, 'the end', client.closed);
    expect(client.received).toBe('');
    expect(await proxy.metric('fourseven_proxy_headers_refused_total{listener="strangers"}')).toBe(1);
  });

  test('silence ends the connection after five seconds', async () => {
    const client = connect('require').send('PROXY TCP4');
    await within(8_000, 'the end', client.closed);
    expect(client.received).toBe('');
  });

  test('where it is accepted, both kinds of connections are served', async () => {
    expect(await forwardedFor(connect('accept'), V1, get('/'))).toBe('192.0.2.1');
    // The peer itself is a trusted proxy.
    expect(await forwardedFor(connect('accept'), get('/'))).toBe('127.0.0.1');
  });

  test('a header from somebody who is not trusted is data', async () => {
    const client = connect('ignore').send(V1);
    expect((await client.answer()).status).toBe(400);
  });

  const asked = async (listener: string, ...sent: (string | Buffer)[]): Promise<Seen> => {
    const client = connect(listener);
    for (const bytes of sent) client.send(bytes);
    return JSON.parse((await client.answer()).text) as Seen;
  };

  test.each(['v1', 'v2'])('an endpoint is told who the client is, and where it came in: %s', async (listener) => {
    const client = connect(listener);
    const first = JSON.parse((await client.ask(get('/1'))).text) as Seen;
    const { localPort } = client.socket;
    expect(first).toMatchObject({ source: `127.0.0.1 ${localPort}`, destination: `127.0.0.1 ${proxy.port(listener)}` });
    expect(first.head).toMatch(/^GET \/1 HTTP\/1\.1\r\n/);
    expect(first.head).toMatch(/\r\nConnection: close$/);
    // One connection, one client: the next request has one of its own.
    const second = JSON.parse((await client.ask(get('/2'))).text) as Seen;
    expect(second.source).toBe(first.source);
    const other = await asked(listener, get('/3'));
    expect(new Set([first.connection, second.connection, other.connection]).size).toBe(3);
    expect(other.source).not.toBe(first.source);
  });

  test('what was announced to us is announced on', async () => {
    const seen = await asked('chain', V1, get('/'));
    expect(seen).toMatchObject({ source: '192.0.2.1 49152', destination: '198.51.100.2 443' });
    expect(seen.head).toContain('X-Forwarded-For: 192.0.2.1');
  });

  const told = async (listener: string, sent: string, wanted: string): Promise<Seen & { localPort: number }> => {
    const client = new TcpClient({ port: proxy.port(listener) });
    clients.push(client);
    client.send(sent);
    await until(5_000, 'what the endpoint saw', () => client.received.endsWith(`\n${wanted}`));
    const { localPort = 0 } = client.socket;
    return { ...(JSON.parse(client.received.split('\n')[0]!) as Seen), localPort };
  };

  test('a TCP session begins with it', async () => {
    const seen = await told('tcp', 'hello', 'hello');
    expect(seen.source).toBe(`127.0.0.1 ${seen.localPort}`);
    expect(seen.destination).toBe(`127.0.0.1 ${proxy.port('tcp')}`);
  });

  test('a TCP session passes on what was announced to it, and the bytes behind', async () => {
    const seen = await told('tcpChain', `${V1}hello`, 'hello');
    expect(seen).toMatchObject({ source: '192.0.2.1 49152', destination: '198.51.100.2 443' });
  });

  test('it is sent first, also where the first endpoint refused', async () => {
    for (let index = 0; index < 4; index++) {
      const seen = await told('tcpPlain', 'hello', 'hello');
      expect(seen.source).toBe(`127.0.0.1 ${seen.localPort}`);
    }
  });

  const hasHaproxy = spawnSync('haproxy', ['-v']).status === 0;
  test.skipIf(!hasHaproxy).each(['send-proxy', 'send-proxy-v2', 'send-proxy-v2 proxy-v2-options crc32c,unique-id'])(
    'HAProxy in front, with %s',
    async (option) => {
      const port = await freePort();
      const server = await startHaproxy(port, `server us 127.0.0.1:${proxy.port('chain')} ${option}`);
      try {
        const client = new HttpClient(port);
        clients.push(client);
        const seen = JSON.parse((await client.ask(get('/'))).text) as Seen;
        expect(seen.source).toBe(`127.0.0.1 ${client.socket.localPort}`);
        expect(seen.destination).toBe(`127.0.0.1 ${port}`);
      } finally {
        await stop(server);
      }
    },
  );

  const hasNginx = spawnSync('nginx', ['-v']).status === 0;
  test.skipIf(!hasNginx)('nginx behind, with proxy_protocol', async () => {
    const port = await freePort();
    const server = await startNginx(port);
    const front = await ProxyProcess.start({
      engine,
      shards: 1,
      listeners: {
        one: { address: '127.0.0.1:0', cluster: 'one' },
        two: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'two' },
      },
      clusters: {
        one: { endpoints: [`127.0.0.1:${port}`], proxyProtocol: 'v1' },
        two: { endpoints: [`127.0.0.1:${port}`], proxyProtocol: 'v2' },
      },
    });
    try {
      for (const listener of ['one', 'two']) {
        const client = new HttpClient(front.port(listener));
        const { text } = await client.ask(get('/'));
        expect(text).toBe(`127.0.0.1 ${client.socket.localPort} ${front.port(listener)}`);
        client.close();
      }
    } finally {
      await Promise.all([front.stop(), stop(server)]);
    }
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

/** Refuses: the kernel hands out no port so low (ip_local_port_range), so that no other test is given it meanwhile. */
async function closedAddress(): Promise<string> {
  return '127.0.0.1:1';
}

async function startHaproxy(port: number, server: string): Promise<ChildProcess> {
  const directory = temporaryDirectory();
  const file = directory.write(
    'haproxy.cfg',
    `defaults\n mode tcp\n timeout connect 5s\n timeout client 10s\n timeout server 10s\nlisten l\n bind 127.0.0.1:${port}\n unique-id-format %pid\n ${server}\n`,
  );
  return startOther(port, 'haproxy', ['-db', '-f', file], directory.remove);
}

async function startNginx(port: number): Promise<ChildProcess> {
  const directory = temporaryDirectory();
  const file = directory.write(
    'nginx.conf',
    `daemon off;\nmaster_process off;\npid ${directory.path}/pid;\nerror_log stderr crit;\nevents {}\nhttp {\n access_log off;\n` +
      ` client_body_temp_path ${directory.path};\n proxy_temp_path ${directory.path};\n fastcgi_temp_path ${directory.path};\n` +
      ` uwsgi_temp_path ${directory.path};\n scgi_temp_path ${directory.path};\n server {\n  listen 127.0.0.1:${port} proxy_protocol;\n` +
      '  return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_port";\n }\n}\n',
  );
  return startOther(port, 'nginx', ['-p', directory.path, '-c', file], directory.remove);
}

async function startOther(port: number, command: string, args: string[], onExit: () => void): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr?.on('data', (text) => {
    complaint += text;
  });
  child.once('exit', onExit);
  await until(5_000, `${command} on port ${port}`, async () => {
    if (child.exitCode !== null) throw new Error(`${command} ended: ${complaint}`);
    const probe = new TcpClient({ port });
    const isUp = await Promise.race([
      new Promise<boolean>((resolve) => probe.socket.once('connect', () => resolve(true))),
      probe.closed.then(() => false),
    ]);
    probe.close();
    return isUp;
  });
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await within(5_000, 'the exit of the other proxy', exited);
}
