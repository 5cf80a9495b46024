import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadAddon } from '../../src/engine/binding.ts';
import { RETAIN_MAX_BYTES, SEND_RETAIN } from '../../src/engine/protocol.ts';
import { eventually } from './deadline.ts';
import type { UseDriver } from './engine-contract.ts';
import type { EngineDriver } from './engine-driver.ts';
import { closedPort, Peer, PeerServer } from './peer.ts';

const ECONNREFUSED = 111;
const ENOENT = 2;
const EBADF = 9;
/** Connections that fill a queue of length 0, and more. */
const QUEUE_FILLERS = 4;

export function dialing(use: UseDriver): void {
  it('connects, and moves bytes both ways', async () => {
    const driver = await use();
    const { id, peer } = await driver.dial();
    driver.send(id, 'ping');
    expect(await peer.readText(4)).toBe('ping');
    peer.send('pong');
    expect(await driver.text(id, 4)).toBe('pong');
    expect(driver.counter('CONNECTIONS_DIALED')).toBe(1);
  });

  it('connects to a unix socket', async () => {
    const driver = await use();
    const path = join(tmpdir(), `fourseven-${randomUUID()}.sock`);
    const server = await PeerServer.open(path);
    driver.atEnd(() => server.close());
    const id = driver.engine.dial(driver.engine.rememberAddress({ family: 'unix', path }));
    await driver.next('connected', id);
    driver.send(id, 'ping');
    expect(await (await server.next()).readText(4)).toBe('ping');
    driver.order((writer) => writer.reset(id));
  });

  it('says that a connection was refused, and keeps the id', async () => {
    const driver = await use();
    const id = driver.engine.dial(driver.remember(await closedPort()));
    expect(await driver.next('connectFailed', id)).toMatchObject({ errno: ECONNREFUSED });
    expect(driver.engine.isOpen(id)).toBe(true);
    driver.order((writer) => writer.close(id));
    expect(driver.engine.isOpen(id)).toBe(false);
  });

  it('says that a unix socket is not there', async () => {
    const driver = await use();
    const path = join(tmpdir(), `fourseven-${randomUUID()}.sock`);
    const id = driver.engine.dial(driver.engine.rememberAddress({ family: 'unix', path }));
    expect(await driver.next('connectFailed', id)).toMatchObject({ errno: ENOENT });
  });

  it('delivers what was sent before it was connected', async () => {
    const driver = await use();
    const server = await driver.server();
    const id = driver.engine.dial(driver.remember(server.port));
    driver.send(id, 'early ');
    driver.send(id, 'bird');
    driver.order((writer) => writer.halfClose(id));
    expect((await (await server.next()).readToEnd()).toString()).toBe('early bird');
    await driver.next('connected', id);
  });

  it('keeps what was sent for a redial after a refusal', async () => {
    const driver = await use();
    const server = await driver.server();
    const id = driver.engine.dial(driver.remember(await closedPort()));
    driver.send(id, 'GET / HTTP/1.1');
    await driver.next('connectFailed', id);
    driver.send(id, '; more');
    expect(driver.engine.redial(id, driver.remember(server.port))).toBe(0);
    await driver.next('connected', id);
    expect(await (await server.next()).readText(20)).toBe('GET / HTTP/1.1; more');
  });

  it('tells the deadline that is set after a refusal, and none that was set before', async () => {
    const driver = await use();
    const id = driver.engine.dial(driver.remember(await closedPort()));
    driver.order((writer) => writer.deadline(id, 40));
    await driver.next('connectFailed', id);
    await driver.settle(100);
    expect(driver.kindsOf(id)).toEqual([]);
    driver.order((writer) => writer.deadline(id, 40));
    await driver.next('deadline', id);
    const server = await driver.server();
    expect(driver.engine.redial(id, driver.remember(server.port))).toBe(0);
    await driver.next('connected', id);
  });

  it('reserves an id that takes what is sent and a deadline, and is dialed later', async () => {
    const driver = await use();
    const server = await driver.server();
    const id = driver.engine.reserve();
    driver.send(id, 'later');
    driver.order((writer) => writer.deadline(id, 40));
    await driver.next('deadline', id);
    expect(driver.kindsOf(id)).toEqual([]);
    expect(driver.engine.redial(id, driver.remember(server.port))).toBe(0);
    await driver.next('connected', id);
    expect(await (await server.next()).readText(5)).toBe('later');
  });

  it('gives a reserved id back when it is closed', async () => {
    const driver = await use();
    const id = driver.engine.reserve();
    driver.send(id, 'never');
    driver.order((writer) => writer.close(id));
    expect(driver.engine.isOpen(id)).toBe(false);
    await driver.settle();
    expect(driver.kindsOf(id)).toEqual([]);
  });

  it('does not read the source of what waits for a connection to be made', async () => {
    const driver = await use();
    const source = await driver.accept();
    const id = driver.engine.dial(driver.remember(await closedPort()));
    driver.send(id, 'head', source.id);
    source.peer.send('body');
    await driver.next('connectFailed', id);
    await driver.settle();
    expect(driver.kindsOf(source.id)).toEqual([]);
    const server = await driver.server();
    driver.engine.redial(id, driver.remember(server.port));
    expect(await driver.text(source.id, 4)).toBe('body');
  });

  it.skipIf(loadAddon().addon === undefined)(
    'tells the deadline of a dial that gets no answer, and redials the id',
    async () => {
      const driver = await use();
      const deaf = await deafPort(driver);
      const id = driver.engine.dial(driver.remember(deaf));
      driver.send(id, 'hello');
      driver.order((writer) => writer.deadline(id, 60));
      await driver.next('deadline', id);
      expect(driver.engine.isOpen(id)).toBe(true);
      const server = await driver.server();
      expect(driver.engine.redial(id, driver.remember(server.port))).toBe(0);
      await driver.next('connected', id);
      expect(await (await server.next()).readText(5)).toBe('hello');
    },
  );

  it.skipIf(loadAddon().addon === undefined)('drops a dial under way when it is closed', async () => {
    const driver = await use();
    const open = driver.counter('CONNECTIONS_OPEN');
    const id = driver.engine.dial(driver.remember(await deafPort(driver)));
    driver.send(id, 'never');
    driver.order((writer) => writer.close(id));
    expect(driver.engine.isOpen(id)).toBe(false);
    await driver.settle();
    expect(driver.kindsOf(id)).toEqual([]);
    await eventually(() => driver.counter('CONNECTIONS_OPEN') === open, 'the socket to close');
  });

  it('refuses to redial what is connected, or gone', async () => {
    const driver = await use();
    const { id } = await driver.dial();
    const handle = driver.remember(driver.port);
    expect(driver.engine.redial(id, handle)).toBe(-EBADF);
    driver.order((writer) => writer.close(id));
    expect(driver.engine.redial(id, handle)).toBe(-EBADF);
  });

  it('reuses the handle of a forgotten address', async () => {
    const driver = await use();
    const first = driver.remember(1);
    const second = driver.remember(2);
    driver.engine.forgetAddress(first);
    expect(driver.remember(3)).toBe(first);
    expect(second).not.toBe(first);
    driver.engine.forgetAddress(second);
    expect(driver.engine.dial(second)).toBeLessThan(0);
  });
}

export function replaying(use: UseDriver): void {
  it('sends again, on another connection, what was retained', async () => {
    const driver = await use();
    const first = await driver.dial();
    driver.send(first.id, 'GET ', 0, SEND_RETAIN);
    driver.send(first.id, '/once', 0, SEND_RETAIN);
    await first.peer.read(9);
    const second = await driver.dial();
    driver.order((writer) => writer.replay(first.id, second.id));
    expect(await second.peer.readText(9)).toBe('GET /once');
  });

  it('replays in the round that tells of the failure, and retains for the next attempt', async () => {
    const driver = await use();
    const first = await driver.dial();
    driver.send(first.id, 'again', 0, SEND_RETAIN);
    await first.peer.read(5);
    const server = await driver.server();
    const handle = driver.remember(server.port);
    let second = 0;
    driver.inRound = (event) => {
      if (event.kind !== 'closed' || event.id !== first.id) return false;
      second = driver.engine.dial(handle);
      driver.writer.replay(first.id, second);
      return false;
    };
    first.peer.reset();
    await driver.next('closed', first.id);
    const peer = await server.next();
    expect(await peer.readText(5)).toBe('again');
    const third = await driver.dial();
    driver.order((writer) => writer.replay(second, third.id));
    expect(await third.peer.readText(5)).toBe('again');
  });

  it('forgets what was retained with the first byte that comes back', async () => {
    const driver = await use();
    const first = await driver.dial();
    driver.send(first.id, 'kept', 0, SEND_RETAIN);
    first.peer.send('.');
    await driver.data(first.id, 1);
    await expectNoReplay(driver, first.id);
  });

  it('forgets what was retained when it is released', async () => {
    const driver = await use();
    const first = await driver.dial();
    driver.send(first.id, 'kept', 0, SEND_RETAIN);
    driver.order((writer) => writer.release(first.id));
    await expectNoReplay(driver, first.id);
  });

  it('forgets what was retained when something else is sent', async () => {
    const driver = await use();
    const first = await driver.dial();
    driver.send(first.id, 'kept', 0, SEND_RETAIN);
    driver.send(first.id, 'not kept');
    await expectNoReplay(driver, first.id);
  });

  it('forgets what was retained when something is relayed to it', async () => {
    const driver = await use();
    const first = await driver.dial();
    const body = await driver.accept();
    driver.send(first.id, 'kept', 0, SEND_RETAIN);
    driver.order((writer) => writer.relay(body.id, first.id, 4));
    body.peer.send('body');
    await driver.next('relayDone', body.id);
    expect(await first.peer.readText(8)).toBe('keptbody');
    await expectNoReplay(driver, first.id);
  });

  it('forgets what was retained when it becomes too much', async () => {
    const driver = await use();
    const first = await driver.dial();
    driver.send(first.id, Buffer.alloc(RETAIN_MAX_BYTES + 1), 0, SEND_RETAIN);
    await first.peer.read(RETAIN_MAX_BYTES + 1);
    await expectNoReplay(driver, first.id);
  });

  it('replays as much as may be retained', async () => {
    const driver = await use();
    const first = await driver.dial();
    const bytes = Buffer.alloc(RETAIN_MAX_BYTES, 'r');
    driver.send(first.id, bytes, 0, SEND_RETAIN);
    await first.peer.read(bytes.length);
    const second = await driver.dial();
    driver.order((writer) => writer.replay(first.id, second.id));
    expect((await second.peer.read(bytes.length)).equals(bytes)).toBe(true);
  });
}

async function expectNoReplay(driver: EngineDriver, from: number): Promise<void> {
  const second = await driver.dial();
  driver.order((writer) => writer.replay(from, second.id));
  driver.send(second.id, 'only this');
  driver.order((writer) => writer.halfClose(second.id));
  expect((await second.peer.readToEnd()).toString()).toBe('only this');
}

/** A port of loopback whose queue is full: what is sent to it gets no answer. */
export async function deafPort(driver: EngineDriver): Promise<number> {
  const addon = loadAddon().addon!;
  const fd = addon.listenSocket('127.0.0.1', 0, 0);
  const port = addon.socketPort(fd);
  const fillers = Array.from({ length: QUEUE_FILLERS }, () => Peer.begin(port));
  driver.atEnd(() => {
    for (const filler of fillers) filler.destroy();
    addon.closeDescriptor(fd);
  });
  await new Promise((resolve) => fillers[0]!.socket.once('connect', resolve));
  return port;
}
