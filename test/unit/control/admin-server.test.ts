import { createConnection } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AdminSource, adminRoutes } from '../../../src/control/admin/admin-routes.ts';
import { ADMIN_CONNECTIONS_MAX, AdminServer } from '../../../src/control/admin/admin-server.ts';
import { OPENAPI } from '../../../src/control/admin/openapi.ts';
import { makeStatus } from '../../../src/control/admin/status.ts';
import { silentLog } from '../../../src/control/event-log.ts';

const LOOPBACK = { family: 4, host: '127.0.0.1', port: 0 } as const;
let phase: ReturnType<AdminSource['phase']>;
let calls: string[];
let admin: AdminServer;

function source(testCall?: AdminSource['testCall'], more: Partial<AdminSource> = {}): AdminSource {
  const status = makeStatus({
    plan: { version: 1, listeners: [], clusters: [] },
    board: { health: () => 0, admin: () => 0, ejectedUntilTick: () => 0, inFlight: () => 0 },
    configVersion: 1,
    rejected: null,
    draining: false,
    shards: [],
    snapshots: [],
    addressOf: () => '',
  });
  return {
    phase: () => phase,
    status: async () => status,
    metrics: async () => [{ name: 'up', help: 'Up.', type: 'gauge', samples: [{ value: 1 }] }],
    endpoint: (action, cluster, address, deadlineMs) => {
      calls.push(`${action} ${cluster} ${address} ${deadlineMs}`);
      return address === 'absent' ? [] : [endpointState(address)];
    },
    testCall,
    ...more,
  };
}

function endpointState(address: string) {
  const health = 'healthy' as const;
  return { address, weight: 1, health, admin: 'draining' as const, ejectedUntil: null, inFlight: 2 };
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
    expect(await metrics.text()).toBe('# HELP up Up.\n# TYPE up gauge\nup 1\n');
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
    expect([answer.status, answer.headers.get('content-length'), await answer.text()]).toEqual([200, '35', '']);
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

describe('endpoints', () => {
  const post = (path: string, init: RequestInit = {}) => get(`/api/clusters/${path}`, { method: 'POST', ...init });

  it.each([
    ['api/endpoints/10.0.0.1:80/drain', 'drain api 10.0.0.1:80 undefined'],
    ['api/endpoints/10.0.0.1%3A80/drain?deadline=30s', 'drain api 10.0.0.1:80 30000'],
    ['api/endpoints/[::1]:80/disable?deadline=0s', 'disable api [::1]:80 0'],
    ['api/endpoints/unix:/run/a.sock/enable', 'enable api unix:/run/a.sock undefined'],
    ['a-b/endpoints/unix%3A%2Frun%2Fa.sock/enable', 'enable a-b unix:/run/a.sock undefined'],
  ])('%s', async (path, call) => {
    const answer = await post(path);
    expect([answer.status, calls]).toEqual([200, [call]]);
    expect(await answer.json()).toMatchObject({ cluster: path.split('/')[0], admin: 'draining', inFlight: 2 });
  });

  it.each([
    ['api/endpoints/absent/drain', 404],
    ['api/endpoints/a:1/drain?deadline=soon', 400],
    ['api/endpoints/a:1/drain?deadline=2h', 400],
    ['api/endpoints/a:1/enable?deadline=1s', 400],
    ['api/endpoints/%zz/drain', 400],
    ['api/endpoints/a:1/kill', 404],
  ])('%s is %i', async (path, status) => {
    const answer = await post(path);
    expect([answer.status, typeof ((await answer.json()) as { error: unknown }).error]).toEqual([status, 'string']);
  });

  it('tells of each address that a host name means', async () => {
    await admin.close();
    const endpoint = () => [endpointState('10.0.0.1:80'), endpointState('10.0.0.2:80')];
    admin = await AdminServer.listen(LOOPBACK, source(undefined, { endpoint }), silentLog);
    const state = (await (await post('api/endpoints/db:80/drain')).json()) as { endpoints: { address: string }[] };
    expect(state.endpoints.map(({ address }) => address)).toEqual(['10.0.0.1:80', '10.0.0.2:80']);
  });
});

describe('requests of other sites', () => {
  const path = '/api/clusters/api/endpoints/a:1/drain';
  const send = (...lines: string[]) =>
    exchange([`POST ${path} HTTP/1.1`, 'Connection: close', 'Content-Length: 0', ...lines, '', ''].join('\r\n'));

  it.each([
    [['Host: 127.0.0.1:9947', 'Origin: http://evil.test']],
    [['Host: 127.0.0.1:9947', 'Origin: null']],
    [['Host: 127.0.0.1:9947', 'Origin: https://127.0.0.1:9947']],
    [['Host: evil.test:9947', 'Origin: http://evil.test:9947']],
    [['Host: localhost', 'Sec-Fetch-Site: cross-site']],
    [['Host: localhost', 'Sec-Fetch-Site: same-site', 'Origin: http://localhost']],
  ])('are refused: %j', async (lines) => {
    expect(await send(...lines)).toMatch(/^HTTP\/1\.1 403 /);
    expect(calls).toEqual([]);
  });

  it.each([
    [['Host: 127.0.0.1:9947', 'Origin: http://127.0.0.1:9947', 'Sec-Fetch-Site: same-origin']],
    [['Host: localhost:9947', 'Origin: http://localhost:9947']],
    [['Host: [::1]:9947', 'Origin: http://[::1]:9947']],
    [['Host: anything']],
    [['Host: localhost', 'Sec-Fetch-Site: none']],
  ])('are told from ours: %j', async (lines) => {
    expect(await send(...lines)).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('a reload', () => {
  it.each([
    [{ configVersion: 2, rejected: null }, 200],
    [{ configVersion: 1, rejected: { at: '2026-01-01T00:00:00.000Z', problems: ['listeners: gone'] } }, 422],
  ])('is answered with what came of it: %j', async (outcome, status) => {
    await admin.close();
    admin = await AdminServer.listen(LOOPBACK, source(undefined, { reload: async () => outcome }), silentLog);
    const answer = await get('/api/reload', { method: 'POST' });
    expect([answer.status, await answer.json()]).toEqual([status, outcome]);
  });

  it('is refused where there is no file', async () => {
    expect((await get('/api/reload', { method: 'POST' })).status).toBe(409);
  });
});

describe('a question about routes', () => {
  it('is passed on as it was asked, and what is wrong with it is said', async () => {
    await admin.close();
    const asked: unknown[] = [];
    const explain: AdminSource['explain'] = async (question) => {
      asked.push(question);
      return question.url === 'bad' ? { fault: 'no URL' } : { answer: { route: 'api' } };
    };
    admin = await AdminServer.listen(LOOPBACK, source(undefined, { explain }), silentLog);
    const query = new URLSearchParams([
      ['method', 'PUT'],
      ['url', 'http://h/a?b=c&d'],
      ['header', 'X-A: b: c'],
      ['header', 'X-D:e'],
      ['source', '10.0.0.1'],
    ]);
    const answer = await get(`/api/explain?${query}`);
    expect([answer.status, await answer.json()]).toEqual([200, { route: 'api' }]);
    expect(asked).toEqual([
      {
        method: 'PUT',
        url: 'http://h/a?b=c&d',
        headers: [
          ['X-A', 'b: c'],
          ['X-D', 'e'],
        ],
        source: '10.0.0.1',
      },
    ]);
    expect((await get('/api/explain?url=bad')).status).toBe(400);
    expect((await get('/api/explain')).status).toBe(400);
  });

  it('asks for the token where there is one, but not of probes', async () => {
    await admin.close();
    admin = await AdminServer.listen(LOOPBACK, source(undefined, { token: 'sixteen-letters-and-more' }), silentLog);
    const statusOf = async (path: string, authorization?: string) =>
      (await get(path, authorization === undefined ? {} : { headers: { authorization } })).status;
    expect(await statusOf('/api/status')).toBe(401);
    expect(await statusOf('/metrics', 'Bearer wrong')).toBe(401);
    expect(await statusOf('/metrics', 'Basic sixteen-letters-and-more')).toBe(401);
    expect(await statusOf('/metrics', 'bearer sixteen-letters-and-more')).toBe(200);
    expect(await statusOf('/livez')).toBe(200);
    expect(await statusOf('/')).toBe(200);
    expect((await get('/api/status')).headers.get('www-authenticate')).toBe('Bearer');
  });

  it('describes every call that it answers, and no other', () => {
    const described = Object.entries(OPENAPI.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => [method.toUpperCase(), path.replace(/\{[^}]+\}/g, 'x')] as const),
    );
    const elsewhere = ['/', '/api/events'];
    const routes = adminRoutes(source(undefined, { explain: async () => ({ answer: {} }) }));
    for (const [method, path] of described) {
      const isAnswered = routes.some((route) => route.method === method && route.path.test(path));
      expect([method, path, isAnswered || elsewhere.includes(path)]).toEqual([method, path, true]);
    }
    for (const route of routes) {
      const count = described.filter(([method, path]) => route.method === method && route.path.test(path)).length;
      expect([String(route.path), count > 0]).toEqual([String(route.path), true]);
    }
  });

  it('shows a page that needs nothing from elsewhere, and is not sent twice', async () => {
    const page = await get('/');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await page.text()).not.toMatch(/ (src|href)="(?!data:)/);
    expect((await get('/', { headers: { 'if-none-match': page.headers.get('etag')! } })).status).toBe(304);
  });
});
