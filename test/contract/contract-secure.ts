import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type ConnectionOptions, connect, createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { beforeAll, expect, it } from 'vitest';
import { SECURED_RESUMED, SECURED_WITH_CERTIFICATE } from '../../src/engine/protocol.ts';
import {
  ClientCertificate,
  EKEYREJECTED,
  IDENTITY_BYTES,
  type SecureContext,
  TICKET_KEY_BYTES,
  TLS_1_2,
  TLS_1_3,
} from '../../src/engine/secure-context.ts';
import { within } from '../integration/deadline.ts';
import { Authority, type Pair } from '../tls/authority.ts';
import type { UseDriver } from './engine-contract.ts';
import type { EngineDriver } from './engine-driver.ts';
import { Peer } from './peer.ts';

const MIB = 1024 * 1024;
const EPROTO = 71;
const MS = 5_000;
const NO_BYTES = new Uint8Array();
const HTTP_1 = Buffer.from('\x08http/1.1', 'latin1');

function serverContext(pairs: readonly Pair[], more: Partial<SecureContext> = {}): SecureContext {
  return {
    isServer: true,
    pairs: pairs.map((pair) => ({ ...pair, ocsp: NO_BYTES })),
    minVersion: TLS_1_2,
    ciphers: '',
    alpn: NO_BYTES,
    authorities: '',
    clientCertificate: ClientCertificate.OFF,
    verify: false,
    identity: Buffer.alloc(IDENTITY_BYTES, 1),
    ...more,
  };
}

function clientContext(authorities: string, more: Partial<SecureContext> = {}): SecureContext {
  return { ...serverContext([]), isServer: false, verify: true, authorities, ...more };
}

/** A client and its connection, once TLS is established. */
interface Secured {
  readonly id: number;
  readonly peer: Peer;
  readonly socket: TLSSocket;
  readonly version: number;
  readonly flags: number;
  /** The first that the client is given. */
  readonly session: Promise<Buffer>;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function digestOf(peer: Peer, byteCount: number): Promise<string> {
  return sha256(await peer.read(byteCount, 15_000));
}

function handleOf(driver: EngineDriver, context: SecureContext): number {
  const handle = driver.engine.rememberContext(context);
  if (typeof handle === 'string') throw new Error(handle);
  return handle;
}

/** The first bytes of every accepted connection go to the context. */
function secureAll(driver: EngineDriver, handle: number): void {
  const begun = new Set<number>();
  driver.inRound = (event) => {
    if (event.kind !== 'data' || begun.has(event.id)) return false;
    begun.add(event.id);
    driver.writer.secure(event.id, handle, event.offset, event.length);
    return true;
  };
}

function client(driver: EngineDriver, options: ConnectionOptions): TLSSocket {
  const socket = connect({
    port: driver.port,
    host: '127.0.0.1',
    servername: 'a.test',
    allowHalfOpen: true,
    ...options,
  } as ConnectionOptions);
  driver.atEnd(() => socket.destroy());
  return socket;
}

async function secure(driver: EngineDriver, options: ConnectionOptions): Promise<Secured> {
  const socket = client(driver, options);
  const peer = new Peer(socket);
  const session = new Promise<Buffer>((resolve) => socket.once('session', resolve));
  const established = within(MS, 'TLS at the client', once(socket, 'secureConnect'));
  const { id } = await driver.next('accepted');
  const { version, flags } = await driver.next('secured', id);
  await established;
  return { id, peer, socket, version, flags, session };
}

async function secureServer(
  driver: EngineDriver,
  options: TlsOptions,
): Promise<{ port: number; next: () => Promise<Peer> }> {
  const sockets: TLSSocket[] = [];
  const server = createServer({ ...options, allowHalfOpen: true }, (socket) => sockets.push(socket));
  server.on('connection', (wire) => driver.atEnd(() => wire.destroy()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  driver.atEnd(() => server.close());
  return {
    port: (server.address() as AddressInfo).port,
    next: async () => {
      if (sockets.length === 0) await within(MS, 'a connection', once(server, 'secureConnection'));
      return new Peer(sockets.shift()!);
    },
  };
}

export function secureAccepting(use: UseDriver): void {
  let authority: Authority;
  let pair: Pair;

  beforeAll(async () => {
    authority = await Authority.create();
    pair = await authority.server('a.test');
  });

  const trusting = (): ConnectionOptions => ({ ca: authority.certificate });

  it.each([
    ['TLSv1.2', TLS_1_2],
    ['TLSv1.3', TLS_1_3],
  ] as const)('speaks %s, in both directions, until both have ended', async (name, wire) => {
    const driver = await use();
    secureAll(driver, handleOf(driver, serverContext([pair])));
    const { id, peer, socket, version, flags } = await secure(driver, {
      ...trusting(),
      minVersion: name,
      maxVersion: name,
    });
    expect([version, flags, socket.authorized, driver.counter('HANDSHAKES')]).toEqual([wire, 0, true, 1]);
    peer.send('to the engine');
    expect(await driver.text(id, 13)).toBe('to the engine');
    driver.send(id, 'and back');
    expect(await peer.readText(8)).toBe('and back');
    peer.end();
    await driver.next('end', id);
    driver.send(id, 'after its end');
    expect(await peer.readText(13)).toBe('after its end');
    driver.order((writer) => writer.close(id));
    await peer.readToEnd();
    expect(driver.engine.isOpen(id)).toBe(false);
  });

  it('keeps what came behind the hello, in pieces as small as they may be', async () => {
    const driver = await use();
    const handle = handleOf(driver, serverContext([pair]));
    // The hello is held until it is whole, as whoever decides by its name does.
    driver.inRound = (event) => {
      if (event.kind !== 'data' || driver.counter('HANDSHAKES') > 0) return false;
      if (event.length < 100) driver.writer.hold(event.id, event.offset, event.length);
      else driver.writer.secure(event.id, handle, event.offset, event.length);
      return true;
    };
    const { id, peer } = await secure(driver, trusting());
    for (const character of 'byte by byte') peer.send(character);
    expect(await driver.text(id, 12)).toBe('byte by byte');
  });

  it('moves large bodies whole, both ways', async () => {
    const driver = await use();
    secureAll(driver, handleOf(driver, serverContext([pair])));
    const { id, peer } = await secure(driver, trusting());
    const sent = peer.sendBlocks(4 * MIB);
    const received = await driver.data(id, 4 * MIB);
    expect(sha256(received)).toBe(await sent);
    const back = peer.read(MIB);
    driver.send(id, received.subarray(0, MIB));
    expect((await back).equals(received.subarray(0, MIB))).toBe(true);
  });

  it('agrees on a protocol that both know, and on none otherwise', async () => {
    const driver = await use();
    secureAll(driver, handleOf(driver, serverContext([pair], { alpn: HTTP_1 })));
    const { socket } = await secure(driver, { ...trusting(), ALPNProtocols: ['h2', 'http/1.1'] });
    expect(socket.alpnProtocol).toBe('http/1.1');
    const other = client(driver, { ...trusting(), ALPNProtocols: ['h2'] });
    const [error] = await within(
      MS,
      'an alert',
      once(other, 'error', { signal: AbortSignal.timeout(MS) }).catch((thrown) => [thrown]),
    );
    expect(String(error)).toMatch(/alert|protocol|ECONNRESET|disconnected/i);
    const { id } = await driver.next('accepted');
    expect((await driver.next('closed', id)).errno).toBe(EPROTO);
    expect(driver.counter('HANDSHAKES_FAILED')).toBe(1);
  });

  it('says why a handshake fails', async () => {
    const driver = await use();
    secureAll(driver, handleOf(driver, serverContext([pair], { minVersion: TLS_1_3 })));
    let reason = '';
    const { inRound } = driver;
    driver.inRound = (event) => {
      if (event.kind === 'closed') reason = driver.engine.secureFailure(event.id);
      return inRound!(event);
    };
    const socket = client(driver, { ...trusting(), maxVersion: 'TLSv1.2' });
    socket.on('error', () => {});
    const { id } = await driver.next('accepted');
    expect((await driver.next('closed', id)).errno).toBe(EPROTO);
    expect(reason).toMatch(/version|protocol/i);
  });

  it('ends a connection that does not speak TLS after all', async () => {
    const driver = await use();
    secureAll(driver, handleOf(driver, serverContext([pair])));
    const peer = await Peer.connect(driver.port);
    driver.atEnd(() => peer.destroy());
    peer.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
    const { id } = await driver.next('accepted');
    expect((await driver.next('closed', id)).errno).toBe(EPROTO);
  });

  it('asks clients for certificates as it was told to', async () => {
    const driver = await use();
    const known = await authority.client('anna');
    const stranger = await (await Authority.create('CN=Nobody')).client('eve');
    const context = (clientCertificate: number) =>
      handleOf(driver, serverContext([pair], { authorities: authority.certificate, clientCertificate }));
    const withPair = ({ certificate, key }: Pair) => ({ ...trusting(), cert: certificate, key });
    const refused = async (options: ConnectionOptions) => {
      client(driver, options).on('error', () => {});
      const { id } = await driver.next('accepted');
      return (await driver.next('closed', id)).errno;
    };
    secureAll(driver, context(ClientCertificate.REQUIRE));
    const { id, flags } = await secure(driver, withPair(known));
    expect(flags & SECURED_WITH_CERTIFICATE).toBe(SECURED_WITH_CERTIFICATE);
    expect(new X509Certificate(driver.engine.peerCertificate(id)!).subject).toContain('CN=anna');
    expect(await refused(trusting())).toBe(EPROTO);
    expect([EKEYREJECTED, EPROTO]).toContain(await refused(withPair(stranger)));
    secureAll(driver, context(ClientCertificate.REQUEST));
    expect((await secure(driver, trusting())).flags & SECURED_WITH_CERTIFICATE).toBe(0);
    expect((await secure(driver, withPair(known))).flags & SECURED_WITH_CERTIFICATE).toBe(SECURED_WITH_CERTIFICATE);
    expect([EKEYREJECTED, EPROTO]).toContain(await refused(withPair(stranger)));
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'resumes sessions of %s where the identity is the same, and nowhere else',
    async (version) => {
      const driver = await use();
      const keys = Buffer.alloc(TICKET_KEY_BYTES, 7);
      driver.engine.setTicketKeys(keys);
      const first = handleOf(driver, serverContext([pair]));
      const same = handleOf(driver, serverContext([pair]));
      const other = handleOf(driver, serverContext([pair], { identity: Buffer.alloc(IDENTITY_BYTES, 2) }));
      const options: ConnectionOptions = { ...trusting(), minVersion: version, maxVersion: version };
      secureAll(driver, first);
      const { id, peer, session } = await secure(driver, options);
      driver.send(id, '!');
      await peer.read(1);
      const ticket = await within(MS, 'a session', session);
      const resumed = async (handle: number) => {
        secureAll(driver, handle);
        const again = await secure(driver, { ...options, session: ticket });
        expect(again.flags & SECURED_RESUMED).toBe(again.socket.isSessionReused() ? SECURED_RESUMED : 0);
        driver.send(again.id, '!');
        await again.peer.read(1);
        return again.socket.isSessionReused();
      };
      expect(await resumed(same)).toBe(true);
      expect(await resumed(other)).toBe(false);
      driver.engine.setTicketKeys(Buffer.alloc(TICKET_KEY_BYTES, 8));
      expect(await resumed(first)).toBe(false);
    },
  );

  it('notices that a client leaves while it is paused', async () => {
    const driver = await use();
    secureAll(driver, handleOf(driver, serverContext([pair])));
    const { id, peer } = await secure(driver, trusting());
    driver.inRound = undefined;
    driver.order((writer) => writer.pause(id));
    await driver.settle();
    peer.end();
    await driver.next('end', id);
  });

  it('relays to and from plain connections: exactly as much as it was told to', async () => {
    const driver = await use();
    secureAll(driver, handleOf(driver, serverContext([pair])));
    const { id, peer } = await secure(driver, trusting());
    driver.inRound = undefined;
    const upstream = await driver.dial();
    driver.order((writer) => writer.relay(id, upstream.id, 2 * MIB + 5));
    const hash = await peer.sendBlocks(2 * MIB);
    peer.send('12345and what follows');
    expect(await digestOf(upstream.peer, 2 * MIB)).toBe(hash);
    expect(await upstream.peer.readText(5)).toBe('12345');
    await driver.next('relayDone', id);
    expect(await driver.text(id, 16)).toBe('and what follows');
    driver.order((writer) => writer.relay(upstream.id, id, 3 * MIB));
    const backHash = upstream.peer.sendBlocks(3 * MIB);
    expect(await digestOf(peer, 3 * MIB)).toBe(await backHash);
    await driver.next('relayDone', upstream.id);
  });

  it('tunnels, and passes on each end', async () => {
    const driver = await use();
    secureAll(driver, handleOf(driver, serverContext([pair])));
    const { id, peer } = await secure(driver, trusting());
    driver.inRound = undefined;
    const upstream = await driver.dial();
    driver.order((writer) => writer.tunnel(id, upstream.id, 0));
    peer.send('up');
    expect(await upstream.peer.readText(2)).toBe('up');
    upstream.peer.send('down');
    expect(await peer.readText(4)).toBe('down');
    peer.end();
    await upstream.peer.readToEnd();
    upstream.peer.send('still');
    expect(await peer.readText(5)).toBe('still');
    upstream.peer.end();
    await peer.readToEnd();
    expect(await driver.next('tunnelClosed')).toMatchObject({ reason: 0, bytesForward: 2, bytesBack: 9 });
  });

  it('holds back a relay while the client takes nothing', async () => {
    const driver = await use();
    secureAll(driver, handleOf(driver, serverContext([pair])));
    const { id, peer } = await secure(driver, trusting());
    driver.inRound = undefined;
    const upstream = await driver.dial();
    peer.socket.pause();
    driver.order((writer) => writer.relay(upstream.id, id, 48 * MIB));
    const hash = upstream.peer.sendBlocks(48 * MIB);
    await driver.settle();
    peer.socket.resume();
    expect(await digestOf(peer, 48 * MIB)).toBe(await hash);
  });

  it('says what is wrong with a context', async () => {
    const driver = await use();
    const other = await authority.server('b.test');
    expect(driver.engine.rememberContext(serverContext([{ ...pair, key: other.key }]))).toMatch(/key/);
    expect(driver.engine.rememberContext(serverContext([{ certificate: 'nothing', key: pair.key }]))).toEqual(
      expect.any(String),
    );
    expect(driver.engine.rememberContext(serverContext([pair], { ciphers: 'NONE-SUCH' }))).toEqual(expect.any(String));
  });
}

export function secureDialing(use: UseDriver): void {
  let authority: Authority;
  let pair: Pair;

  beforeAll(async () => {
    authority = await Authority.create();
    pair = await authority.sign({ names: ['a.test'], addresses: ['127.0.0.1'] });
  });

  const dialOver = (driver: EngineDriver, port: number, context: SecureContext, serverName: string) =>
    driver.engine.dial(
      driver.engine.rememberAddress(
        { family: 4, host: '127.0.0.1', port },
        { context: handleOf(driver, context), serverName },
      ),
    );

  it.each(['a.test', '127.0.0.1'])(
    'is connected once an endpoint has proved to be %s; what was sent before goes first',
    async (name) => {
      const driver = await use();
      const server = await secureServer(driver, { cert: pair.certificate, key: pair.key });
      const id = dialOver(driver, server.port, clientContext(authority.certificate), name);
      driver.send(id, 'sent early');
      await driver.next('connected', id);
      const peer = await server.next();
      expect(await peer.readText(10)).toBe('sent early');
      peer.send('hello');
      expect(await driver.text(id, 5)).toBe('hello');
      peer.end();
      await driver.next('end', id);
      driver.order((writer) => writer.close(id));
      await peer.readToEnd();
    },
  );

  it.each([
    ['is another one', 'b.test', true],
    ['is signed by nobody we know', 'a.test', false],
  ] as const)('fails where the endpoint %s, and says so', async (_, name, isKnown) => {
    const driver = await use();
    const server = await secureServer(driver, { cert: pair.certificate, key: pair.key });
    const { certificate } = isKnown ? authority : await Authority.create('CN=Other');
    let reason = '';
    driver.inRound = (event) => {
      if (event.kind === 'connectFailed') reason = driver.engine.secureFailure(event.id);
      return false;
    };
    const id = dialOver(driver, server.port, clientContext(certificate), name);
    expect((await driver.next('connectFailed', id)).errno).toBe(EKEYREJECTED);
    expect(reason).not.toBe('');
    const trusting = dialOver(driver, server.port, clientContext('', { verify: false }), name);
    await driver.next('connected', trusting);
  });

  it('goes on to another endpoint with what was sent', async () => {
    const driver = await use();
    const plain = await driver.server();
    const server = await secureServer(driver, { cert: pair.certificate, key: pair.key });
    const context = handleOf(driver, clientContext(authority.certificate));
    const secured = { context, serverName: 'a.test' };
    const id = driver.engine.dial(
      driver.engine.rememberAddress({ family: 4, host: '127.0.0.1', port: plain.port }, secured),
    );
    driver.send(id, 'for whoever speaks TLS');
    const mute = await plain.next();
    mute.send('220 no TLS here\r\n');
    expect((await driver.next('connectFailed', id)).errno).toBe(EPROTO);
    const next = driver.engine.rememberAddress({ family: 4, host: '127.0.0.1', port: server.port }, secured);
    expect(driver.engine.redial(id, next)).toBe(0);
    await driver.next('connected', id);
    expect(await (await server.next()).readText(22)).toBe('for whoever speaks TLS');
  });

  it('shows its certificate, and resumes the session of the last connection', async () => {
    const driver = await use();
    const mine = await authority.client('proxy');
    const server = await secureServer(driver, {
      cert: pair.certificate,
      key: pair.key,
      ca: authority.certificate,
      requestCert: true,
    });
    const context = handleOf(driver, clientContext(authority.certificate, { pairs: [{ ...mine, ocsp: NO_BYTES }] }));
    const address = driver.engine.rememberAddress(
      { family: 4, host: '127.0.0.1', port: server.port },
      { context, serverName: 'a.test' },
    );
    const reused: boolean[] = [];
    for (let count = 0; count < 3; count++) {
      const id = driver.engine.dial(address);
      await driver.next('connected', id);
      const peer = await server.next();
      const socket = peer.socket as TLSSocket;
      expect(socket.getPeerX509Certificate()?.subject).toContain('CN=proxy');
      reused.push(socket.isSessionReused());
      peer.send('!');
      await driver.data(id, 1);
      driver.order((writer) => writer.close(id));
      await peer.readToEnd();
    }
    expect(reused).toEqual([false, true, true]);
  });

  it('takes an end without a word for a failure', async () => {
    const driver = await use();
    const server = await secureServer(driver, { cert: pair.certificate, key: pair.key });
    const id = dialOver(driver, server.port, clientContext(authority.certificate), 'a.test');
    await driver.next('connected', id);
    const peer = await server.next();
    peer.send('half an answer');
    expect(await driver.text(id, 14)).toBe('half an answer');
    // Below TLS, so that no close_notify is sent.
    (peer.socket as unknown as { _parent: { destroy(): void } })._parent.destroy();
    const event = await Promise.race([driver.next('closed', id), driver.next('end', id)]);
    if (driver.engine.kind === 'native') expect(event.kind).toBe('closed');
  });
}
