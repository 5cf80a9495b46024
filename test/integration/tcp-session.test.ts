import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { Board } from '../../src/contract/board.ts';
import type { FromShard, ShardSnapshot } from '../../src/contract/messages.ts';
import { packPlan } from '../../src/contract/packed-plan.ts';
import type { Plan, PolicyName } from '../../src/contract/plan.ts';
import { loadAddon } from '../../src/engine/binding.ts';
import { makeCorridor } from '../../src/shard/corridor.ts';
import { openEngine } from '../../src/shard/open-engine.ts';
import { Shard } from '../../src/shard/shard.ts';
import { eventually, Waiting } from '../contract/deadline.ts';
import { closedPort, Peer, PeerServer } from '../contract/peer.ts';

const { addon } = loadAddon();
const HOST = '127.0.0.1';

interface Wanted {
  readonly policy?: PolicyName;
  readonly connectMs?: number;
  readonly idleMs?: number;
}

/** One shard on this thread, with a TCP listener in front of `ports`. */
class TcpShard {
  readonly board = Board.create(1);
  port = 0;
  readonly #posted: FromShard[] = [];
  readonly #waiting = new Waiting();
  #shard!: Shard;
  #fd = -1;

  /** Listens, as far as the addon can, but does not accept yet. */
  static async bind(): Promise<TcpShard> {
    const bound = new TcpShard();
    if (addon === undefined) {
      bound.port = await closedPort();
    } else {
      bound.#fd = addon.listenSocket(HOST, 0, 128);
      bound.port = addon.socketPort(bound.#fd);
    }
    return bound;
  }

  async start(engine: 'native' | 'node', ports: readonly number[], wanted: Wanted = {}): Promise<void> {
    this.#shard = new Shard({
      engine: await openEngine(engine, 1000),
      start: {
        index: 0,
        engine,
        plan: packPlan(planOf(ports, wanted)),
        sockets: [{ slot: 0, fd: this.#fd, address: `${HOST}:${this.port}` }],
        board: this.board.buffer,
        descriptorsMax: 1000,
        ticketKeys: new Uint8Array(48),
        heartbeatMs: 1000,
      },
      post: (message) => {
        this.#posted.push(message);
        this.#waiting.changed();
      },
      makeCorridor,
    });
    await this.#shard.open();
    await this.hears('ready');
  }

  hears<T extends FromShard['type']>(type: T): Promise<Extract<FromShard, { type: T }>> {
    const matches = (message: FromShard): message is Extract<FromShard, { type: T }> => message.type === type;
    return this.#waiting.until(
      () => this.#posted.find(matches),
      () => `the message ${type}`,
    );
  }

  has(type: FromShard['type']): boolean {
    return this.#posted.some((message) => message.type === type);
  }

  stopAccepting(): void {
    if (this.#fd >= 0) addon!.closeDescriptor(this.#fd);
    this.#fd = -1;
    this.#shard.receive({ type: 'stop-accepting' });
  }

  snapshot(): ShardSnapshot {
    this.#shard.receive({ type: 'snapshot', request: this.#posted.length });
    const last = this.#posted.at(-1);
    if (last?.type !== 'snapshot') throw new Error('a snapshot is told at once');
    return last.snapshot;
  }

  /** Waits until this many sessions are over; how they ended, and that no endpoint is left with work. */
  async outcomes(count: number): Promise<Record<string, number>> {
    const sessions = () => this.snapshot().sessions;
    await eventually(() => sessions().reduce((sum, row) => sum + row.count, 0) === count, `${count} sessions to end`);
    for (let slot = 0; slot < 4; slot++) expect(this.board.inFlight(slot)).toBe(0);
    return Object.fromEntries(sessions().map((row) => [row.outcome, row.count]));
  }

  async close(): Promise<number> {
    this.#shard.receive({ type: 'close' });
    await this.#shard.closed;
    if (this.#fd >= 0) addon!.closeDescriptor(this.#fd);
    return (await this.hears('closed')).cut;
  }
}

/** As by default. */
const RETRY = { attempts: 2, budgetPercent: 20, bodyMaxBytes: 65_536 };

function planOf(ports: readonly number[], { policy = 'source-hash', connectMs = 2000, idleMs = 60_000 }: Wanted): Plan {
  const endpoints = ports.map((port, slot) => {
    const key = `${HOST}:${port}`;
    return { slot, name: key, key, weight: 1, address: { family: 4 as const, host: HOST, port } };
  });
  return {
    version: 1,
    listeners: [{ slot: 0, name: 'db', address: `${HOST}:0`, protocol: 'tcp', cluster: 0, idleMs }],
    clusters: [{ slot: 0, name: 'origin', policy, endpoints, connectMs, poolIdleMs: 4000, retry: RETRY }],
  };
}

const engines = addon === undefined ? (['node'] as const) : (['native', 'node'] as const);

describe.each(engines)('a TCP session over the %s engine', (engine) => {
  const toClose: (() => unknown)[] = [];

  afterEach(async () => {
    for (const close of toClose.splice(0).reverse()) await close();
  });

  async function openServer(): Promise<PeerServer> {
    const server = await PeerServer.open();
    toClose.push(() => server.close());
    return server;
  }

  async function bindShard(): Promise<TcpShard> {
    const shard = await TcpShard.bind();
    toClose.push(() => (shard.has('closed') ? undefined : shard.close()));
    return shard;
  }

  async function openShard(ports: readonly number[], wanted?: Wanted): Promise<TcpShard> {
    const shard = await bindShard();
    await shard.start(engine, ports, wanted);
    return shard;
  }

  async function openSession(): Promise<{ shard: TcpShard; client: Peer; endpoint: Peer }> {
    const server = await openServer();
    const shard = await openShard([server.port]);
    const client = await Peer.connect(shard.port);
    return { shard, client, endpoint: await server.next() };
  }

  test('carries bytes both ways and ends when both sides have', async () => {
    const { shard, client, endpoint } = await openSession();
    client.send('question');
    expect(await endpoint.readText(8)).toBe('question');
    endpoint.send('answer');
    expect(await client.readText(6)).toBe('answer');
    expect(shard.board.inFlight(0)).toBe(1);
    client.end();
    endpoint.end();
    expect(await client.closed()).toBe('none');
    expect(await shard.outcomes(1)).toEqual({ ok: 1 });
  });

  test('answers a client that asks and half-closes at once', async () => {
    const server = await openServer();
    const shard = await openShard([server.port]);
    const client = Peer.begin(shard.port);
    client.send('question');
    client.end();
    const endpoint = await server.next();
    expect((await endpoint.readToEnd()).toString()).toBe('question');
    endpoint.send('answer');
    endpoint.end();
    expect((await client.readToEnd()).toString()).toBe('answer');
    expect(await shard.outcomes(1)).toEqual({ ok: 1 });
  });

  test.skipIf(addon === undefined)(
    'answers a client that has asked and half-closed before it is accepted',
    async () => {
      const server = await openServer();
      const shard = await bindShard();
      const client = await Peer.connect(shard.port);
      client.send('question');
      client.end();
      await once(client.socket, 'finish');
      await shard.start(engine, [server.port]);
      const endpoint = await server.next();
      expect((await endpoint.readToEnd()).toString()).toBe('question');
      endpoint.send('answer');
      endpoint.end();
      expect((await client.readToEnd()).toString()).toBe('answer');
      expect(await shard.outcomes(1)).toEqual({ ok: 1 });
    },
  );

  test('passes on what an endpoint says first, also when it leaves at once', async () => {
    // It speaks when it accepts: what it says may come together with the news that it is connected.
    const server = createServer({ allowHalfOpen: true }, (socket) => socket.end('welcome').resume());
    server.listen(0, HOST);
    await once(server, 'listening');
    toClose.push(() => server.close());
    const shard = await openShard([(server.address() as AddressInfo).port]);
    const clients = await Promise.all(Array.from({ length: 50 }, () => Peer.connect(shard.port)));
    for (const client of clients) {
      expect((await client.readToEnd()).toString()).toBe('welcome');
      client.end();
    }
    expect(await shard.outcomes(50)).toEqual({ ok: 50 });
  });

  test('goes to another endpoint when one refuses', async () => {
    const server = await openServer();
    const shard = await openShard([await closedPort(), server.port, await closedPort()]);
    const client = await Peer.connect(shard.port);
    client.send('hello');
    const endpoint = await server.next();
    expect(await endpoint.readText(5)).toBe('hello');
    client.end();
    endpoint.end();
    expect(await shard.outcomes(1)).toEqual({ ok: 1 });
  });

  test('is reset when every endpoint refuses', async () => {
    const shard = await openShard([await closedPort(), await closedPort()]);
    const client = Peer.begin(shard.port);
    expect(await client.closed()).toBe('ECONNRESET');
    expect(await shard.outcomes(1)).toEqual({ connect_failed: 1 });
  });

  test('is reset when there is no endpoint', async () => {
    const shard = await openShard([]);
    const client = Peer.begin(shard.port);
    expect(await client.closed()).toBe('ECONNRESET');
    expect(await shard.outcomes(1)).toEqual({ no_endpoint: 1 });
  });

  test('passes on a reset of the client', async () => {
    const { shard, client, endpoint } = await openSession();
    client.send('x');
    await endpoint.read(1);
    client.reset();
    expect(await endpoint.closed()).toBe('ECONNRESET');
    expect(await shard.outcomes(1)).toEqual({ client_reset: 1 });
  });

  test('passes on a reset of the endpoint', async () => {
    const { shard, client, endpoint } = await openSession();
    endpoint.send('x');
    await client.read(1);
    endpoint.reset();
    expect(await client.closed()).toBe('ECONNRESET');
    expect(await shard.outcomes(1)).toEqual({ endpoint_reset: 1 });
  });

  test('ends when nothing moves for the idle time', async () => {
    const server = await openServer();
    const shard = await openShard([server.port], { idleMs: 100 });
    const client = await Peer.connect(shard.port);
    const endpoint = await server.next();
    await client.readToEnd();
    await endpoint.readToEnd();
    expect(await shard.outcomes(1)).toEqual({ idle_timeout: 1 });
  });

  test('goes on while the shard drains, which ends with it', async () => {
    const { shard, client, endpoint } = await openSession();
    shard.stopAccepting();
    client.send('still');
    expect(await endpoint.readText(5)).toBe('still');
    await eventually(() => shard.snapshot().connections === 2, 'two connections');
    expect(shard.has('drained')).toBe(false);
    client.end();
    endpoint.end();
    await shard.hears('drained');
    expect(await shard.outcomes(1)).toEqual({ ok: 1 });
    expect(await shard.close()).toBe(0);
  });

  test('is cut when the shard closes', async () => {
    const { shard, client, endpoint } = await openSession();
    client.send('x');
    await endpoint.read(1);
    expect(await shard.close()).toBe(1);
    expect(await client.closed()).toBe('ECONNRESET');
    expect(await endpoint.closed()).toBe('ECONNRESET');
  });

  test('shares the load evenly with others by least-request', async () => {
    const servers = [await openServer(), await openServer(), await openServer()];
    const shard = await openShard(
      servers.map(({ port }) => port),
      { policy: 'least-request' },
    );
    const clients = await Promise.all(Array.from({ length: 30 }, () => Peer.connect(shard.port)));
    const loads = () => servers.map((_, slot) => shard.board.inFlight(slot));
    await eventually(() => loads().reduce((sum, load) => sum + load, 0) === 30, '30 sessions');
    expect(loads()).toEqual([10, 10, 10]);
    for (const client of clients) client.reset();
    await shard.outcomes(30);
  });
});
