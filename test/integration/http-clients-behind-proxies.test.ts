/** What endpoints are told about clients, through the real proxy. The table of all cases is in the unit tests of `Forwarding`. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type EngineName, get, HttpRig } from './http-rig.ts';
import { ENGINES } from './proxy-process.ts';

const CLAIMS = [
  'X-Forwarded-For: 6.6.6.6, 203.0.113.9',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: b.test',
  'X-Request-Id: their-id',
];

describe.each(ENGINES)('a client behind a proxy, over the %s engine', (engine: EngineName) => {
  let rig: HttpRig;

  beforeAll(async () => {
    const address = '127.0.0.1:0';
    const cluster = 'origin';
    const spread = { policy: 'source-hash' } as const;
    rig = await HttpRig.start(engine, (origin) => ({
      listeners: {
        trusting: {
          address,
          cluster,
          trustedProxies: ['127.0.0.0/8'],
          forwardedHeader: true,
          via: 'edge',
        },
        wary: { address, cluster, trustedProxies: ['10.0.0.0/8'], forwardedHeader: true },
        strict: { address, cluster, underscores: 'reject' },
        loose: { address, cluster, underscores: 'allow', requestId: false },
        // The same origin under two names: which one is asked tells the client's hash.
        spread: { address, cluster: 'spread', trustedProxies: ['127.0.0.0/8'] },
      },
      clusters: {
        spread: { ...spread, endpoints: [`127.0.0.1:${origin.port}`, `[::ffff:127.0.0.1]:${origin.port}`] },
      },
    }));
  });
  afterEach(() => rig.reset());
  afterAll(() => rig.stop());

  /** The fields that the origin gets, by name in lower case. */
  async function told(listener: string, ...lines: string[]): Promise<Record<string, string>> {
    const { status } = await rig.client(listener).ask(get('/', ...lines));
    expect(status).toBe(200);
    const { headers } = await rig.origin.request(rig.origin.requests.length - 1);
    return Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]));
  }

  test('is known by what the proxy says, if that is trusted', async () => {
    expect(await told('trusting', ...CLAIMS, 'Forwarded: for=203.0.113.9')).toEqual({
      host: 'example.test',
      'x-forwarded-for': '6.6.6.6, 203.0.113.9, 127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'b.test',
      'x-request-id': 'their-id',
      forwarded: 'for=203.0.113.9, for=127.0.0.1;host="example.test";proto=http',
      via: '1.1 edge',
    });
  });

  test('is known by its address, if nobody is trusted', async () => {
    expect(await told('wary', ...CLAIMS, 'Forwarded: for=203.0.113.9')).toEqual({
      host: 'example.test',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'example.test',
      'x-request-id': expect.stringMatching(/^[0-9a-f]{32}$/),
      forwarded: 'for=127.0.0.1;host="example.test";proto=http',
    });
  });

  test('carries its trace, and any X-Request-Id where none is made', async () => {
    const trace = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', tracestate: 'a=1,b=2' };
    const lines = Object.entries(trace).map(([name, value]) => `${name}: ${value}`);
    expect(await told('web', ...lines, 'X-Request-Id: mine')).toMatchObject({ ...trace, 'x-request-id': 'mine' });
  });

  test('has each request named anew', async () => {
    const client = rig.client('wary');
    for (let index = 0; index < 3; index++) await client.ask(get('/'));
    const ids = rig.origin.requests.map(({ headers }) => headers.find(([name]) => name === 'X-Request-Id')?.[1]);
    expect(new Set(ids).size).toBe(3);
  });

  test('is refused for a name with an underscore where the listener says so', async () => {
    const client = rig.client('strict').send(get('/', 'a_b: 1'));
    expect((await client.answer()).status).toBe(400);
    expect(rig.origin.byteCount).toBe(0);
    expect((await rig.client('strict').ask(get('/', 'a-b: 1'))).status).toBe(200);
  });

  test('may use names with an underscore where the listener says so, but none that resembles a known one', async () => {
    const fields = await told('loose', 'a_b: 1', 'X_Forwarded_For: 6.6.6.6', 'Transfer_Encoding: chunked');
    expect(Object.keys(fields)).toEqual(['host', 'a_b', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host']);
  });

  test('keeps its endpoint by the address that a trusted proxy names, over all connections', async () => {
    const portsOf = async (client: string) => {
      const from = rig.origin.connections.length;
      for (let index = 0; index < 3; index++) await told('spread', `X-Forwarded-For: ${client}`);
      return rig.origin.connections.slice(from).length;
    };
    // One pooled connection serves a client that always leads to the same endpoint.
    expect(await portsOf('203.0.113.1')).toBe(1);
    let both = 1;
    for (let last = 2; last < 40 && both < 2; last++) both += await portsOf(`203.0.113.${last}`);
    expect(both).toBe(2);
  });
});
