import { createConnection } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN_CONNECTIONS_MAX, AdminServer, type AdminSource } from '../../../src/control/admin/admin-server.ts';
import { makeStatus } from '../../../src/control/admin/status.ts';
import { silentLog } from '../../../src/control/event-log.ts';

const LOOPBACK = { family: 4, host: '127.0.0.1', port: 0 } as const;
let phase: ReturnType<AdminSource['phase']>;
let calls: string[];
let admin: AdminServer;

function source(testCall?: AdminSource['testCall']): AdminSource {
  const status = makeStatus({
    plan: { version: 1, listeners: [], clusters: [] },
    board: { health: () => 0, admin: () => 0, ejectedUntilTick: () => 0, inFlight: () => 0 },
    draining: false,
    shards: [],
    snapshots: [],
    addressOf: () => '',
  });
  return { phase: () => phase, status: async () => status, metrics: async () => 'up 1\n', testCall };
}

function get(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://${admin.address}${path}`, init);
}

/** Sends raw bytes and reads until the end. */
function exchange(text: string): Promise<string> {
  const port = Number(admin.address.split(':')[1]);
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = createConnection(port, '127.0.0.1', () => socket.write(text));
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(answer));
  });
}

beforeEach(async () => {
  phase = 'ready';
  calls = [];
  admin = await AdminServer.listen(
    LOOPBACK,
    source((shard, call) => {
      calls.push(`${shard} ${call}`);
      return shard === 0;
    }),
    silentLog,
  );
});

afterEach(() => admin.close());

describe('the admin API', () => {
  it('is alive in every phase, and ready only when ready', async () => {
    for (const [now, status] of [
      ['starting', 503],
      ['ready', 200],
      ['draining', 503],
    ] as const) {
      phase = now;
      const [livez, readyz] = await Promise.all([get('/livez'), get('/readyz')]);
      expect([livez.status, readyz.status, await readyz.text()]).toEqual([200, status, `${now}\n`]);
    }
  });

  it('answers with metrics and status in their content types', async () => {
    const [metrics, status] = await Promise.all([get('/metrics'), get('/api/status')]);
    expect(metrics.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await metrics.text()).toBe('up 1\n');
    expect(status.headers.get('content-type')).toBe('application/json');
    expect(await status.json()).toMatchObject({ configVersion: 1, rejected: null, draining: false });
  });

  it('says 404 for unknown paths and 405 with Allow for other methods, as JSON', async () => {
    const absent = await get('/absent');
    expect([absent.status, await absent.json()]).toEqual([404, { error: 'there is nothing at this path' }]);
    const method = await get('/metrics', { method: 'DELETE' });
    expect([method.status, method.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect(await method.json()).toHaveProperty('error');
  });

  it('answers HEAD as GET, without the body', async () => {
    const answer = await get('/metrics', { method: 'HEAD' });
    expect([answer.status, answer.headers.get('content-length'), await answer.text()]).toEqual([200, '5', '']);
  });

  it('refuses bodies, and heads beyond 8 KiB', async () => {
    const body = await get('/api/test/shards/0/crash', { method: 'POST', body: 'x' });
    expect([body.status, calls]).toEqual([413, []]);
    const head = await exchange(`GET /livez HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(10_000)}\r\n\r\n`);
    expect(head).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('passes test calls on, and says 404 for a shard that is not there', async () => {
    const post = (path: string) => get(`/api/test/shards/${path}`, { method: 'POST' });
    expect((await post('0/crash')).status).toBe(202);
    expect((await post('0/hang')).status).toBe(202);
    expect((await post('1/crash')).status).toBe(404);
    expect((await post('0/explode')).status).toBe(404);
    expect(calls).toEqual(['0 crash', '0 hang', '1 crash']);
  });

  it('holds no more connections than it may', async () => {
    const port = Number(admin.address.split(':')[1]);
    const sockets = Array.from({ length: ADMIN_CONNECTIONS_MAX }, () => createConnection(port, '127.0.0.1'));
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    const extra = await exchange('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n').catch(
      (error: { code: string }) => error.code,
    );
    expect(['', 'ECONNRESET']).toContain(extra);
    for (const socket of sockets) socket.destroy();
  });

  it('names its address if that is in use', async () => {
    const [host, port] = admin.address.split(':');
    const second = AdminServer.listen({ family: 4, host: host!, port: Number(port) }, source(), silentLog);
    await expect(second).rejects.toMatchObject({
      code: 'bind_failed',
      message: expect.stringContaining(admin.address),
    });
  });
});

describe('without test calls', () => {
  it('does not know their paths', async () => {
    await admin.close();
    admin = await AdminServer.listen(LOOPBACK, source(), silentLog);
    expect((await get('/api/test/shards/0/crash', { method: 'POST' })).status).toBe(404);
  });
});
