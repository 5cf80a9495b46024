import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { COMMANDS_MAX_WORDS, HOLD_MAX_BYTES, RANGES_MAX, SCRATCH_OFFSET } from '../../src/engine/protocol.ts';
import type { UseDriver } from './engine-contract.ts';
import type { EngineDriver } from './engine-driver.ts';
import { Peer } from './peer.ts';

const FLOOD_BYTES = 48 * 1024 * 1024;
/** More than the kernel keeps for both sockets of a connection on loopback (net.ipv4.tcp_rmem and tcp_wmem), and the engine on top. */
const IN_FLIGHT_MAX_BYTES = 24 * 1024 * 1024;
const ENOBUFS = 105;
/** Most bytes that wait for a socket (SEND). */
const PENDING_MAX_BYTES = 1024 * 1024;

export function acceptingAndReading(use: UseDriver): void {
  it('accepts a client and says its IPv4 address', async () => {
    const driver = await use();
    const peer = await Peer.connect(driver.port);
    const accepted = await driver.next('accepted');
    expect(accepted).toMatchObject({ listener: 0, family: 4, port: peer.localPort, address: [0x7f000001, 0, 0, 0] });
    peer.destroy();
  });

  it('accepts a client and says its IPv6 address', async () => {
    const driver = await use();
    const peer = await Peer.connect(await driver.listen(1, { family: 6, host: '::1', port: 0 }), '::1');
    const accepted = await driver.next('accepted');
    expect(accepted).toMatchObject({ listener: 1, family: 6, port: peer.localPort, address: [0, 0, 0, 1] });
    peer.destroy();
  });

  it('says an IPv4 client of an IPv6 listener as IPv4', async () => {
    const driver = await use();
    const peer = await Peer.connect(await driver.listen(1, { family: 6, host: '::', port: 0 }));
    const accepted = await driver.next('accepted');
    expect(accepted).toMatchObject({ listener: 1, family: 4, address: [0x7f000001, 0, 0, 0] });
    peer.destroy();
  });

  it('accepts on a unix socket, and moves bytes', async () => {
    const driver = await use();
    const path = join(tmpdir(), `fourseven-${randomUUID()}.sock`);
    await driver.listen(1, { family: 'unix', path });
    const peer = await Peer.connect(path);
    const accepted = await driver.next('accepted');
    expect(accepted).toMatchObject({ listener: 1, family: 0, port: 0, address: [0, 0, 0, 0] });
    peer.send('over the unix socket');
    expect(await driver.text(accepted.id, 20)).toBe('over the unix socket');
    driver.send(accepted.id, 'and back');
    expect(await peer.readText(8)).toBe('and back');
    driver.order((writer) => writer.close(accepted.id));
    await peer.readToEnd();
    peer.destroy();
    rmSync(path, { force: true });
  });

  it('says the local address of a connection until it is gone', async () => {
    const driver = await use();
    const { id } = await driver.accept();
    expect(driver.engine.localAddress(id)).toEqual({ family: 4, host: '127.0.0.1', port: driver.port });
    driver.order((writer) => writer.close(id));
    expect(driver.engine.localAddress(id)).toBeUndefined();
  });

  it('delivers what was held before what came later, as one range', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    holdFirst(driver, 'GET /');
    peer.send('GET /');
    await driver.next('data', id);
    peer.send(' HTTP/1.1');
    expect((await driver.next('data', id)).bytes.toString()).toBe('GET / HTTP/1.1');
  });

  it('keeps holding a head that comes one byte at a time', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    const head = 'GET /one/byte/at/a/time HTTP/1.1';
    driver.inRound = (event) => {
      if (event.kind !== 'data' || event.length === head.length) return false;
      driver.writer.hold(event.id, event.offset, event.length);
      return false;
    };
    for (let i = 0; i < head.length; i++) {
      peer.send(head[i]!);
      expect((await driver.next('data', id)).bytes.toString()).toBe(head.slice(0, i + 1));
    }
  });

  it('delivers what is held in the next round after RESUME, though nothing came', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    holdFirst(driver, 'held');
    peer.send('held');
    await driver.next('data', id);
    await driver.settle();
    expect(driver.kindsOf(id)).toEqual([]);
    driver.order((writer) => writer.resume(id));
    expect((await driver.next('data', id)).bytes.toString()).toBe('held');
  });

  it('holds the part of a range that HOLD names, and forgets it when told to', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    driver.inRound = (event) => {
      if (event.kind === 'data' && event.bytes.toString() === 'abcdef') driver.writer.hold(id, event.offset + 4, 2);
      return false;
    };
    peer.send('abcdef');
    await driver.next('data', id);
    peer.send('gh');
    expect((await driver.next('data', id)).bytes.toString()).toBe('efgh');
    driver.order((writer) => writer.hold(id, 0, 0));
    peer.send('ij');
    expect((await driver.next('data', id)).bytes.toString()).toBe('ij');
  });

  it('closes a connection that is to hold more than it may', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    driver.order((writer) => writer.hold(id, SCRATCH_OFFSET, HOLD_MAX_BYTES));
    expect(driver.engine.isOpen(id)).toBe(true);
    driver.order((writer) => writer.hold(id, SCRATCH_OFFSET, HOLD_MAX_BYTES + 1));
    expect(await driver.next('closed', id)).toMatchObject({ errno: ENOBUFS });
    expect(await peer.closedWhenSending()).not.toBe('none');
  });

  it('reads nothing of a paused connection, and everything after RESUME', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    driver.order((writer) => writer.pause(id));
    peer.send('later');
    await driver.settle();
    expect(driver.kindsOf(id)).toEqual([]);
    driver.order((writer) => writer.resume(id));
    expect(await driver.text(id, 5)).toBe('later');
  });

  it('stops a paused connection from sending for ever', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    driver.order((writer) => writer.pause(id));
    peer.sendBlocks(FLOOD_BYTES).catch(() => 'cut');
    await stalled(driver, () => peer.socket.bytesWritten - peer.socket.writableLength);
    expect(peer.socket.bytesWritten - peer.socket.writableLength).toBeLessThan(IN_FLIGHT_MAX_BYTES);
    driver.order((writer) => writer.reset(id));
    await peer.closed();
  });

  it('reports FIN of a paused connection that has nothing unread', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    driver.order((writer) => writer.pause(id));
    await driver.settle();
    peer.end();
    await driver.next('end', id);
  });

  it('reports FIN only after the bytes before it, also when paused in between', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    driver.order((writer) => writer.pause(id));
    peer.send('before');
    peer.end();
    await driver.settle();
    expect(driver.kindsOf(id)).toEqual([]);
    driver.order((writer) => writer.resume(id));
    expect(await driver.text(id, 6)).toBe('before');
    await driver.next('end', id);
  });

  it('reports a reset of a paused connection', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    driver.order((writer) => writer.pause(id));
    peer.send('unread');
    await driver.settle();
    peer.reset();
    const closed = await driver.next('closed', id);
    expect(closed.errno).toBeGreaterThan(0);
    expect(driver.engine.isOpen(id)).toBe(false);
  });

  it('resumes when drained only after all output has left', async () => {
    const driver = await use();
    const accepted = await driver.accept();
    const { id, peer } = accepted;
    const answer = await driver.fill(accepted);
    driver.order((writer) => writer.pause(id));
    driver.order((writer) => writer.resumeWhenDrained(id));
    peer.send('next request');
    await driver.settle();
    expect(driver.kindsOf(id)).toEqual([]);
    peer.socket.resume();
    await peer.read(answer.length);
    expect(await driver.text(id, 12)).toBe('next request');
  });

  it('resumes at once when drained already', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    driver.order((writer) => writer.pause(id));
    driver.order((writer) => writer.resumeWhenDrained(id));
    peer.send('now');
    expect(await driver.text(id, 3)).toBe('now');
  });

  it('tells END once, after the data', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    const order: string[] = [];
    driver.inRound = (event) => {
      if (event.id === id) order.push(event.kind);
      return false;
    };
    peer.send('last words');
    peer.end();
    expect(await driver.text(id, 10)).toBe('last words');
    await driver.next('end', id);
    await driver.settle();
    expect(order).toEqual(['data', 'end']);
    expect(driver.engine.isOpen(id)).toBe(true);
  });

  it('counts the bytes of a connection that failed', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    peer.send('12345');
    await driver.data(id, 5);
    driver.send(id, '1234567');
    await peer.read(7);
    peer.reset();
    expect(await driver.next('closed', id)).toMatchObject({ bytesReceived: 5, bytesSent: 7 });
  });
}

export function sending(use: UseDriver): void {
  it('gathers many ranges in order', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    const { slab } = driver.engine;
    const text = 'abcdefghijklmnopqrstuvwxyz';
    slab.set(Buffer.from(text), SCRATCH_OFFSET);
    driver.order((writer) => {
      writer.beginSend(id, 0, 0);
      for (let i = text.length - 1; i >= 0; i--) writer.range(SCRATCH_OFFSET + i, 1);
      writer.endSend();
    });
    expect(await peer.readText(text.length)).toBe([...text].reverse().join(''));
  });

  it('gathers more ranges than one SEND takes', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    const count = 3 * RANGES_MAX + 5;
    const expected = sendScattered(driver, id, count);
    expect(await peer.readText(2 * count)).toBe(expected);
  });

  it('runs what does not fit the command buffer in between, in order', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    peer.send('go');
    const times = Math.ceil((2 * COMMANDS_MAX_WORDS) / (2 * RANGES_MAX));
    let expected = '';
    driver.inRound = (event) => {
      if (event.kind !== 'data' || event.id !== id) return false;
      for (let i = 0; i < times; i++) expected += writeScattered(driver, id, RANGES_MAX);
      return false;
    };
    await driver.next('data', id);
    expect(await peer.readText(times * 2 * RANGES_MAX)).toBe(expected);
  });

  it('keeps commands of a round apart from those that a promise submits as the round ends', async () => {
    const driver = await use();
    const { id, peer } = await driver.accept();
    driver.engine.slab.set(Buffer.from('firstsecond'), SCRATCH_OFFSET);
    driver.inRound = (event) => {
      if (event.kind !== 'data' || event.id !== id) return false;
      driver.writer.send(id, 0, 0, SCRATCH_OFFSET, 5);
      void Promise.resolve().then(() => driver.order((writer) => writer.send(id, 0, 0, SCRATCH_OFFSET + 5, 6)));
      return false;
    };
    peer.send('go');
    const both = await peer.readText(11);
    expect(['firstsecond', 'secondfirst']).toContain(both);
  });

  it('does not read the source while its bytes wait for a slow reader, and loses nothing', async () => {
    const driver = await use();
    const source = await driver.accept();
    const sink = await driver.accept();
    let delivered = 0;
    driver.inRound = (event) => {
      if (event.kind !== 'data' || event.id !== source.id) return false;
      delivered += event.length;
      driver.writer.send(sink.id, source.id, 0, event.offset, event.length);
      return true;
    };
    sink.peer.socket.pause();
    const sent = source.peer.sendBlocks(FLOOD_BYTES);
    await stalled(driver, () => delivered);
    expect(delivered).toBeLessThan(IN_FLIGHT_MAX_BYTES);
    sink.peer.socket.resume();
    expect(await sink.peer.hashBytes(FLOOD_BYTES)).toBe(await sent);
  });

  it('reads the source on when the connection it waited for fails', async () => {
    const driver = await use();
    const source = await driver.accept();
    const sink = await driver.accept();
    await driver.fill(sink);
    driver.send(sink.id, 'x', source.id);
    source.peer.send('still here');
    await driver.settle();
    expect(driver.kindsOf(source.id)).toEqual([]);
    sink.peer.reset();
    await driver.next('closed', sink.id);
    expect(await driver.text(source.id, 10)).toBe('still here');
  });

  it('fails a connection for which more waits than may', async () => {
    const driver = await use();
    const accepted = await driver.accept();
    await driver.fill(accepted);
    driver.send(accepted.id, Buffer.alloc(PENDING_MAX_BYTES + 1));
    expect(await driver.next('closed', accepted.id)).toMatchObject({ errno: ENOBUFS });
  });

  it('half-closes after what is pending, and still reads', async () => {
    const driver = await use();
    const accepted = await driver.accept();
    const { id, peer } = accepted;
    const answer = await driver.fill(accepted);
    driver.order((writer) => writer.halfClose(id));
    driver.send(id, 'too late');
    peer.socket.resume();
    expect((await peer.readToEnd()).equals(answer)).toBe(true);
    peer.send('and you?');
    expect(await driver.text(id, 8)).toBe('and you?');
    peer.end();
    await driver.next('end', id);
    await driver.settle();
    expect(driver.kindsOf(id)).toEqual([]);
    expect(driver.engine.isOpen(id)).toBe(true);
    driver.order((writer) => writer.close(id));
    expect(driver.engine.isOpen(id)).toBe(false);
  });
}

/** Holds each DATA that says `text`. */
function holdFirst(driver: EngineDriver, text: string): void {
  let held = false;
  driver.inRound = (event) => {
    if (held || event.kind !== 'data' || event.bytes.toString() !== text) return false;
    held = true;
    driver.writer.hold(event.id, event.offset, event.length);
    return false;
  };
}

/** Writes one SEND of ranges of two bytes with gaps between them; returns what it says. */
function writeScattered(driver: EngineDriver, id: number, count: number): string {
  const { slab } = driver.engine;
  let text = '';
  driver.writer.beginSend(id, 0, 0);
  for (let i = 0; i < count; i++) {
    const offset = SCRATCH_OFFSET + 3 * i;
    const pair = String.fromCharCode(0x41 + (i % 26), 0x61 + (i % 26));
    slab[offset] = pair.charCodeAt(0);
    slab[offset + 1] = pair.charCodeAt(1);
    text += pair;
    driver.writer.range(offset, 2);
  }
  driver.writer.endSend();
  return text;
}

function sendScattered(driver: EngineDriver, id: number, count: number): string {
  const text = writeScattered(driver, id, count);
  driver.writer.flush();
  return text;
}

/** Resolves once a count stands still while the engine goes on serving others. */
export async function stalled(driver: EngineDriver, count: () => number): Promise<void> {
  for (let seen = -1; seen !== count(); ) {
    seen = count();
    await driver.settle(20);
  }
}
