import { expect, it } from 'vitest';
import { RELAY_UNTIL_END } from '../../src/engine/protocol.ts';
import { stalled } from './contract-data.ts';
import { eventually } from './deadline.ts';
import type { UseDriver } from './engine-contract.ts';
import type { EngineDriver } from './engine-driver.ts';

const MIB = 1024 * 1024;
const STREAM_BYTES = 64 * MIB;
/** More than the kernel keeps for the sockets of both connections on loopback. */
const IN_FLIGHT_MAX_BYTES = 40 * MIB;

export function relaying(use: UseDriver): void {
  it('moves exactly n bytes, held ones first, and delivers the rest as data', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    onFirstData(driver, client.id, (offset, length) => {
      driver.writer.hold(client.id, offset, length);
      driver.writer.relay(client.id, upstream.id, 10);
    });
    client.peer.send('held');
    await driver.next('data', client.id);
    client.peer.send(' body!the next request');
    expect(await driver.next('relayDone', client.id)).toMatchObject({ sink: upstream.id });
    expect(await upstream.peer.readText(10)).toBe('held body!');
    expect(await driver.text(client.id, 16)).toBe('the next request');
    await driver.settle();
    expect(upstream.peer.bytesReceived).toBe(10);
  });

  it('is done at once when all of it was held, and delivers what was held beyond it', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    onFirstData(driver, client.id, (offset, length) => {
      driver.writer.hold(client.id, offset, length);
      driver.writer.relay(client.id, upstream.id, 4);
    });
    client.peer.send('bodyrest');
    await driver.next('data', client.id);
    await driver.next('relayDone', client.id);
    expect(await upstream.peer.readText(4)).toBe('body');
    expect(await driver.text(client.id, 4)).toBe('rest');
  });

  it('delivers no data when all that was held is relayed, and when the source ends early', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    let relays = [4, 100];
    driver.inRound = (event) => {
      if (event.kind !== 'data' || event.id !== client.id) return false;
      driver.writer.hold(client.id, event.offset, event.length);
      driver.writer.relay(client.id, upstream.id, relays[0]!);
      relays = relays.slice(1);
      return false;
    };
    client.peer.send('held');
    await driver.next('data', client.id);
    await driver.next('relayDone', client.id);
    client.peer.send('kept');
    await driver.next('data', client.id);
    client.peer.end();
    await driver.next('end', client.id);
    expect(await upstream.peer.readText(8)).toBe('heldkept');
    await driver.settle();
    expect(driver.kindsOf(client.id)).toEqual([]);
  });

  it('reads a paused source again', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    driver.order((writer) => writer.pause(client.id));
    client.peer.send('waited');
    await driver.settle();
    driver.order((writer) => writer.relay(client.id, upstream.id, 6));
    await driver.next('relayDone', client.id);
    expect(await upstream.peer.readText(6)).toBe('waited');
  });

  it('sends what the shard sent before what it relays', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    client.peer.send('body');
    driver.send(upstream.id, 'head:', client.id);
    driver.order((writer) => writer.relay(client.id, upstream.id, 4));
    expect(await upstream.peer.readText(9)).toBe('head:body');
  });

  it('moves what comes one byte at a time', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    const text = 'drip by drip by drip';
    driver.order((writer) => writer.relay(client.id, upstream.id, text.length));
    for (const character of text) {
      client.peer.send(character);
      expect(await upstream.peer.readText(1)).toBe(character);
    }
    await driver.next('relayDone', client.id);
  });

  it('relays up to FIN, and tells it as END', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    driver.order((writer) => writer.relay(upstream.id, client.id, RELAY_UNTIL_END));
    upstream.peer.send('until the ');
    upstream.peer.send('end');
    upstream.peer.end();
    await driver.next('end', upstream.id);
    expect(await client.peer.readText(13)).toBe('until the end');
    expect(client.peer.ended).toBe(false);
    expect(driver.take('relayDone', upstream.id)).toBeUndefined();
  });

  it('tells END and not RELAY_DONE when the source ends early', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    driver.order((writer) => writer.relay(upstream.id, client.id, 100));
    upstream.peer.send('only this');
    upstream.peer.end();
    await driver.next('end', upstream.id);
    expect(await client.peer.readText(9)).toBe('only this');
    await driver.settle();
    expect(driver.kindsOf(upstream.id)).toEqual([]);
  });

  it('tells CLOSED and not RELAY_DONE when the source is reset early', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    driver.order((writer) => writer.relay(upstream.id, client.id, 100));
    upstream.peer.send('only this');
    expect(await client.peer.readText(9)).toBe('only this');
    upstream.peer.reset();
    expect((await driver.next('closed', upstream.id)).bytesReceived).toBe(9);
    await driver.settle();
    expect(driver.take('relayDone', upstream.id)).toBeUndefined();
    expect(driver.engine.isOpen(client.id)).toBe(true);
  });

  it('tells RELAY_DONE when the source ends with the last byte', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    driver.order((writer) => writer.relay(upstream.id, client.id, 5));
    upstream.peer.send('exact');
    upstream.peer.end();
    await driver.next('relayDone', upstream.id);
    await driver.next('end', upstream.id);
    expect(await client.peer.readText(5)).toBe('exact');
  });

  it('pauses the source when the sink fails, and keeps the rest for RESUME', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    driver.order((writer) => writer.relay(client.id, upstream.id, 1000));
    client.peer.send('part 1,');
    await upstream.peer.read(7);
    upstream.peer.reset();
    await driver.next('closed', upstream.id);
    client.peer.send('part 2');
    await driver.settle();
    expect(driver.kindsOf(client.id)).toEqual([]);
    driver.order((writer) => writer.resume(client.id));
    expect(await driver.text(client.id, 6)).toBe('part 2');
  });

  it('stops while paused, and goes on when resumed', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    driver.order((writer) => writer.relay(client.id, upstream.id, 8));
    client.peer.send('1234');
    await upstream.peer.read(4);
    driver.order((writer) => writer.pause(client.id));
    client.peer.send('5678');
    await driver.settle();
    expect(upstream.peer.bytesReceived).toBe(4);
    driver.order((writer) => writer.resume(client.id));
    expect(await upstream.peer.readText(4)).toBe('5678');
    await driver.next('relayDone', client.id);
  });

  it('does not read the source while the sink takes nothing', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    upstream.peer.socket.pause();
    driver.order((writer) => writer.relay(client.id, upstream.id, STREAM_BYTES));
    const sent = client.peer.sendBlocks(STREAM_BYTES);
    const accepted = () => client.peer.socket.bytesWritten - client.peer.socket.writableLength;
    await stalled(driver, accepted);
    expect(accepted()).toBeLessThan(IN_FLIGHT_MAX_BYTES);
    upstream.peer.socket.resume();
    expect(await upstream.peer.hashBytes(STREAM_BYTES)).toBe(await sent);
    await driver.next('relayDone', client.id);
  });

  it('tells how much has come, and that a source is not read while it is paused or its sink takes nothing', async () => {
    const driver = await use();
    const source = await driver.accept();
    const sink = await driver.accept();
    source.peer.send('12345');
    await driver.data(source.id, 5);
    expect(driver.engine.progress(source.id)).toBe(5);
    driver.order((writer) => writer.pause(source.id));
    expect(driver.engine.progress(source.id)).toBe(-1);
    sink.peer.socket.pause();
    driver.order((writer) => writer.relay(source.id, sink.id, STREAM_BYTES));
    source.peer.sendBlocks(STREAM_BYTES).catch(() => 'cut');
    await eventually(() => driver.engine.progress(source.id) === -1, 'the sink to be full');
    driver.order((writer) => writer.reset(source.id));
    expect(driver.engine.progress(source.id)).toBe(-1);
  });

  it('moves 64 MiB in both directions unchanged', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    driver.order((writer) => {
      writer.relay(client.id, upstream.id, STREAM_BYTES);
      writer.relay(upstream.id, client.id, STREAM_BYTES);
    });
    const [up, down, upSent, downSent] = await Promise.all([
      upstream.peer.hashBytes(STREAM_BYTES),
      client.peer.hashBytes(STREAM_BYTES),
      client.peer.sendBlocks(STREAM_BYTES),
      upstream.peer.sendBlocks(STREAM_BYTES),
    ]);
    expect(up).toBe(upSent);
    expect(down).toBe(downSent);
    await driver.next('relayDone', client.id);
    await driver.next('relayDone', upstream.id);
    expect(driver.counter('BYTES_COPIED') + driver.counter('BYTES_SPLICED')).toBe(2 * STREAM_BYTES);
  });

  it('relays again after a relay is done', async () => {
    const driver = await use();
    const { client, upstream } = await driver.pair();
    for (const text of ['first', 'second', 'third']) {
      driver.order((writer) => writer.relay(client.id, upstream.id, text.length));
      client.peer.send(text);
      await driver.next('relayDone', client.id);
      expect(await upstream.peer.readText(text.length)).toBe(text);
    }
  });
}

/** Acts within the round of the first DATA of a connection. */
export function onFirstData(driver: EngineDriver, id: number, act: (offset: number, length: number) => void): void {
  let done = false;
  driver.inRound = (event) => {
    if (done || event.kind !== 'data' || event.id !== id) return false;
    done = true;
    act(event.offset, event.length);
    return false;
  };
}
