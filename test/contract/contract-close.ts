import { expect, it } from 'vitest';
import type { CommandWriter } from '../../src/engine/command-writer.ts';
import { INDEX_MASK, LINGER_MAX_BYTES, SCRATCH_OFFSET, SEND_RETAIN } from '../../src/engine/protocol.ts';
import { eventually } from './deadline.ts';
import type { UseDriver } from './engine-contract.ts';
import type { AcceptedPair, EngineDriver } from './engine-driver.ts';

/** More than a lingering connection discards, and than the kernel keeps for it. */
const LARGE_BYTES = 24 * 1024 * 1024;
const EBADF = 9;

export function closing(use: UseDriver): void {
  it('closes after what is pending has left', async () => {
    const driver = await use();
    const accepted = await driver.accept();
    const { id, peer } = accepted;
    const answer = await driver.fill(accepted);
    driver.order((writer) => writer.close(id));
    expect(driver.engine.isOpen(id)).toBe(false);
    await driver.settle();
    peer.socket.resume();
    expect((await peer.readToEnd()).equals(answer)).toBe(true);
    peer.end();
    await eventually(() => driver.counter('CONNECTIONS_OPEN') === 0, 'the socket to close');
  });

  it('tells nothing of a connection that it was told to close', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    driver.order((writer) => writer.close(id));
    peer.send('too late');
    peer.reset();
    await driver.settle();
    expect(driver.kindsOf(id)).toEqual([]);
  });

  it('drops what it received before RESET or CLOSE in the same round', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    driver.inRound = (event) => {
      if (event.kind === 'data') driver.writer.close(event.id);
      return false;
    };
    peer.send('a');
    peer.send('b');
    peer.end();
    await driver.next('data', id);
    await peer.readToEnd();
    driver.inRound = undefined;
    await driver.settle();
    expect(driver.take('closed', id)).toBeUndefined();
  });

  it('lets a client that keeps sending read the answer, when it lingers', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    driver.order((writer) => writer.pause(id));
    // More than kernels keep for somebody who does not read: the client is in the middle of it.
    const sending = peer.sendBlocks(LINGER_MAX_BYTES / 2);
    await driver.settle();
    driver.send(id, 'HTTP/1.1 413 \r\n\r\n');
    driver.order((writer) => writer.closeLingering(id, 5_000));
    expect((await peer.readToEnd()).toString()).toBe('HTTP/1.1 413 \r\n\r\n');
    await sending;
    await peer.sendBlocks(LINGER_MAX_BYTES / 4);
    peer.end();
    expect(await peer.closed()).toBe('none');
    await eventually(() => driver.counter('CONNECTIONS_OPEN') === 0, 'the socket to close');
  });

  it('lingers no longer than it was told', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    const fromMs = performance.now();
    driver.order((writer) => writer.closeLingering(id, 100));
    await peer.readToEnd();
    await eventually(() => driver.counter('CONNECTIONS_OPEN') === 0, 'the socket to close');
    expect(performance.now() - fromMs).toBeGreaterThanOrEqual(100);
  });

  it('discards no more than it may while it lingers', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    driver.order((writer) => writer.closeLingering(id, 20_000));
    peer.sendBlocks(LARGE_BYTES).catch(() => 'cut');
    await peer.closed();
    await eventually(() => driver.counter('CONNECTIONS_OPEN') === 0, 'the socket to close');
  });

  it('flushes what is pending before it lingers', async () => {
    const driver = await use();
    const accepted = await driver.accept();
    const { id, peer } = accepted;
    const answer = await driver.fill(accepted);
    driver.order((writer) => writer.closeLingering(id, 2_000));
    peer.send('still sending');
    peer.socket.resume();
    expect((await peer.readToEnd()).equals(answer)).toBe(true);
    peer.end();
    expect(await peer.closed()).toBe('none');
  });

  it('resets at once, and drops what is pending', async () => {
    const driver = await use();
    const accepted = await driver.accept();
    const { id, peer } = accepted;
    const answer = await driver.fill(accepted);
    driver.order((writer) => writer.reset(id));
    peer.socket.resume();
    expect(await peer.closedWhenSending()).not.toBe('none');
    expect(peer.bytesReceived).toBeLessThan(answer.length);
  });

  it('resets after a half-close', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    driver.order((writer) => {
      writer.halfClose(id);
      writer.reset(id);
    });
    expect(await peer.closedWhenSending()).not.toBe('none');
    await eventually(() => driver.counter('CONNECTIONS_OPEN') === 0, 'the socket to close');
  });
}

export function deadlines(use: UseDriver): void {
  it('tells an absolute deadline once, never early, and keeps the connection', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    for (const ms of [1, 20, 33, 100]) {
      const elapsedMs = await expire(driver, id, (writer) => writer.deadline(id, ms));
      expect(elapsedMs).toBeGreaterThanOrEqual(ms);
    }
    await driver.settle();
    expect(driver.kindsOf(id)).toEqual([]);
    peer.send('alive');
    expect(await driver.text(id, 5)).toBe('alive');
  });

  it('does not move an absolute deadline when bytes move', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    const dripping = setInterval(() => peer.send('.'), 10);
    driver.atEnd(() => clearInterval(dripping));
    const elapsedMs = await expire(driver, id, (writer) => writer.deadline(id, 120));
    clearInterval(dripping);
    expect(elapsedMs).toBeGreaterThanOrEqual(120);
  });

  it('moves an idle deadline with bytes received and with bytes sent', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    driver.order((writer) => writer.idleDeadline(id, 120));
    let lastByteMs = 0;
    for (let i = 0; i < 6; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      lastByteMs = performance.now();
      if (i % 2 === 0) {
        peer.send('r');
        await driver.data(id, 1);
      } else {
        driver.send(id, 's');
        await peer.read(1);
      }
    }
    await driver.next('deadline', id);
    expect(performance.now() - lastByteMs).toBeGreaterThanOrEqual(120);
  });

  it('moves the idle deadline of a source with the bytes that its slow sink takes', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    await driver.fill(client);
    driver.order((writer) => {
      writer.send(client.id, upstream.id, 0, SCRATCH_OFFSET, 1);
      writer.idleDeadline(upstream.id, 200);
    });
    await new Promise((resolve) => setTimeout(resolve, 120));
    const resumedMs = performance.now();
    client.peer.socket.resume();
    await driver.next('deadline', upstream.id);
    expect(performance.now() - resumedMs).toBeGreaterThanOrEqual(200);
  });

  it('clears a deadline', async () => {
    const driver = await use();
    const { id } = await driver.accept();
    const other = await driver.accept();
    driver.order((writer) => {
      writer.deadline(id, 40);
      writer.clearDeadline(id);
    });
    await expire(driver, other.id, (writer) => writer.deadline(other.id, 120));
    expect(driver.kindsOf(id)).toEqual([]);
  });

  it('replaces a deadline by an earlier one', async () => {
    const driver = await use();
    const { id } = await driver.accept();
    driver.order((writer) => writer.deadline(id, 60_000));
    const elapsedMs = await expire(driver, id, (writer) => writer.deadline(id, 40));
    expect(elapsedMs).toBeGreaterThanOrEqual(40);
  });

  it('replaces a deadline by a later one', async () => {
    const driver = await use();
    const { id } = await driver.accept();
    driver.order((writer) => writer.deadline(id, 30));
    const elapsedMs = await expire(driver, id, (writer) => writer.deadline(id, 200));
    expect(elapsedMs).toBeGreaterThanOrEqual(200);
  });

  it('forgets the deadline of a dial that failed', async () => {
    const driver = await use();
    const id = driver.engine.dial(driver.engine.rememberAddress({ family: 'unix', path: '/nowhere/at/all.sock' }));
    driver.order((writer) => writer.deadline(id, 60));
    await driver.next('connectFailed', id);
    const other = await driver.accept();
    await expire(driver, other.id, (writer) => writer.deadline(other.id, 150));
    expect(driver.kindsOf(id)).toEqual([]);
  });

  it('keeps many deadlines apart', async () => {
    const driver = await use();
    const told: number[] = [];
    const due = new Map<number, number>();
    for (let i = 0; i < 20; i++) {
      const { id } = await driver.accept();
      const ms = 40 + ((i * 7) % 20) * 10;
      due.set(id, performance.now() + ms);
      driver.order((writer) => writer.deadline(id, ms));
    }
    for (let i = 0; i < 20; i++) {
      const { id } = await driver.next('deadline');
      expect(performance.now()).toBeGreaterThanOrEqual(due.get(id)!);
      told.push(id);
    }
    expect(new Set(told).size).toBe(20);
  });
}

/** Every command, with a given id in each place that takes one. */
const COMMANDS: readonly [string, (writer: CommandWriter, id: number, live: number) => void][] = [
  ['SEND', (writer, id) => writer.send(id, 0, SEND_RETAIN, SCRATCH_OFFSET, 4)],
  ['RELAY', (writer, id, live) => writer.relay(id, live, 4)],
  ['RELAY to it', (writer, id, live) => writer.relay(live, id, 4)],
  ['TUNNEL', (writer, id, live) => writer.tunnel(id, live, 0)],
  ['TUNNEL to it', (writer, id, live) => writer.tunnel(live, id, 0)],
  ['HOLD', (writer, id) => writer.hold(id, SCRATCH_OFFSET, 4)],
  ['PAUSE', (writer, id) => writer.pause(id)],
  ['RESUME', (writer, id) => writer.resume(id)],
  ['RESUME when drained', (writer, id) => writer.resumeWhenDrained(id)],
  ['DEADLINE', (writer, id) => writer.deadline(id, 1)],
  ['idle DEADLINE', (writer, id) => writer.idleDeadline(id, 1)],
  ['HALF_CLOSE', (writer, id) => writer.halfClose(id)],
  ['CLOSE', (writer, id) => writer.close(id)],
  ['lingering CLOSE', (writer, id) => writer.closeLingering(id, 10)],
  ['RESET', (writer, id) => writer.reset(id)],
  ['REPLAY', (writer, id, live) => writer.replay(id, live)],
  ['REPLAY to it', (writer, id, live) => writer.replay(live, id)],
  ['RELEASE', (writer, id) => writer.release(id)],
];

export function staleIds(use: UseDriver): void {
  it.each(COMMANDS)('refuses %s', async (_name, command) => {
    const driver = await use();
    const { stale, heir } = await reuseIndex(driver);
    const live = await driver.accept();
    for (const id of [stale, 0, -1, 12_345]) driver.order((writer) => command(writer, id, live.id));
    await driver.settle(3);
    for (const { id, peer } of [heir, live]) {
      peer.send('ping');
      expect(await driver.text(id, 4)).toBe('ping');
      driver.send(id, 'pong');
      expect(await peer.readText(4)).toBe('pong');
    }
    expect(driver.events).toEqual([]);
  });

  it('ignores a source that is gone', async () => {
    const driver = await use();
    const { stale, heir } = await reuseIndex(driver);
    const sink = await driver.accept();
    await driver.fill(sink);
    driver.send(sink.id, 'x', stale);
    heir.peer.send('not held back');
    expect(await driver.text(heir.id, 13)).toBe('not held back');
  });

  it('answers questions about them', async () => {
    const driver = await use();
    const { stale } = await reuseIndex(driver);
    expect(driver.engine.isOpen(stale)).toBe(false);
    expect(driver.engine.localAddress(stale)).toBeUndefined();
    expect(driver.engine.redial(stale, driver.remember(driver.port))).toBe(-EBADF);
  });

  it.each(['failed', 'closed', 'reset', 'tunnelled'])('gives the index of a %s connection out again', async (how) => {
    const driver = await use();
    const indexes = new Set<number>();
    for (let i = 0; i < 20; i++) {
      const { id, peer } = await driver.accept();
      indexes.add(id & INDEX_MASK);
      if (how === 'closed') driver.order((writer) => writer.close(id));
      if (how === 'reset') driver.order((writer) => writer.reset(id));
      if (how === 'failed') {
        peer.reset();
        await driver.next('closed', id);
      }
      if (how === 'tunnelled') {
        const other = await driver.accept();
        indexes.add(other.id & INDEX_MASK);
        driver.order((writer) => writer.tunnel(id, other.id, 0));
        peer.reset();
        await driver.next('tunnelClosed', id);
      }
      await driver.settle(1);
    }
    expect(indexes.size).toBeLessThan(10);
  });

  it('gives an index out again only after the round in which its connection ended', async () => {
    const driver = await use();
    const server = await driver.server();
    const handle = driver.remember(server.port);
    const { id, peer } = await driver.accept();
    let dialed = 0;
    driver.inRound = (event) => {
      if (event.kind !== 'data' || event.id !== id) return false;
      driver.writer.reset(id);
      driver.writer.flush();
      dialed = driver.engine.dial(handle);
      return false;
    };
    peer.send('x');
    await driver.next('data', id);
    expect(dialed & INDEX_MASK).not.toBe(id & INDEX_MASK);
    await driver.next('connected', dialed);
  });
}

/** Time from ordering a deadline until it is told. */
async function expire(driver: EngineDriver, id: number, order: (writer: CommandWriter) => void): Promise<number> {
  const fromMs = performance.now();
  driver.order(order);
  await driver.next('deadline', id);
  return performance.now() - fromMs;
}

/** A dead id, and a connection that has its index now. */
async function reuseIndex(driver: EngineDriver): Promise<{ stale: number; heir: AcceptedPair }> {
  const first = await driver.accept();
  const stale = first.id;
  driver.order((writer) => writer.reset(stale));
  for (let i = 0; i < 200; i++) {
    const heir = await driver.accept();
    if ((heir.id & INDEX_MASK) === (stale & INDEX_MASK)) {
      expect(heir.id).not.toBe(stale);
      return { stale, heir };
    }
  }
  throw new Error('the index was not given out again');
}
