import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/engine/binding.ts';
import { NodeEngine } from '../../src/engine/node-engine.ts';
import { eventually } from './deadline.ts';
import { EngineDriver } from './engine-driver.ts';
import { Peer } from './peer.ts';

const EBADF = 9;
const ENOSYS = 38;
const EADDRINUSE = 98;
const LOOPBACK = { family: 4, host: '127.0.0.1', port: 0 } as const;

describe('the node engine without the addon', () => {
  const drivers: EngineDriver[] = [];
  const peers: Peer[] = [];
  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.destroy();
    for (const driver of drivers.splice(0)) await driver.close();
  });

  async function listening(descriptorsMax = 100): Promise<{ engine: NodeEngine; driver: EngineDriver; port: number }> {
    const engine = new NodeEngine({ descriptorsMax });
    const driver = new EngineDriver(engine);
    drivers.push(driver);
    expect(await engine.listen(1, LOOPBACK)).toBe(0);
    const address = engine.listenerAddress(1);
    if (address?.family !== 4) throw new Error('the listener has no address');
    return { engine, driver, port: address.port };
  }

  function begin(port: number): Peer {
    const peer = Peer.begin(port);
    peers.push(peer);
    return peer;
  }

  it('cannot adopt a descriptor, and says so', () => {
    const engine = new NodeEngine({ descriptorsMax: 10 });
    expect(engine.adoptListener(0, 0)).toBe(-ENOSYS);
  });

  it('binds a listener of its own and accepts', async () => {
    const { driver, port } = await listening();
    const peer = begin(port);
    const { id, listener } = await driver.next('accepted');
    expect(listener).toBe(1);
    peer.send('hello');
    expect(await driver.text(id, 5)).toBe('hello');
  });

  it('says that a port is in use, and may then try another', async () => {
    const { engine, port } = await listening();
    expect(await engine.listen(2, { ...LOOPBACK, port })).toBe(-EADDRINUSE);
    expect(await engine.listen(2, LOOPBACK)).toBe(0);
  });

  it('binds a unix socket', async () => {
    const { engine, driver } = await listening();
    const path = join(tmpdir(), `fourseven-${randomUUID()}.sock`);
    expect(await engine.listen(2, { family: 'unix', path })).toBe(0);
    expect(engine.listenerAddress(2)).toEqual({ family: 'unix', path });
    peers.push(await Peer.connect(path));
    expect(await driver.next('accepted')).toMatchObject({ listener: 2, family: 0 });
  });

  it('keeps what comes to a paused listener until it is resumed', async () => {
    const { engine, driver, port } = await listening();
    engine.pauseListener(1);
    const peer = await Peer.connect(port);
    peers.push(peer);
    peer.send('waiting');
    const second = await Peer.connect(port);
    peers.push(second);
    expect(driver.events).toEqual([]);
    engine.resumeListener(1);
    const { id } = await driver.next('accepted');
    expect(await driver.text(id, 7)).toBe('waiting');
    await driver.next('accepted');
  });

  it('closes what comes while there is no room, serves the rest, and recovers', async () => {
    // The listener, two connections, and their twins are all that fits.
    const { driver, port } = await listening(6);
    const first = begin(port);
    const { id } = await driver.next('accepted');
    begin(port);
    const second = await driver.next('accepted');
    expect((await begin(port).readToEnd()).length).toBe(0);
    expect(driver.counter('ACCEPT_PAUSES')).toBeGreaterThan(0);
    first.send('still');
    expect(await driver.text(id, 5)).toBe('still');
    driver.order((writer) => writer.close(second.id));
    await eventually(() => driver.counter('CONNECTIONS_OPEN') === 1, 'room');
    begin(port);
    await driver.next('accepted');
  });

  it('takes what waited before a listener closes, and refuses connections then', async () => {
    const { engine, driver, port } = await listening();
    engine.pauseListener(1);
    for (let i = 0; i < 5; i++) peers.push(await Peer.connect(port));
    engine.closeListener(1);
    for (let i = 0; i < 5; i++) await driver.next('accepted');
    await eventually(() => engine.listenerAddress(1) === undefined, 'the listener to close');
    expect(await begin(port).closed()).toBe('ECONNREFUSED');
  });

  it('closes while a listener is being bound', async () => {
    const engine = new NodeEngine({ descriptorsMax: 10 });
    engine.start(() => 0);
    const bound = engine.listen(0, LOOPBACK);
    await engine.close();
    expect(await bound).toBeLessThanOrEqual(0);
    expect(engine.listenerAddress(0)).toBeUndefined();
  });
});

describe.skipIf(loadAddon().addon === undefined)('the node engine with the addon', () => {
  it('refuses to adopt what is no listening socket, and leaves nothing of it open', async () => {
    const { duplicateDescriptor: duplicate } = loadAddon().addon!;
    const engine = new NodeEngine({ descriptorsMax: 10, duplicate });
    const file = openSync(process.execPath, 'r');
    const before = readdirSync('/proc/self/fd').length;
    expect(engine.adoptListener(0, file)).toBeLessThan(0);
    expect(engine.adoptListener(0, 1_000_000)).toBe(-EBADF);
    expect(readdirSync('/proc/self/fd').length).toBe(before);
    closeSync(file);
    await engine.close();
  });
});
