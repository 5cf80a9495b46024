import { expect, it } from 'vitest';
import { TunnelEnd } from '../../src/engine/protocol.ts';
import { stalled } from './contract-data.ts';
import { onFirstData } from './contract-relay.ts';
import type { UseDriver } from './engine-contract.ts';
import type { AcceptedPair, EngineDriver } from './engine-driver.ts';

const MIB = 1024 * 1024;
const STREAM_BYTES = 64 * MIB;
const IN_FLIGHT_MAX_BYTES = 40 * MIB;
const IDLE_MS = 150;

interface Tunnelled {
  readonly driver: EngineDriver;
  readonly client: AcceptedPair;
  readonly upstream: AcceptedPair;
}

export function tunnelling(use: UseDriver): void {
  const tunnelled = async (idleMs = 0): Promise<Tunnelled> => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    driver.order((writer) => writer.tunnel(client.id, upstream.id, idleMs));
    return { driver, client, upstream };
  };

  it('half-closes upstream when the client sends FIN, and goes on in the other direction', async () => {
    const { driver, client, upstream } = await tunnelled();
    client.peer.send('question');
    client.peer.end();
    expect((await upstream.peer.readToEnd()).toString()).toBe('question');
    upstream.peer.send('answer');
    expect(await client.peer.readText(6)).toBe('answer');
    upstream.peer.end();
    await client.peer.readToEnd();
    expect(await driver.next('tunnelClosed')).toMatchObject({
      id: client.id,
      second: upstream.id,
      reason: TunnelEnd.CLEAN,
      errno: 0,
      bytesForward: 8,
      bytesBack: 6,
    });
  });

  it('half-closes the client when upstream sends FIN, and goes on in the other direction', async () => {
    const { driver, client, upstream } = await tunnelled();
    upstream.peer.send('greeting');
    upstream.peer.end();
    expect((await client.peer.readToEnd()).toString()).toBe('greeting');
    client.peer.send('thanks');
    expect(await upstream.peer.readText(6)).toBe('thanks');
    client.peer.end();
    await upstream.peer.readToEnd();
    expect(await driver.next('tunnelClosed', client.id)).toMatchObject({ reason: TunnelEnd.CLEAN });
  });

  it('tells nothing but its end, and the ids are dead then', async () => {
    const { driver, client, upstream } = await tunnelled();
    client.peer.send('x');
    await upstream.peer.read(1);
    client.peer.end();
    upstream.peer.end();
    await driver.next('tunnelClosed', client.id);
    await driver.settle();
    expect(driver.kindsOf(client.id)).toEqual([]);
    expect(driver.kindsOf(upstream.id)).toEqual([]);
    expect(driver.engine.isOpen(client.id)).toBe(false);
    expect(driver.engine.isOpen(upstream.id)).toBe(false);
  });

  it('passes on a FIN that came before it', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    client.peer.end();
    await driver.next('end', client.id);
    driver.order((writer) => writer.tunnel(client.id, upstream.id, 0));
    await upstream.peer.readToEnd();
    upstream.peer.send('late answer');
    upstream.peer.end();
    expect((await client.peer.readToEnd()).toString()).toBe('late answer');
    await driver.next('tunnelClosed', client.id);
  });

  it('resets upstream when the client is reset', async () => {
    const { driver, client, upstream } = await tunnelled();
    client.peer.send('x');
    await upstream.peer.read(1);
    client.peer.reset();
    expect(await upstream.peer.closed()).toBe('ECONNRESET');
    const closed = await driver.next('tunnelClosed', client.id);
    expect(closed.reason).toBe(TunnelEnd.FIRST_FAILED);
    expect(closed.errno).toBeGreaterThan(0);
  });

  it('resets the client when upstream is reset', async () => {
    const { driver, client, upstream } = await tunnelled();
    client.peer.send('x');
    await upstream.peer.read(1);
    upstream.peer.reset();
    expect(await client.peer.closed()).toBe('ECONNRESET');
    const closed = await driver.next('tunnelClosed', client.id);
    expect(closed.reason).toBe(TunnelEnd.SECOND_FAILED);
    expect(closed.errno).toBeGreaterThan(0);
  });

  it('resets upstream when the client is reset after its FIN', async () => {
    const { driver, client, upstream } = await tunnelled();
    client.peer.end();
    await upstream.peer.readToEnd();
    client.peer.reset();
    expect(await upstream.peer.closedWhenSending()).not.toBe('none');
    expect((await driver.next('tunnelClosed', client.id)).reason).toBe(TunnelEnd.FIRST_FAILED);
  });

  it('ends when one side failed before it began', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    // Reset on the wire, and not noticed yet: no loop has turned in between.
    client.peer.reset();
    driver.order((writer) => writer.tunnel(client.id, upstream.id, 0));
    expect((await driver.next('tunnelClosed', client.id)).reason).toBe(TunnelEnd.FIRST_FAILED);
    expect(await upstream.peer.closed()).toBe('ECONNRESET');
  });

  it('sends first what either side held', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    onFirstData(driver, client.id, (offset, length) => driver.writer.hold(client.id, offset, length));
    client.peer.send('hello ');
    await driver.next('data', client.id);
    onFirstData(driver, upstream.id, (offset, length) => driver.writer.hold(upstream.id, offset, length));
    upstream.peer.send('220 ');
    await driver.next('data', upstream.id);
    driver.order((writer) => writer.tunnel(client.id, upstream.id, 0));
    client.peer.send('world');
    upstream.peer.send('ready');
    expect(await upstream.peer.readText(11)).toBe('hello world');
    expect(await client.peer.readText(9)).toBe('220 ready');
    client.peer.end();
    upstream.peer.end();
    expect(await driver.next('tunnelClosed', client.id)).toMatchObject({ bytesForward: 11, bytesBack: 9 });
  });

  it('sends what the shard sent before what it passes on', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    driver.send(client.id, '101 switching;');
    driver.order((writer) => writer.tunnel(client.id, upstream.id, 0));
    upstream.peer.send('frames');
    expect(await client.peer.readText(20)).toBe('101 switching;frames');
  });

  it('passes on one byte at a time', async () => {
    const { client, upstream } = await tunnelled();
    for (const character of 'ping pong ping pong') {
      client.peer.send(character);
      expect(await upstream.peer.readText(1)).toBe(character);
      upstream.peer.send(character);
      expect(await client.peer.readText(1)).toBe(character);
    }
  });

  it('keeps a bounded number of bytes for a slow reader, and loses none', async () => {
    const { driver, client, upstream } = await tunnelled();
    client.peer.socket.pause();
    const sent = upstream.peer.sendBlocks(STREAM_BYTES);
    const accepted = () => upstream.peer.socket.bytesWritten - upstream.peer.socket.writableLength;
    await stalled(driver, accepted);
    expect(accepted()).toBeLessThan(IN_FLIGHT_MAX_BYTES);
    client.peer.send('the other direction is not held up');
    expect(await upstream.peer.readText(34)).toBe('the other direction is not held up');
    client.peer.socket.resume();
    expect(await client.peer.hashBytes(STREAM_BYTES)).toBe(await sent);
  });

  it('passes FIN on only after a slow reader has taken everything', async () => {
    const { driver, client, upstream } = await tunnelled();
    client.peer.socket.pause();
    const sent = upstream.peer.sendBlocks(STREAM_BYTES).then((hash) => {
      upstream.peer.end();
      return hash;
    });
    await stalled(driver, () => upstream.peer.socket.bytesWritten - upstream.peer.socket.writableLength);
    client.peer.socket.resume();
    expect(await client.peer.hashBytes(STREAM_BYTES)).toBe(await sent);
    await client.peer.readToEnd();
  });

  it('keeps what came with FIN for a client that reads later', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    const sent = await driver.fill(client);
    driver.order((writer) => writer.tunnel(client.id, upstream.id, 0));
    upstream.peer.send('last words');
    upstream.peer.end();
    await driver.settle();
    client.peer.socket.resume();
    const read = await client.peer.readToEnd();
    expect(read.subarray(sent.length).toString()).toBe('last words');
    expect(read.subarray(0, sent.length).equals(sent)).toBe(true);
  });

  it('moves 64 MiB both ways unchanged, and counts every byte', async () => {
    const { driver, client, upstream } = await tunnelled();
    const [up, down, upSent, downSent] = await Promise.all([
      upstream.peer.hashBytes(STREAM_BYTES),
      client.peer.hashBytes(STREAM_BYTES),
      client.peer.sendBlocks(STREAM_BYTES),
      upstream.peer.sendBlocks(STREAM_BYTES),
    ]);
    expect(up).toBe(upSent);
    expect(down).toBe(downSent);
    client.peer.end();
    upstream.peer.end();
    expect(await driver.next('tunnelClosed', client.id)).toMatchObject({
      reason: TunnelEnd.CLEAN,
      bytesForward: STREAM_BYTES,
      bytesBack: STREAM_BYTES,
    });
  });

  it('ends when no byte moved for the idle time, not before', async () => {
    const { driver, client, upstream } = await tunnelled(IDLE_MS);
    let lastByteMs = 0;
    for (let i = 0; i < 4; i++) {
      await new Promise((resolve) => setTimeout(resolve, IDLE_MS / 3));
      lastByteMs = performance.now();
      if (i % 2 === 0) client.peer.send('x');
      else upstream.peer.send('x');
      await (i % 2 === 0 ? upstream : client).peer.read(1);
    }
    const closed = await driver.next('tunnelClosed', client.id);
    expect(performance.now() - lastByteMs).toBeGreaterThanOrEqual(IDLE_MS);
    expect(closed).toMatchObject({ reason: TunnelEnd.IDLE, bytesForward: 2, bytesBack: 2 });
    await client.peer.closedWhenSending();
    await upstream.peer.closedWhenSending();
  });

  it('forgets the deadlines of its ends', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    driver.order((writer) => {
      writer.deadline(client.id, 40);
      writer.deadline(upstream.id, 40);
      writer.tunnel(client.id, upstream.id, 0);
    });
    const other = await driver.accept();
    driver.order((writer) => writer.deadline(other.id, 120));
    await driver.next('deadline', other.id);
    client.peer.send('alive');
    expect(await upstream.peer.readText(5)).toBe('alive');
    expect(driver.take('deadline')).toBeUndefined();
  });

  it('closes both ends without a word when the shard closes one', async () => {
    const { driver, client, upstream } = await tunnelled();
    driver.order((writer) => writer.close(upstream.id));
    await client.peer.readToEnd();
    await upstream.peer.readToEnd();
    expect(driver.engine.isOpen(client.id)).toBe(false);
    await driver.settle();
    expect(driver.kindsOf(client.id)).toEqual([]);
  });

  it('resets both ends without a word when the shard resets one', async () => {
    const { driver, client, upstream } = await tunnelled();
    driver.order((writer) => writer.reset(client.id));
    expect(await client.peer.closed()).toBe('ECONNRESET');
    expect(await upstream.peer.closed()).toBe('ECONNRESET');
    await driver.settle();
    expect(driver.take('tunnelClosed')).toBeUndefined();
  });
}
