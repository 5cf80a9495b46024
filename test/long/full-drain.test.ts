/** SIGTERM with everything under way: each job ends as it would have, and then the proxy does. */
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { HttpClient } from '../integration/http-client.ts';
import { get } from '../integration/http-rig.ts';
import { ENGINES, ProxyProcess } from '../integration/proxy-process.ts';
import { bodyOf } from './body.ts';
import { Child } from './child.ts';
import { echo } from './load/echo.ts';
import { pause } from './load/pacer.ts';
import { requestText } from './load/raw-requests.ts';
import { openSession } from './load/sessions.ts';
import type { OriginPorts, OriginReport } from './origin/main.ts';

const KEPT = 500;
const IN_FLIGHT = 200;
const UPLOADS = 50;
const WEB_SOCKETS = 50;
const SESSIONS = 50;
const ANSWER_MS = 2_000;
const UPLOAD_BYTES = 80 * 1024;
const UPLOAD_PIECE_BYTES = 1024;
const UPLOAD_REST_MS = 40;
/** The longest job: conversations go on for so long after the signal. */
const CONVERSATION_MS = 5_000;
const WAIT_MS = 20_000;
const DEADLINE_MS = 3_000;

describe.each(ENGINES)('a drain with everything under way with the %s engine', (engine) => {
  const cleanUps: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  async function start(deadline: string): Promise<ProxyProcess> {
    const origin = await Child.start<OriginPorts, OriginReport>('origin/main.ts');
    cleanUps.push(() => origin.kill());
    const { steady, sessions } = origin.started;
    const proxy = await ProxyProcess.start({
      engine,
      shards: 2,
      drain: { grace: '500ms', deadline },
      listeners: {
        web: { address: '127.0.0.1:0', cluster: 'site' },
        raw: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'sessions' },
      },
      clusters: {
        site: { endpoints: steady.map((port) => `127.0.0.1:${port}`) },
        sessions: { endpoints: [`127.0.0.1:${sessions}`] },
      },
    });
    cleanUps.push(() => proxy.signal('SIGKILL'));
    return proxy;
  }

  /** A client per connection, closed with the test. */
  function clients(proxy: ProxyProcess, count: number): HttpClient[] {
    const all = Array.from({ length: count }, () => new HttpClient(proxy.port('web')));
    cleanUps.push(() => {
      for (const client of all) client.close();
    });
    return all;
  }

  /** Gives what each of them was answered. */
  async function startRequests(proxy: ProxyProcess): Promise<Promise<number>[]> {
    const all = clients(proxy, IN_FLIGHT);
    return all.map(async (client, index) => {
      client.send(requestText('GET', 'slow', ANSWER_MS, `slow-${index}`));
      return (await client.answer({ ms: WAIT_MS })).status;
    });
  }

  async function startUploads(proxy: ProxyProcess): Promise<Promise<number>[]> {
    return clients(proxy, UPLOADS).map(async (client, index) => {
      const id = `upload-${index}`;
      client.send(requestText('POST', 'upload', UPLOAD_BYTES, id, [`Content-Length: ${UPLOAD_BYTES}`]));
      for (const piece of bodyOf(id, UPLOAD_BYTES, UPLOAD_PIECE_BYTES)) {
        client.send(piece);
        await pause(UPLOAD_REST_MS);
      }
      return (await client.answer({ ms: WAIT_MS })).status;
    });
  }

  async function startWebSockets(proxy: ProxyProcess): Promise<Socket[]> {
    return Promise.all(
      clients(proxy, WEB_SOCKETS).map(async (client, index) => {
        client.send(requestText('GET', 'echo', 0, `ws-${index}`, ['Connection: Upgrade', 'Upgrade: echo']));
        expect((await client.answer({ ms: WAIT_MS })).status).toBe(101);
        return client.socket;
      }),
    );
  }

  async function startSessions(proxy: ProxyProcess): Promise<Socket[]> {
    const order = (id: string) => ({ mode: 'echo', id, up: 0, down: 0 });
    const sockets = Array.from({ length: SESSIONS }, (_, index) => openSession(proxy.port('raw'), order(`s-${index}`)));
    cleanUps.push(() => {
      for (const socket of sockets) socket.destroy();
    });
    for (const socket of sockets) expect(await echo(socket, 'hello')).toBe('hello');
    return sockets;
  }

  /** Words every so often until `untilMs`, then the client ends. Gives what went wrong. */
  async function converse(socket: Socket, untilMs: number): Promise<string> {
    while (performance.now() < untilMs) {
      const answer = await echo(socket, 'word');
      if (answer !== 'word') return answer;
      await pause(200);
    }
    socket.end();
    return '';
  }

  async function startKept(proxy: ProxyProcess): Promise<HttpClient[]> {
    const kept = clients(proxy, KEPT);
    for (const client of kept) expect((await client.ask(get('/bytes/5/x', 'x-id: x'))).status).toBe(200);
    return kept;
  }

  it('loses nothing, and exits within a second of the longest job', { timeout: 60_000 }, async () => {
    const proxy = await start('60s');
    const kept = await startKept(proxy);
    const [webSockets, sessions] = [await startWebSockets(proxy), await startSessions(proxy)];
    const uploads = await startUploads(proxy);
    const requests = await startRequests(proxy);
    await pause(ANSWER_MS / 2);
    const startMs = performance.now();
    proxy.signal('SIGTERM');
    const lastMs = startMs + CONVERSATION_MS;
    const talks = await Promise.all([...webSockets, ...sessions].map((socket) => converse(socket, lastMs)));
    expect(new Set(talks)).toEqual(new Set(['']));
    expect(new Set(await Promise.all(requests))).toEqual(new Set([200]));
    expect(new Set(await Promise.all(uploads))).toEqual(new Set([200]));
    expect(new Set(await Promise.all(kept.map(({ closed }) => closed)))).toEqual(new Set(['']));
    expect(await proxy.exit(WAIT_MS)).toEqual({ code: 0, signal: null });
    const tookMs = performance.now() - startMs;
    console.log(engine, { tookMs });
    expect(tookMs).toBeLessThan(CONVERSATION_MS + 1_000);
  });

  it('exits at the deadline, however long the jobs', { timeout: 60_000 }, async () => {
    const proxy = await start(`${DEADLINE_MS}ms`);
    const kept = await startKept(proxy);
    const [webSockets, sessions] = [await startWebSockets(proxy), await startSessions(proxy)];
    const requests = await startRequests(proxy);
    await pause(ANSWER_MS / 2);
    const startMs = performance.now();
    proxy.signal('SIGTERM');
    expect(new Set(await Promise.all(requests))).toEqual(new Set([200]));
    expect(new Set(await Promise.all(kept.map(({ closed }) => closed)))).toEqual(new Set(['']));
    expect((await proxy.exit(WAIT_MS)).code).toBe(4);
    const tookMs = performance.now() - startMs;
    console.log(engine, { tookMs });
    expect(tookMs).toBeGreaterThan(DEADLINE_MS - 100);
    expect(tookMs).toBeLessThan(DEADLINE_MS + 1_000);
    expect([...webSockets, ...sessions].every((socket) => socket.destroyed || socket.closed)).toBe(true);
  });
});
