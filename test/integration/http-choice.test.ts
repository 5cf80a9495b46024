/** Which endpoint a request goes to: by what it says, by what the client was told to keep, by what is in flight. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { closedPort, get, HttpRig } from './http-rig.ts';
import { Origin, plainAnswer } from './origin-server.ts';
import { ENGINES } from './proxy-process.ts';

const ENDPOINTS = 5;
const POLICIES = ['source-hash', 'ring-hash', 'maglev'] as const;

describe.each(ENGINES)('the choice of an endpoint with the %s engine', (engine) => {
  const origins: Origin[] = [];
  let rig: HttpRig;

  beforeAll(async () => {
    for (let i = 0; i < ENDPOINTS; i++) origins.push(await Origin.start());
    nameOrigins();
    const gone = await closedPort();
    const endpoints = origins.map(({ port }) => `127.0.0.1:${port}`);
    const keys = ['header:X-Tenant', 'cookie:tenant', 'query:tenant', 'path'];
    const hashed = POLICIES.flatMap((policy) =>
      keys.map((hashOn) => ({ name: `${policy}-${hashOn}`, policy, hashOn })),
    );
    const nameOf = (text: string) => text.replace(/[^a-z-]/gi, '-').toLowerCase();
    rig = await HttpRig.start(
      engine,
      () => ({
        routes: [
          ...hashed.map(({ name }) => ({ match: { hosts: [`${nameOf(name)}.test`] }, cluster: nameOf(name) })),
          { match: { hosts: ['sticky.test'] }, cluster: 'sticky' },
          { match: { hosts: ['lasting.test'] }, cluster: 'lasting' },
          { match: { hosts: ['half-gone.test'] }, cluster: 'half-gone' },
        ],
        clusters: {
          ...Object.fromEntries(
            hashed.map(({ name, policy, hashOn }) => [nameOf(name), { policy, hashOn, endpoints }]),
          ),
          sticky: { policy: 'round-robin', stickiness: {}, endpoints },
          lasting: { policy: 'round-robin', stickiness: { cookie: 'stay', ttl: '1h' }, endpoints },
          'half-gone': { policy: 'round-robin', stickiness: {}, endpoints: [`127.0.0.1:${gone}`, endpoints[0]!] },
        },
      }),
      // A hash must not depend on the shard.
      { shards: engine === 'native' ? 2 : 1 },
    );
  });

  afterEach(async () => {
    await rig.reset();
    await Promise.all(origins.map((origin) => origin.reset()));
    nameOrigins();
  });
  /** Each answers with its index. */
  function nameOrigins(): void {
    for (const [index, origin] of origins.entries()) {
      origin.onRequest = (_, connection) => connection.send(plainAnswer(`${index}`));
    }
  }

  afterAll(async () => {
    await rig.stop();
    await Promise.all(origins.map((origin) => origin.close()));
  });

  /** Who answers each of the requests, every one over a connection of its own. */
  function whoAnswer(requests: readonly string[]): Promise<string[]> {
    return Promise.all(requests.map(async (request) => (await rig.client().ask(request)).text));
  }

  const SAYS: readonly (readonly [
    key: string,
    host: string,
    says: (tenant: string) => [target: string, ...lines: string[]],
  ])[] = [
    ['a header', 'header-x-tenant', (tenant) => ['/', `x-tenant: ${tenant}`]],
    ['a cookie', 'cookie-tenant', (tenant) => ['/', `Cookie: a=b; tenant=${tenant}; c=d`]],
    ['a parameter', 'query-tenant', (tenant) => [`/?x=y&tenant=${tenant}`]],
    ['the path', 'path', (tenant) => [`/${tenant}/a/../b?x=${Math.random()}`]],
  ];

  describe.each(POLICIES)('by %s', (policy) => {
    it.each(SAYS)('goes by %s alone', async (_, host, says) => {
      const ask = (tenant: string) => {
        const [target, ...lines] = says(tenant);
        return get(target, `Host: ${policy}-${host}.test`, ...lines);
      };
      const chosen = new Set<string>();
      for (let tenant = 0; tenant < 12; tenant++) {
        const who = new Set(await whoAnswer(Array.from({ length: 6 }, () => ask(`t${tenant}`))));
        expect(who.size, `tenant ${tenant}`).toBe(1);
        for (const it of who) chosen.add(it);
      }
      // All twelve on one or two of five endpoints: once in ten thousand draws, and the draw is always the same.
      expect(chosen.size).toBeGreaterThan(2);
    });
  });

  it('sends requests without what is hashed anywhere', async () => {
    const requests = Array.from({ length: 40 }, () => get('/', 'Host: maglev-header-x-tenant.test'));
    expect(new Set(await whoAnswer(requests)).size).toBeGreaterThan(2);
  });

  const cookieOf = (headers: readonly (readonly [string, string])[]) =>
    headers.filter(([name]) => name.toLowerCase() === 'set-cookie').map(([, value]) => value);

  describe('stickiness', () => {
    it('gives a new client a cookie that says nothing, and keeps it where it is', async () => {
      const first = await rig.client().ask(get('/', 'Host: sticky.test'));
      const [cookie, ...others] = cookieOf(first.headers);
      expect(others).toEqual([]);
      expect(cookie).toMatch(/^f7=[0-9a-f]{16}; Path=\/; HttpOnly; SameSite=Lax$/);
      const [pair] = cookie!.split(';');
      for (let i = 0; i < 12; i++) {
        const next = await rig.client().ask(get('/', 'Host: sticky.test', `Cookie: other=1; ${pair}`));
        expect(next.text).toBe(first.text);
        expect(cookieOf(next.headers)).toEqual([]);
      }
    });

    it('spreads clients that have none, and each endpoint has a cookie of its own', async () => {
      const cookies = new Map<string, string>();
      for (let i = 0; i < 4 * ENDPOINTS; i++) {
        const { text, headers } = await rig.client().ask(get('/', 'Host: sticky.test'));
        const [cookie] = cookieOf(headers);
        expect(cookies.get(text) ?? cookie).toBe(cookie);
        cookies.set(text, cookie!);
      }
      expect(new Set(cookies.values()).size).toBe(ENDPOINTS);
    });

    it('takes the name and the age that are wanted', async () => {
      const { headers } = await rig.client().ask(get('/', 'Host: lasting.test'));
      expect(cookieOf(headers)[0]).toMatch(/^stay=[0-9a-f]{16}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=3600$/);
    });

    it.each([['f7=0123456789abcdef'], ['f7='], ['f7=../../etc/passwd'], [`f7=${'f'.repeat(5000)}`]])(
      'does not mind a cookie of no endpoint: %s',
      async (cookie) => {
        const { status, headers } = await rig.client().ask(get('/', 'Host: sticky.test', `Cookie: ${cookie}`));
        expect(status).toBe(200);
        expect(cookieOf(headers)).toHaveLength(1);
      },
    );

    it('binds a client to who answered it, not to who was asked first', async () => {
      for (let i = 0; i < 4; i++) {
        const { text, headers } = await rig.client().ask(get('/', 'Host: half-gone.test'));
        expect(text).toBe('0');
        const [pair] = cookieOf(headers)[0]!.split(';');
        const next = await rig.client().ask(get('/', 'Host: half-gone.test', `Cookie: ${pair}`));
        expect([next.text, cookieOf(next.headers)]).toEqual(['0', []]);
      }
    });

    it('sets the cookie beside those of the endpoint', async () => {
      for (const origin of origins) {
        origin.onRequest = (_, connection) =>
          connection.send('HTTP/1.1 200 OK\r\nSet-Cookie: mine=1\r\nContent-Length: 0\r\n\r\n');
      }
      const { headers } = await rig.client().ask(get('/', 'Host: sticky.test'));
      expect(
        cookieOf(headers)
          .map((value) => value.split('=')[0])
          .sort(),
      ).toEqual(['f7', 'mine']);
    });
  });
});
