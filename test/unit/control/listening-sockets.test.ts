import { existsSync, linkSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ListeningSockets, type SocketMaker } from '../../../src/control/listening-sockets.ts';

const EACCES = 13;

/** Gives out descriptors, and remembers which are open. Binds nothing. */
class FakeSocketMaker implements SocketMaker {
  readonly open = new Map<number, string>();
  readonly failAfter: number;
  #next = 100;

  constructor(failAfter = Number.POSITIVE_INFINITY) {
    this.failAfter = failAfter;
  }

  listenSocket(host: string, port: number): number {
    if (this.open.size >= this.failAfter) return -EACCES;
    if (port === -1) writeFileSync(host, '');
    this.open.set(this.#next, port === -1 ? host : `${host}:${port === 0 ? 40_000 : port}`);
    return this.#next++;
  }

  socketPort(fd: number): number {
    return Number(this.open.get(fd)!.split(':').at(-1));
  }

  duplicateDescriptor(fd: number): number {
    this.open.set(this.#next, this.open.get(fd)!);
    return this.#next++;
  }

  closeDescriptor(fd: number): number {
    if (!this.open.delete(fd)) throw new Error(`${fd} was closed twice`);
    return 0;
  }
}

const ANY_PORT = [{ slot: 4, name: 'web', address: '127.0.0.1:0' }];

describe('listening sockets', () => {
  it('are one per listener and shard, with port 0 chosen once', async () => {
    const maker = new FakeSocketMaker();
    const sockets = await ListeningSockets.open(ANY_PORT, 3, maker);
    expect([...maker.open.values()]).toEqual(Array(3).fill('127.0.0.1:40000'));
    expect(sockets.addressOf(4)).toBe('127.0.0.1:40000');
    expect([0, 1, 2].map((shard) => sockets.forShard(shard))).toEqual(
      [100, 101, 102].map((fd) => [{ slot: 4, fd, address: '127.0.0.1:40000' }]),
    );
  });

  it('are let go shard by shard, each once', async () => {
    const maker = new FakeSocketMaker();
    const sockets = await ListeningSockets.open(ANY_PORT, 2, maker);
    sockets.closeShard(0);
    sockets.closeShard(0);
    expect([...maker.open.keys()]).toEqual([101]);
    expect(sockets.forShard(0)).toEqual([]);
    sockets.close();
    expect(maker.open.size).toBe(0);
  });

  it('share one socket for a unix path, which is removed in the end', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'fourseven-unit-'));
    const path = join(directory, 'a.sock');
    const maker = new FakeSocketMaker();
    const sockets = await ListeningSockets.open([{ slot: 0, name: 'db', address: `unix:${path}` }], 2, maker);
    expect([...maker.open.values()]).toEqual([path, path]);
    sockets.close();
    expect(maker.open.size).toBe(0);
    expect(existsSync(path)).toBe(false);
    rmSync(directory, { recursive: true });
  });

  it("leave a path alone that has become somebody else's", async () => {
    const directory = mkdtempSync(join(tmpdir(), 'fourseven-unit-'));
    const path = join(directory, 'a.sock');
    const sockets = await ListeningSockets.open(
      [{ slot: 0, name: 'db', address: `unix:${path}` }],
      1,
      new FakeSocketMaker(),
    );
    // The link keeps the inode of ours from being given out again.
    linkSync(path, join(directory, 'kept'));
    rmSync(path);
    writeFileSync(path, 'theirs');
    sockets.close();
    expect(existsSync(path)).toBe(true);
    rmSync(directory, { recursive: true });
  });

  it('come and go while others stay', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'fourseven-unit-'));
    const path = join(directory, 'a.sock');
    const maker = new FakeSocketMaker();
    const sockets = await ListeningSockets.open(ANY_PORT, 2, maker);
    await sockets.add([{ slot: 5, name: 'db', address: `unix:${path}` }]);
    expect(sockets.forShard(1).map(({ slot }) => slot)).toEqual([4, 5]);
    sockets.remove([5]);
    expect(sockets.forShard(1).map(({ slot }) => slot)).toEqual([4]);
    expect(existsSync(path)).toBe(false);
    expect([...maker.open.keys()]).toEqual([100, 101]);
    sockets.close();
    rmSync(directory, { recursive: true });
  });

  it('stay as they are if one that is added cannot be had', async () => {
    const maker = new FakeSocketMaker(3);
    const sockets = await ListeningSockets.open(ANY_PORT, 2, maker);
    const added = sockets.add([
      { slot: 5, name: 'a', address: '127.0.0.1:0' },
      { slot: 6, name: 'b', address: '127.0.0.1:0' },
    ]);
    await expect(added).rejects.toMatchObject({ code: 'bind_failed' });
    expect([...maker.open.keys()]).toEqual([100, 101]);
    expect(sockets.forShard(0).map(({ slot }) => slot)).toEqual([4]);
    sockets.close();
  });

  it('are all closed again if one cannot be had, and the error says which and what to do', async () => {
    const maker = new FakeSocketMaker(1);
    const opened = ListeningSockets.open(ANY_PORT, 2, maker);
    await expect(opened).rejects.toMatchObject({
      code: 'bind_failed',
      message: expect.stringMatching(/127\.0\.0\.1:0 \(listener web\).*EACCES.*CAP_NET_BIND_SERVICE/),
    });
    expect(maker.open.size).toBe(0);
  });

  it('are not made for a port that somebody has: every such listener is named', async () => {
    const servers = await Promise.all(
      [0, 1].map(async () => {
        const server = createServer();
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        return server;
      }),
    );
    const ports = servers.map((server) => (server.address() as { port: number }).port);
    const listeners = ports.map((port, slot) => ({ slot, name: `l${slot}`, address: `127.0.0.1:${port}` }));
    const maker = new FakeSocketMaker();
    const error = await ListeningSockets.open(listeners, 1, maker).catch((thrown: Error) => thrown);
    for (const [slot, port] of ports.entries())
      expect(String(error)).toContain(`127.0.0.1:${port} (listener l${slot})`);
    expect(maker.open.size).toBe(0);
    for (const server of servers) server.close();
  });

  it('have no descriptor without the addon, but an address with a port that is free', async () => {
    const sockets = await ListeningSockets.open(ANY_PORT, 1, undefined);
    const [socket] = sockets.forShard(0);
    expect(socket!.fd).toBe(-1);
    expect(Number(socket!.address.split(':')[1])).toBeGreaterThan(0);
    sockets.close();
  });
});
