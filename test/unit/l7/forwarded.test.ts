import { describe, expect, test } from 'vitest';
import type { HttpListenerPlan } from '../../../src/contract/plan.ts';
import { asciiBytes } from '../../../src/core/bytes.ts';
import { type Cidr, parseCidr } from '../../../src/core/cidr.ts';
import { readIpAddress } from '../../../src/core/ip-address.ts';
import { ClientAddress } from '../../../src/downstream/client-address.ts';
import { Forwarding } from '../../../src/l7/forwarded.ts';
import { forwardFields } from '../../../src/l7/h1/forward-fields.ts';
import { RequestHead } from '../../../src/l7/h1/request-head.ts';
import { parseRequestHead } from '../../../src/l7/h1/request-parser.ts';
import { RequestIds } from '../../../src/l7/request-id.ts';
import { UpstreamFixture } from '../upstream/upstream-fixture.ts';

type Options = Partial<Pick<HttpListenerPlan, 'forwardedHeader' | 'requestId' | 'via' | 'underscores'>>;

const LIMITS = { headMaxBytes: 65_536, headersMaxCount: 100, lineMaxBytes: 16_384 };
const TRUSTED = ['10.0.0.0/8', '2001:db8::/32'];
const PROXY = '10.0.0.1';
const STRANGER = '192.0.2.7';

const fixture = new UpstreamFixture();
const { dispatcher, engine } = fixture;

function address(text: string): ClientAddress {
  const client = new ClientAddress();
  const bytes = asciiBytes(text);
  if (text !== 'unix' && !readIpAddress(bytes, 0, bytes.length, client)) throw new Error(text);
  return client;
}

function forwarding(options: Options = {}, trusted: readonly string[] = TRUSTED): Forwarding {
  const plan = { ...options, trustedProxies: trusted.map((text) => parseCidr(text) as Cidr) };
  return new Forwarding(plan as unknown as HttpListenerPlan, dispatcher.constants);
}

function parse(lines: readonly string[], version = '1.1'): RequestHead {
  const head = new RequestHead(100);
  const bytes = asciiBytes(`GET / HTTP/${version}\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`);
  engine.slab.set(bytes, 0);
  expect(parseRequestHead(engine.slab, 0, bytes.length, LIMITS, head)).toBe(bytes.length);
  return head;
}

/** The field lines that an endpoint gets, in order. */
function seen(rules: Forwarding, peer: string, lines: readonly string[], version = '1.1'): string[] {
  const head = parse(lines, version);
  const { commands, scratch } = dispatcher;
  scratch.reset();
  const from = address(peer);
  commands.beginSend(1, 0, 0);
  const dropped = rules.droppedTraits(engine.slab, head, from);
  forwardFields(commands, engine.slab, head, dropped);
  rules.write(commands, scratch, head, from, dropped);
  commands.endSend();
  const [order = ''] = fixture.orders();
  return (JSON.parse(order.slice('send 1 '.length)) as string).split('\r\n').slice(0, -1);
}

const HOST = 'Host: a.test:81';
const OURS = (peer: string) => [`X-Forwarded-For: ${peer}`, 'X-Forwarded-Proto: http', 'X-Forwarded-Host: a.test:81'];
const CLAIMS = [
  'X-Forwarded-For: 1.2.3.4',
  'x-forwarded-for: 10.9.9.9',
  'X-Forwarded-Proto: https',
  'X-FORWARDED-HOST: evil.test',
  'X-Forwarded-Port: 1',
  'X-Real-IP: 1.2.3.4',
  'Forwarded: for=1.2.3.4',
];

describe('what a stranger claims', () => {
  test.each(CLAIMS)('%s is dropped, and ours is said', (claim) => {
    expect(seen(forwarding(), STRANGER, [HOST, claim])).toEqual([HOST, ...OURS(STRANGER)]);
  });

  test('is dropped all together, whoever is trusted', () => {
    for (const rules of [forwarding(), forwarding({}, []), forwarding({}, ['192.0.2.6/32'])]) {
      expect(seen(rules, STRANGER, [...CLAIMS, HOST, ...CLAIMS])).toEqual([HOST, ...OURS(STRANGER)]);
    }
  });

  test('is nothing that Connection could add', () => {
    const lines = ['Connection: X-Forwarded-For, X-Forwarded-Host, X-Request-Id, Host', HOST, 'X-Request-Id: a'];
    expect(seen(forwarding(), STRANGER, lines)).toEqual([HOST, 'X-Request-Id: a', ...OURS(STRANGER)]);
  });

  test('a client without an address, and one that names no host', () => {
    expect(seen(forwarding({ forwardedHeader: true }), 'unix', [], '1.0')).toEqual([
      'X-Forwarded-For: unix:',
      'X-Forwarded-Proto: http',
      'Forwarded: for=unknown;proto=http',
    ]);
  });
});

describe('what a trusted proxy says', () => {
  test('is kept, and X-Forwarded-For is added to', () => {
    expect(seen(forwarding(), PROXY, [HOST, 'X-Forwarded-For: 1.2.3.4, 5.6.7.8'])).toEqual([
      HOST,
      'X-Forwarded-For: 1.2.3.4, 5.6.7.8, 10.0.0.1',
      'X-Forwarded-Proto: http',
      'X-Forwarded-Host: a.test:81',
    ]);
    expect(seen(forwarding(), PROXY, [HOST, ...CLAIMS])).toEqual([
      HOST,
      ...CLAIMS.slice(2),
      'X-Forwarded-For: 1.2.3.4, 10.9.9.9, 10.0.0.1',
    ]);
  });

  test('has ours in its place where it says nothing', () => {
    expect(seen(forwarding(), PROXY, [HOST])).toEqual([HOST, ...OURS(PROXY)]);
    expect(seen(forwarding(), PROXY, [HOST, 'X-Forwarded-For:', 'X-Forwarded-Proto: https'])).toEqual([
      HOST,
      'X-Forwarded-Proto: https',
      'X-Forwarded-For: 10.0.0.1',
      'X-Forwarded-Host: a.test:81',
    ]);
  });
});

describe('Forwarded', () => {
  const rules = forwarding({ forwardedHeader: true });
  test('tells of a stranger what X-Forwarded-* tell', () => {
    expect(seen(rules, STRANGER, [HOST, 'Forwarded: for=1.2.3.4']).at(-1)).toBe(
      'Forwarded: for=192.0.2.7;host="a.test:81";proto=http',
    );
    expect(seen(rules, '2001:db9::1', [HOST]).at(-1)).toBe(
      'Forwarded: for="[2001:db9::1]";host="a.test:81";proto=http',
    );
  });

  test('is added to that of a trusted proxy', () => {
    const lines = seen(rules, PROXY, [HOST, 'Forwarded: for=1.2.3.4;proto=https', 'Forwarded: for="[::1]"']);
    expect(lines.filter((line) => line.startsWith('Forwarded'))).toEqual([
      'Forwarded: for=1.2.3.4;proto=https, for="[::1]", for=10.0.0.1;host="a.test:81";proto=http',
    ]);
  });
});

describe('X-Request-Id', () => {
  const rules = forwarding({ requestId: true });
  const idsOf = (peer: string, ...lines: string[]) =>
    seen(rules, peer, [HOST, ...lines]).filter((line) => /^x-request-id/i.test(line));

  test('is made for a stranger, whatever it says', () => {
    const made = [
      idsOf(STRANGER),
      idsOf(STRANGER, 'X-Request-Id: mine'),
      idsOf(STRANGER, 'x-request-id: a', 'X-REQUEST-ID: b'),
    ];
    for (const lines of made) expect(lines).toEqual([expect.stringMatching(/^X-Request-Id: [0-9a-f]{32}$/)]);
    expect(new Set(made.flat()).size).toBe(3);
  });

  test('is kept from a trusted proxy', () => {
    expect(idsOf(PROXY, 'x-request-id: 6ba7b810-9dad/11d1==')).toEqual(['x-request-id: 6ba7b810-9dad/11d1==']);
  });

  test.each([[[]], [['']], [['a b']], [['a', 'b']], [['a', 'a']], [['a'.repeat(129)]], [['a\xff']]])(
    'is made where a trusted proxy says %j',
    (values) => {
      const lines = idsOf(PROXY, ...values.map((value) => `X-Request-Id: ${value}`));
      expect(lines).toEqual([expect.stringMatching(/^X-Request-Id: [0-9a-f]{32}$/)]);
    },
  );

  test('passes as any other field where it is off', () => {
    expect(seen(forwarding(), STRANGER, [HOST, 'X-Request-Id: a b'])).toContain('X-Request-Id: a b');
  });

  test('repeats for the same seed, and never soon for one', () => {
    const bytes = new Uint8Array(32);
    const first = (ids: RequestIds, count: number) =>
      Array.from({ length: count }, () => {
        ids.write(bytes, 0);
        return Buffer.from(bytes).toString();
      });
    const seed = Uint32Array.of(1, 2, 3, 4);
    expect(first(new RequestIds(seed), 3)).toEqual(first(new RequestIds(seed), 3));
    expect(new Set(first(new RequestIds(new Uint32Array(4)), 10_000)).size).toBe(10_000);
  });
});

test('Via names the version that the client spoke, behind what is there', () => {
  const rules = forwarding({ via: 'edge' });
  expect(seen(rules, STRANGER, [HOST, 'Via: 1.1 before']).filter((line) => line.startsWith('Via'))).toEqual([
    'Via: 1.1 before',
    'Via: 1.1 edge',
  ]);
  expect(seen(rules, STRANGER, [HOST], '1.0').at(-1)).toBe('Via: 1.0 edge');
});

test('traceparent, tracestate and what overrides methods and URLs elsewhere pass untouched', () => {
  const lines = [
    'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    'tracestate: a=1,b=2',
    'X-HTTP-Method-Override: DELETE',
    'X-Original-URL: /admin',
  ];
  for (const peer of [STRANGER, PROXY]) {
    expect(seen(forwarding({ requestId: true }), peer, [HOST, ...lines]).slice(0, 5)).toEqual([HOST, ...lines]);
  }
});

describe('names with an underscore', () => {
  const lines = ['a_b: 1', 'X_Forwarded_For: 1.2.3.4', 'Content_Length: 5', 'x-forwarded_any: 1', 'x_request_id: 1'];
  test.each([STRANGER, PROXY])('are dropped by default, from %s', (peer) => {
    expect(seen(forwarding(), peer, [HOST, ...lines])).toEqual([HOST, ...OURS(peer)]);
  });

  test.each([STRANGER, PROXY])('are allowed but for those that resemble a known one, from %s', (peer) => {
    expect(seen(forwarding({ underscores: 'allow' }), peer, [HOST, ...lines])).toEqual([HOST, 'a_b: 1', ...OURS(peer)]);
  });

  test('are refused', () => {
    const { refusedTraits } = forwarding({ underscores: 'reject' });
    for (const line of lines) expect(parse([HOST, line]).traits & refusedTraits).not.toBe(0);
    expect(parse([HOST, 'A-b: a_b']).traits & refusedTraits).toBe(0);
    expect(forwarding().refusedTraits).toBe(0);
  });
});

describe('the client', () => {
  const cases: readonly [peer: string, values: readonly string[], client: string][] = [
    [STRANGER, ['1.2.3.4'], STRANGER],
    [PROXY, [], PROXY],
    [PROXY, ['1.2.3.4'], '1.2.3.4'],
    [PROXY, ['6.6.6.6, 1.2.3.4'], '1.2.3.4'],
    [PROXY, ['6.6.6.6', '1.2.3.4'], '1.2.3.4'],
    [PROXY, ['6.6.6.6, 1.2.3.4, 10.2.2.2 ,\t2001:db8::2'], '1.2.3.4'],
    [PROXY, ['6.6.6.6, 1.2.3.4', '10.2.2.2'], '1.2.3.4'],
    [PROXY, ['10.3.3.3, 10.2.2.2'], '10.3.3.3'],
    [PROXY, ['1.2.3.4,,  ,'], '1.2.3.4'],
    [PROXY, ['', '1.2.3.4', ''], '1.2.3.4'],
    [PROXY, ['1.2.3.4:5678'], '1.2.3.4'],
    [PROXY, ['[2001:db9::1]:5678'], '2001:db9::1'],
    [PROXY, ['[2001:db9::1]'], '2001:db9::1'],
    [PROXY, ['2001:db9::1'], '2001:db9::1'],
    [PROXY, ['::ffff:1.2.3.4'], '1.2.3.4'],
    // What is no address is not believed, nor is anything before it.
    [PROXY, ['1.2.3.4, unknown'], PROXY],
    [PROXY, ['1.2.3.4, unknown, 10.2.2.2'], '10.2.2.2'],
    [PROXY, ['1.2.3.4:'], PROXY],
    [PROXY, ['1.2.3.4:123456'], PROXY],
    [PROXY, ['[1.2.3.4]'], PROXY],
    [PROXY, ['[2001:db9::1'], PROXY],
    [PROXY, ['[2001:db9::1]x'], PROXY],
    [PROXY, ['01.2.3.4'], PROXY],
    [PROXY, ['"1.2.3.4"'], PROXY],
    ['2001:db8::9', ['1.2.3.4'], '1.2.3.4'],
    ['unix', ['1.2.3.4'], 'unix'],
  ];
  test.each(cases)('of %s with X-Forwarded-For %j is %s', (peer, values, client) => {
    const head = parse([HOST, ...values.map((value) => `X-Forwarded-For: ${value}`)]);
    const found = forwarding().clientOf(engine.slab, head, address(peer));
    const { word0, word1, word2, word3, family } = address(client);
    expect(found).toMatchObject({ word0, word1, word2, word3, family });
  });
});
