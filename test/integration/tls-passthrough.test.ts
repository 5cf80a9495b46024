/** TLS that is passed on by the name in its ClientHello, beside TLS that ends at the proxy. */
import { once } from 'node:events';
import { type AddressInfo, connect as connectPlain } from 'node:net';
import { type ConnectionOptions, connect, createServer, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Authority, type Pair } from '../tls/authority.ts';
import { within } from './deadline.ts';
import { HttpRig } from './http-rig.ts';
import { ENGINES } from './proxy-process.ts';
import { startEchoServer, TcpClient } from './tcp-client.ts';
import { askSecurely } from './tls-client.ts';

const MS = 5_000;

/** A server that says its name to whoever connects, and echoes. */
async function startNamed(name: string, pair: Pair, protocols: string[] = []) {
  const sockets = new Set<TLSSocket>();
  const options = { cert: pair.certificate, key: pair.key, ...(protocols.length > 0 && { ALPNProtocols: protocols }) };
  const server = createServer(options, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.write(`${name}\n`);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

describe.each(ENGINES)('TLS that the %s engine passes on', (engine) => {
  let authority: Authority;
  let rig: HttpRig;
  let echo: Awaited<ReturnType<typeof startEchoServer>>;
  const servers: { close(): void }[] = [];

  beforeAll(async () => {
    authority = await Authority.create();
    const start = async (name: string, protocols?: string[]) => {
      const server = await startNamed(name, await authority.server('raw.test', '*.raw.test', 'b.test'), protocols);
      servers.push(server);
      return { endpoints: [`127.0.0.1:${server.port}`] };
    };
    echo = await startEchoServer();
    const own = await authority.server('a.test', 'raw.test');
    const clusters = {
      raw: await start('raw'),
      below: await start('below'),
      mqtt: await start('mqtt', ['mqtt']),
      other: await start('other'),
      echo: { endpoints: [`127.0.0.1:${echo.port}`] },
    };
    const passthrough = [
      { names: ['raw.test'], alpn: ['mqtt'], cluster: 'mqtt' },
      { names: ['raw.test'], cluster: 'raw' },
      { names: ['*.raw.test'], cluster: 'below' },
    ];
    rig = await HttpRig.start(engine, () => ({
      listeners: {
        secure: { address: '127.0.0.1:0', cluster: 'origin', tls: { certificates: [own], passthrough } },
        byName: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'echo', tls: { passthrough } },
        both: {
          address: '127.0.0.1:0',
          protocol: 'tcp',
          cluster: 'echo',
          tls: { certificates: [own], passthrough: [{ names: ['b.test'], cluster: 'other' }] },
        },
      },
      clusters,
    }));
  });

  afterEach(() => rig.reset());

  afterAll(async () => {
    await rig.stop();
    for (const server of servers) server.close();
    await echo.close();
  });

  /** What the server behind a name says first, and what it echoes. */
  async function greeting(listener: string, options: ConnectionOptions): Promise<string> {
    const port = rig.proxy.port(listener);
    const socket = connect({ port, host: '127.0.0.1', ca: authority.certificate, ...options });
    try {
      await within(MS, 'TLS', once(socket, 'secureConnect'));
      const [first] = await within(MS, 'a greeting', once(socket, 'data'));
      socket.write('echo');
      const [second] = await within(MS, 'an echo', once(socket, 'data'));
      return `${first}${second}`;
    } finally {
      socket.destroy();
    }
  }

  it('goes where its name leads, and speaks with the endpoint alone', async () => {
    expect(await greeting('secure', { servername: 'raw.test' })).toBe('raw\necho');
    expect(await greeting('secure', { servername: 'RAW.test' })).toBe('raw\necho');
    expect(await greeting('secure', { servername: 'x.raw.test' })).toBe('below\necho');
  });

  it('goes by the protocol as well', async () => {
    expect(await greeting('secure', { servername: 'raw.test', ALPNProtocols: ['x', 'mqtt'] })).toBe('mqtt\necho');
    expect(await greeting('byName', { servername: 'raw.test', ALPNProtocols: ['mqtt'] })).toBe('mqtt\necho');
  });

  it('leaves the rest to the proxy', async () => {
    const answer = await askSecurely(rig.proxy.port('secure'), { ca: authority.certificate, path: '/rest' });
    expect([answer.status, answer.text]).toEqual([200, 'GET /rest']);
    expect(await greeting('both', { servername: 'b.test' })).toBe('other\necho');
    const port = rig.proxy.port('both');
    const socket = connect({ port, host: '127.0.0.1', servername: 'a.test', ca: authority.certificate });
    socket.write('ended here');
    const [bytes] = await within(MS, 'an echo', once(socket, 'data'));
    expect(String(bytes)).toBe('ended here');
    socket.destroy();
  });

  it('without a rule goes to the cluster of a tcp listener as it is, TLS or not', async () => {
    const client = new TcpClient({ port: rig.proxy.port('byName') });
    await client.echo('no TLS at all');
    client.close();
    const wire = connectPlain({ port: rig.proxy.port('byName'), host: '127.0.0.1' });
    const secure = connect({ socket: wire, servername: 'unknown.test' });
    secure.on('error', () => {});
    // The echo server says the hello back, which no client takes for an answer.
    await within(
      MS,
      'an end',
      once(secure, 'close').catch(() => {}),
    );
    wire.destroy();
  });

  it('goes on when its hello comes in pieces', async () => {
    const wire = connectPlain({ port: rig.proxy.port('secure'), host: '127.0.0.1', noDelay: true });
    const hello = await helloFor('raw.test');
    for (let at = 0; at < hello.length; at += 7) {
      wire.write(hello.subarray(at, at + 7));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const [answer] = await within(MS, 'a ServerHello', once(wire, 'data'));
    expect((answer as Buffer)[0]).toBe(22);
    wire.destroy();
  });

  it('counts as a session of its cluster', async () => {
    await greeting('secure', { servername: 'raw.test' });
    const start = 'fourseven_tcp_sessions_total{listener="secure",cluster="raw"';
    await expect.poll(() => rig.proxy.metric(start), { timeout: MS }).toBeGreaterThan(0);
  });
});

/** The bytes of a ClientHello, as Node makes it. */
async function helloFor(servername: string): Promise<Buffer> {
  const { createServer: createPlain } = await import('node:net');
  const server = createPlain();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', servername });
  socket.on('error', () => {});
  const [peer] = await once(server, 'connection');
  const [hello] = await once(peer, 'data');
  peer.destroy();
  socket.destroy();
  server.close();
  return hello as Buffer;
}
