import { describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/engine/binding.ts';
import {
  COUNTERS_LISTENER_OFFSET,
  COUNTERS_PER_LISTENER,
  LISTENERS_MAX,
  ListenerCounter,
} from '../../src/engine/protocol.ts';
import { deafPort } from './contract-dial.ts';
import { eventually } from './deadline.ts';
import type { UseDriver } from './engine-contract.ts';
import { type AcceptedPair, EngineDriver, type MakeEngine } from './engine-driver.ts';
import { nothingAddedTo, openFiles } from './open-files.ts';
import { closedPort, Peer } from './peer.ts';

const EMFILE = 24;
const DESCRIPTORS_MAX = 16;
/** More clients than fit DESCRIPTORS_MAX. */
const CLIENTS = 12;
const LARGE_BYTES = 24 * 1024 * 1024;
const LOOPBACK = { family: 4, host: '127.0.0.1', port: 0 } as const;

export function listeners(use: UseDriver, makeEngine: MakeEngine): void {
  // Only the addon makes sockets that an engine can adopt.
  describe.skipIf(loadAddon().addon === undefined)('adopted', () => adopted(use));
  running(use);
  describe('close', () => closeAtAnyStage(use, makeEngine));
}

function adopted(use: UseDriver): void {
  it('stops accepting when descriptors run out, serves those it has, and recovers', async () => {
    const driver = await use({ descriptorsMax: DESCRIPTORS_MAX });
    const peers = Array.from({ length: CLIENTS }, () => Peer.begin(driver.port));
    driver.atEnd(() => {
      for (const peer of peers) peer.destroy();
    });
    const served: AcceptedPair[] = [];
    const serve = async () => served.push(await greet(driver, peers));
    await serve();
    await eventually(() => driver.counter('ACCEPT_PAUSES') > 0, 'accepting to pause');
    while (driver.events.some((event) => event.kind === 'accepted')) await serve();
    expect(served.length).toBeLessThan(CLIENTS);
    expect(driver.counter('DESCRIPTORS_OPEN')).toBeLessThanOrEqual(DESCRIPTORS_MAX);
    for (const { id, peer } of served) await echo(driver, id, peer);
    while (served.length < CLIENTS) {
      driver.order((writer) => writer.close(served[served.length - 1]!.id));
      await serve();
    }
    const last = served[CLIENTS - 1]!;
    await echo(driver, last.id, last.peer);
  });

  it('refuses to dial beyond its descriptors, and dials again when there is room', async () => {
    const driver = await use({ descriptorsMax: DESCRIPTORS_MAX });
    const server = await driver.server();
    const handle = driver.remember(server.port);
    const ids: number[] = [];
    let result = 0;
    while (ids.length <= DESCRIPTORS_MAX) {
      result = driver.engine.dial(handle);
      if (result < 0) break;
      ids.push(result);
    }
    expect(result).toBe(-EMFILE);
    for (const id of ids) await driver.next('connected', id);
    driver.order((writer) => writer.reset(ids[0]!));
    await eventually(() => {
      const id = driver.engine.dial(handle);
      if (id < 0) return false;
      ids[0] = id;
      return true;
    }, 'room for another dial');
    await driver.next('connected', ids[0]);
  });

  it('keeps the queue while a listener is paused', async () => {
    const driver = await use();
    const port = await driver.listen(1, LOOPBACK);
    driver.engine.pauseListener(1);
    const peers = [await Peer.connect(port), await Peer.connect(port)];
    for (const peer of peers) peer.send('in the queue');
    await driver.settle();
    expect(driver.take('accepted')).toBeUndefined();
    driver.engine.resumeListener(1);
    for (const peer of peers) {
      const { id } = await driver.next('accepted');
      expect(await driver.text(id, 12)).toBe('in the queue');
      peer.destroy();
    }
  });

  it('takes what is in the queue before a listener closes', async () => {
    const driver = await use();
    const port = await driver.listen(1, LOOPBACK);
    driver.engine.pauseListener(1);
    const peers = await Promise.all(Array.from({ length: 20 }, () => Peer.connect(port)));
    driver.engine.closeListener(1);
    for (const _ of peers) expect((await driver.next('accepted')).listener).toBe(1);
    await driver.settle();
    const late = await Peer.connect(port);
    await driver.settle();
    expect(driver.take('accepted')).toBeUndefined();
    for (const peer of [...peers, late]) peer.destroy();
  });

  it('gives back the descriptors and the place of a listener that has closed', async () => {
    const driver = await use();
    await driver.settle();
    const before = driver.counter('DESCRIPTORS_OPEN');
    await driver.listen(1, LOOPBACK);
    driver.engine.closeListener(1);
    await eventually(() => driver.engine.adoptListener(1, -1) !== -16, 'the place to be free');
    await driver.settle();
    await eventually(() => driver.counter('DESCRIPTORS_OPEN') === before, 'its descriptors to be given back');
    const port = await driver.listen(1, LOOPBACK);
    const peer = await Peer.connect(port);
    await driver.next('accepted');
    peer.destroy();
  });

  it('works on when the caller closes its own descriptor', async () => {
    const driver = await use();
    const addon = loadAddon().addon!;
    const fd = addon.listenSocket('127.0.0.1', 0, 16);
    const port = addon.socketPort(fd);
    expect(driver.engine.adoptListener(1, fd)).toBe(0);
    expect(addon.closeDescriptor(fd)).toBe(0);
    driver.engine.pauseListener(1);
    driver.engine.resumeListener(1);
    const peer = await Peer.connect(port);
    await driver.next('accepted');
    peer.destroy();
  });

  it('refuses a place that is taken or does not exist, and what is no socket', async () => {
    const driver = await use();
    const addon = loadAddon().addon!;
    const fd = addon.listenSocket('127.0.0.1', 0, 16);
    expect(driver.engine.adoptListener(0, fd)).toBeLessThan(0);
    expect(driver.engine.adoptListener(LISTENERS_MAX, fd)).toBeLessThan(0);
    expect(driver.engine.adoptListener(1, 1_000_000)).toBeLessThan(0);
    addon.closeDescriptor(fd);
  });
}

function running(use: UseDriver): void {
  it('counts what a listener accepted, received and sent', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    peer.send('12345');
    await driver.data(id, 5);
    driver.send(id, '123');
    await peer.read(3);
    const counter = (which: number) => driver.engine.counters[COUNTERS_LISTENER_OFFSET + which];
    expect(COUNTERS_PER_LISTENER).toBe(4);
    expect(counter(ListenerCounter.CONNECTIONS)).toBe(1);
    expect(counter(ListenerCounter.ACCEPTED)).toBe(1);
    expect(counter(ListenerCounter.BYTES_RECEIVED)).toBe(5);
    expect(counter(ListenerCounter.BYTES_SENT)).toBe(3);
    driver.order((writer) => writer.close(id));
    await eventually(() => counter(ListenerCounter.CONNECTIONS) === 0, 'the connection to be counted out');
  });

  it('serves many connections at once', async () => {
    const driver = await use();
    driver.inRound = (event) => {
      if (event.kind !== 'data') return false;
      driver.writer.send(event.id, event.id, 0, event.offset, event.length);
      return true;
    };
    const peers = await Promise.all(Array.from({ length: 300 }, () => Peer.connect(driver.port)));
    const said = peers.map((_, i) => `I am number ${i}`);
    for (let i = 0; i < peers.length; i++) peers[i]!.send(said[i]!);
    const heard = await Promise.all(peers.map((peer, i) => peer.readText(said[i]!.length)));
    expect(heard).toEqual(said);
    for (const peer of peers) peer.destroy();
  });
}

/** What an engine is in the middle of when it is closed. */
const STAGES: readonly [string, (driver: EngineDriver) => Promise<void>][] = [
  ['nothing was accepted', async () => {}],
  [
    'connections are idle',
    async (driver) => {
      await driver.pair();
    },
  ],
  [
    'it is connecting',
    async (driver) => {
      const target = loadAddon().addon === undefined ? await closedPort() : await deafPort(driver);
      driver.engine.dial(driver.remember(target));
    },
  ],
  [
    'a dial has failed',
    async (driver) => {
      const id = driver.engine.dial(driver.remember(await closedPort()));
      driver.send(id, 'waiting');
      await driver.next('connectFailed', id);
    },
  ],
  [
    'output is pending',
    async (driver) => {
      await driver.fill(await driver.accept());
    },
  ],
  [
    'closed connections flush and linger',
    async (driver) => {
      const [flushing, lingering] = [await driver.accept(), await driver.accept()];
      await driver.fill(flushing);
      driver.order((writer) => {
        writer.close(flushing.id);
        writer.closeLingering(lingering.id, 20_000);
      });
    },
  ],
  [
    'a relay is under way',
    async (driver) => {
      const { client, upstream } = await driver.pair();
      upstream.peer.socket.pause();
      driver.order((writer) => writer.relay(client.id, upstream.id, 2 * LARGE_BYTES));
      client.peer.sendBlocks(LARGE_BYTES).catch(() => 'cut');
      await driver.settle();
    },
  ],
  [
    'a tunnel is under way',
    async (driver) => {
      const { client, upstream } = await driver.pair();
      driver.order((writer) => writer.tunnel(client.id, upstream.id, 60_000));
      client.peer.sendBlocks(LARGE_BYTES).catch(() => 'cut');
      upstream.peer.sendBlocks(LARGE_BYTES).catch(() => 'cut');
      await driver.settle();
    },
  ],
  [
    'a listener is closing',
    async (driver) => {
      await driver.accept();
      driver.engine.closeListener(0);
    },
  ],
];

function closeAtAnyStage(use: UseDriver, makeEngine: MakeEngine): void {
  it.each(STAGES)('leaves nothing open when %s', async (_name, reach) => {
    const before = openFiles();
    const driver = await EngineDriver.open(makeEngine);
    await reach(driver);
    await driver.close();
    await nothingAddedTo(before);
  });

  it('may be called within a round, whose commands then do nothing', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    let closed: Promise<void> | undefined;
    let rounds = 0;
    driver.inRound = (event) => {
      if (event.kind !== 'data') return false;
      rounds += 1;
      closed ??= driver.engine.close();
      driver.writer.send(id, 0, 0, event.offset, event.length);
      return false;
    };
    peer.send('x');
    expect(await peer.closed()).toBe('ECONNRESET');
    await closed;
    expect(peer.bytesReceived).toBe(0);
    expect(rounds).toBe(1);
  });

  it('resets every connection, and is dead afterwards', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    const handle = driver.remember(driver.port);
    const closed = driver.engine.close();
    expect(driver.engine.close()).toBe(closed);
    await closed;
    expect(await client.peer.closed()).toBe('ECONNRESET');
    expect(await upstream.peer.closed()).toBe('ECONNRESET');
    expect(driver.engine.dial(handle)).toBeLessThan(0);
    driver.send(client.id, 'nobody hears');
    driver.order((writer) => writer.reset(upstream.id));
  });
}

/** Takes the next accepted client, and finds out which it is: the engine accepts in its own order. */
async function greet(driver: EngineDriver, peers: readonly Peer[]): Promise<AcceptedPair> {
  const { id, port } = await driver.next('accepted');
  return { id, peer: peers.find((peer) => peer.localPort === port)! };
}

async function echo(driver: EngineDriver, id: number, peer: Peer): Promise<void> {
  peer.send('echo?');
  expect(await driver.text(id, 5)).toBe('echo?');
  driver.send(id, 'echo!');
  expect(await peer.readText(5)).toBe('echo!');
}
