/** Endpoints that are drained, disabled and enabled while traffic flows, through the API and the commands. */
import { afterEach, describe, expect, it } from 'vitest';
import { until } from './deadline.ts';
import { get, HttpRig } from './http-rig.ts';
import { field } from './origin-request.ts';
import { Origin, plainAnswer } from './origin-server.ts';
import { ENGINES, runCommand } from './proxy-process.ts';
import { startEchoServer, TcpClient } from './tcp-client.ts';

const MS = 5_000;

describe.each(ENGINES)('an endpoint with the %s engine', (engine) => {
  let rig: HttpRig;
  let other: Origin;
  let echo: Awaited<ReturnType<typeof startEchoServer>>;
  const addresses = { first: '', other: '', echo: '' };

  /** Two endpoints that say who they are, one after the other; and one for sessions. */
  async function start(): Promise<void> {
    other = await Origin.start();
    echo = await startEchoServer();
    rig = await HttpRig.start(engine, ({ port }) => {
      Object.assign(addresses, {
        first: `127.0.0.1:${port}`,
        other: `127.0.0.1:${other.port}`,
        echo: `127.0.0.1:${echo.port}`,
      });
      const endpoints = [addresses.first, addresses.other];
      return {
        routes: [{ match: { path: '/sticky' }, cluster: 'sticky' }],
        listeners: { raw: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'echo' } },
        clusters: {
          origin: { policy: 'round-robin', endpoints },
          sticky: { policy: 'round-robin', endpoints, stickiness: { cookie: 'f7', ttl: '1h' } },
          echo: { endpoints: [addresses.echo] },
        },
      };
    });
    rig.origin.onRequest = (_, connection) => connection.send(plainAnswer('first'));
    other.onRequest = (_, connection) => connection.send(plainAnswer('other'));
  }

  afterEach(async () => {
    await rig.reset();
    await rig.stop('on endpoints that were taken out');
    await other.close();
    await echo.close();
  });

  const change = (cluster: string, address: string, action: string) =>
    rig.proxy.admin(`/api/clusters/${cluster}/endpoints/${address}/${action}`, { method: 'POST' });

  const command = (...args: string[]) => runCommand([...args, '--admin', rig.proxy.adminUrl.replace('http://', '')]);

  /** Who answers, of many. A change is in force in the shard as soon as the board says so. */
  async function answering(count = 6): Promise<string[]> {
    const answers = new Set<string>();
    for (let index = 0; index < count; index++) answers.add((await rig.client().ask(get())).text);
    return [...answers].sort();
  }

  it('gets no new request once it drains, ends those it has, and comes back', async () => {
    await start();
    rig.origin.onRequest = () => {};
    const waiting = [rig.client().send(get('/w')), rig.client().send(get('/w'))];
    await rig.origin.request();
    const answer = await change('origin', addresses.first, 'drain');
    expect([answer.status, (await answer.json()) as object]).toEqual([
      200,
      expect.objectContaining({ address: addresses.first, admin: 'draining', inFlight: 1 }),
    ]);
    expect(await answering()).toEqual(['other']);
    rig.origin.connections[0]!.send(plainAnswer('first'));
    expect((await Promise.all(waiting.map((client) => client.answer()))).map(({ text }) => text).sort()).toEqual([
      'first',
      'other',
    ]);
    await rig.origin.until('its idle connections end', () => rig.origin.connections.every(({ isGone }) => isGone));
    rig.origin.onRequest = (_, connection) => connection.send(plainAnswer('first'));
    expect((await change('origin', addresses.first, 'enable')).status).toBe(200);
    expect(await answering()).toEqual(['first', 'other']);
  });

  it('is cut at the deadline of its drain', async () => {
    await start();
    rig.origin.onRequest = () => {};
    const clients = [rig.client().send(get('/w')), rig.client().send(get('/w'))];
    const session = new TcpClient({ port: rig.proxy.port('raw') });
    await session.echo('before');
    await rig.origin.request();
    expect((await change('origin', addresses.first, 'drain?deadline=300ms')).status).toBe(200);
    expect((await change('echo', addresses.echo, 'drain?deadline=300ms')).status).toBe(200);
    expect(await rig.origin.connections[0]!.gone).not.toBeUndefined();
    const statuses = await Promise.all(clients.map(async (client) => (await client.answer()).status));
    expect(statuses.sort()).toEqual([200, 503]);
    await session.closed;
  });

  it('keeps the sessions that it has while it drains, and gets no new ones', async () => {
    await start();
    const session = new TcpClient({ port: rig.proxy.port('raw') });
    await session.echo('before');
    await change('echo', addresses.echo, 'drain');
    await session.echo('while it drains');
    const late = new TcpClient({ port: rig.proxy.port('raw') });
    await late.closed;
    await session.echo('still');
    session.close();
    await until(MS, 'nothing in flight', async () => {
      const { clusters } = await rig.proxy.status();
      return clusters.find(({ name }) => name === 'echo')!.endpoints[0]!.inFlight === 0;
    });
  });

  it('keeps the clients that stick to it while it drains, and no longer when it is disabled', async () => {
    await start();
    const { text, ...head } = await rig.client().ask(get('/sticky'));
    const cookie = `Cookie: ${field(head, 'set-cookie')!.split(';')[0]}`;
    const address = text === 'first' ? addresses.first : addresses.other;
    const ask = async (...lines: string[]) => (await rig.client().ask(get('/sticky', ...lines))).text;
    await change('sticky', address, 'drain');
    for (let count = 0; count < 4; count++) expect(await ask(cookie)).toBe(text);
    for (let count = 0; count < 4; count++) expect(await ask()).not.toBe(text);
    await change('sticky', address, 'disable');
    for (let count = 0; count < 4; count++) expect(await ask(cookie)).not.toBe(text);
    await change('sticky', address, 'enable');
    for (let count = 0; count < 4; count++) expect(await ask(cookie)).toBe(text);
  });

  it('obeys the commands as well, which say what is wrong', async () => {
    await start();
    const { stdout, code } = await command('drain', `origin/${addresses.first}`, '--deadline', '1m');
    expect([code, stdout]).toEqual([0, expect.stringContaining('draining')]);
    expect(await answering()).toEqual(['other']);
    expect((await command('enable', `origin/${addresses.first}`)).code).toBe(0);
    expect(await answering()).toEqual(['first', 'other']);
    expect((await command('disable', `origin/${addresses.other}`)).code).toBe(0);
    expect(await answering()).toEqual(['first']);
    expect((await command('disable', `origin/${addresses.first}`)).code).toBe(0);
    expect((await rig.client().ask(get())).status).toBe(503);
    const unknown = await command('drain', 'origin/127.0.0.1:1');
    expect([unknown.code, unknown.stderr]).toEqual([expect.any(Number), expect.stringContaining('127.0.0.1:1')]);
    expect(unknown.code).not.toBe(0);
  });
});

describe.each(ENGINES)('limits with the %s engine', (engine) => {
  it('let who comes too late wait, for a place or for the answer 503', async () => {
    const limits = { requests: 2, pending: 1, pendingTimeout: '300ms' };
    const rig = await HttpRig.start(engine, ({ port }) => ({
      clusters: { origin: { endpoints: [`127.0.0.1:${port}`], limits } },
    }));
    try {
      rig.origin.onRequest = () => {};
      const first = rig.client().send(get('/1'));
      rig.client().send(get('/2'));
      await rig.origin.request(1);
      const waits = rig.client().send(get('/3'));
      // Without a place in the queue there is nothing to wait for.
      await until(MS, '503', async () => (await rig.client().ask(get('/4'), { ms: MS })).status === 503);
      expect((await waits.answer()).status).toBe(503);
      const next = rig.client().send(get('/5'));
      rig.origin.connections.find(({ requests }) => requests[0]?.target === '/1')!.send(plainAnswer('one'));
      expect((await first.answer()).text).toBe('one');
      await rig.origin.until('the one that waited', () => rig.origin.requests.some(({ target }) => target === '/5'));
      rig.origin.connections.find(({ requests }) => requests.at(-1)?.target === '/5')!.send(plainAnswer('five'));
      expect((await next.answer()).text).toBe('five');
      expect(rig.origin.requests.map((request) => request.target).sort()).toEqual(['/1', '/2', '/5']);
    } finally {
      await rig.reset();
      await rig.stop();
    }
  });
});
