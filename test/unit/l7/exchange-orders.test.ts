/** What an exchange orders from the engine, round by round: the cases that depend on what happens in the same round. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { HttpListenerPlan, Plan } from '../../../src/contract/plan.ts';
import { Random } from '../../../src/core/random.ts';
import { finish } from '../../../src/core/slices.ts';
import { Event } from '../../../src/engine/protocol.ts';
import { HttpListener } from '../../../src/l7/http-listener.ts';
import { AccessLogs } from '../../../src/observe/access/access-log.ts';
import { composeLines } from '../../../src/observe/access/compose-lines.ts';
import { Spans } from '../../../src/observe/spans.ts';
import { TrafficCounters } from '../../../src/observe/traffic-counters.ts';
import { ClusterSet } from '../../../src/upstream/cluster-set.ts';
import { Dialer } from '../../../src/upstream/dialer.ts';
import { type FakeEngine, happen } from '../upstream/fake-engine.ts';
import { clusterPlan, endpointPlan, takeOver, UpstreamFixture } from '../upstream/upstream-fixture.ts';

const CLIENT = 1;
/** Ids of the connections that are dialed, in order. */
const UPSTREAM = 100;
const SECOND_UPSTREAM = 101;
const IDLE_MS = 60_000;
const HEAD_MS = 10_000;
const BODY_MS = 30_000;
const TIMEOUT_MS = 15_000;
const POOL_IDLE_MS = 4000;

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const CLAIMS = 'X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n';

const LISTENER: HttpListenerPlan = {
  slot: 0,
  name: 'web',
  address: '127.0.0.1:0',
  protocol: 'http',
  routes: [
    {
      name: 'all',
      match: {},
      action: { kind: 'forward', clusters: [{ cluster: 0, weight: 1 }], timeoutMs: TIMEOUT_MS },
    },
  ],
  timeouts: { headMs: HEAD_MS, bodyMs: BODY_MS, idleMs: IDLE_MS },
  limits: { headMaxBytes: 65_536, headersMaxCount: 100, lineMaxBytes: 16_384 },
};

/** Draws the shortest wait each time: retries go out at once. */
const NO_BACKOFF = { below: () => 0 } as unknown as Random;

let engine: FakeEngine;
let listener: HttpListener;

beforeEach(() => {
  const fixture = new UpstreamFixture();
  engine = fixture.engine;
  const { dispatcher } = fixture;
  const clusters = new ClusterSet(fixture.context, new Random(1));
  const plan: Plan = { version: 1, listeners: [LISTENER], clusters: [clusterPlan([endpointPlan(0)])] };
  const planned = takeOver(clusters, plan);
  const counters = new TrafficCounters();
  const context = {
    dispatcher,
    counters,
    spans: new Spans(() => {}),
    accessLogs: new AccessLogs({ post: () => {}, random: () => 0, wallMs: () => 0, composer: composeLines }),
    dialer: new Dialer(dispatcher),
    random: NO_BACKOFF,
    shard: 0,
    draining: false,
  };
  listener = finish(HttpListener.make(context, LISTENER, planned));
  dispatcher.bindListener(0, listener);
});

/** A DATA record with this text; each has its own place in the part of the slab for what was received. */
function says(id: number, text: string, place = 0): number[] {
  const offset = place * 4096;
  for (let at = 0; at < text.length; at++) engine.slab[offset + at] = text.charCodeAt(at);
  return happen.data(id, offset, text.length);
}

function send(id: number, text: string): string {
  return `send ${id} ${JSON.stringify(text)}`;
}

/** A client whose first request was answered, and whose upstream connection is in the pool. */
function serveOnce(): void {
  engine.round(happen.accepted(CLIENT), says(CLIENT, GET));
  engine.round(happen.connected(UPSTREAM));
  engine.round(says(UPSTREAM, ANSWER));
}

describe('deadlines that passed in the round in which they were replaced', () => {
  it('do not close a connection that has just become idle', () => {
    engine.round(happen.accepted(CLIENT), says(CLIENT, GET));
    engine.round(happen.connected(UPSTREAM));
    const orders = engine.round(says(UPSTREAM, ANSWER), happen.deadline(CLIENT));
    expect(orders).toEqual([
      send(CLIENT, ANSWER),
      `deadline ${UPSTREAM} ${POOL_IDLE_MS}`,
      `deadline ${CLIENT} ${IDLE_MS}`,
    ]);
    expect(engine.round(happen.deadline(CLIENT))).toEqual([`close ${CLIENT}`]);
  });

  it('do not refuse a head that has just begun', () => {
    serveOnce();
    const orders = engine.round(says(CLIENT, 'GET /sl'), happen.deadline(CLIENT));
    expect(orders).toEqual([`hold ${CLIENT} 0 7`, `deadline ${CLIENT} ${HEAD_MS}`]);
    expect(engine.round(happen.deadline(CLIENT)).at(-1)).toBe(`close ${CLIENT} 2000`);
  });

  it('do not refuse a body whose head has just come', () => {
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n';
    engine.round(happen.accepted(CLIENT));
    const orders = engine.round(says(CLIENT, head), happen.deadline(CLIENT));
    expect(orders).toContain(`deadline ${CLIENT} ${BODY_MS} 1`);
    expect(orders).not.toContain(`close ${CLIENT} 2000`);
  });

  it('do not cut an answer whose head has just come', () => {
    engine.round(happen.accepted(CLIENT), says(CLIENT, GET));
    engine.round(happen.connected(UPSTREAM));
    const head = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n';
    const orders = engine.round(says(UPSTREAM, head), happen.deadline(UPSTREAM));
    expect(orders).toEqual([
      send(CLIENT, head),
      `relay ${UPSTREAM} ${CLIENT} 5`,
      `deadline ${UPSTREAM} ${TIMEOUT_MS} 1`,
    ]);
  });

  it('do not fail a request that has just taken a connection from the pool', () => {
    serveOnce();
    const orders = engine.round(says(CLIENT, GET), happen.deadline(UPSTREAM));
    expect(orders[0]).toBe(`deadline ${UPSTREAM} ${TIMEOUT_MS}`);
    expect(orders).not.toContain(`close ${UPSTREAM}`);
  });
});

describe('chunked bodies', () => {
  it('are sent in one piece with the head, and no other command stands in between', () => {
    const head = 'POST / HTTP/1.1\r\nHost: a\r\n';
    const orders = engine.round(
      happen.accepted(CLIENT),
      says(CLIENT, `${head}Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n`),
    );
    expect(orders.filter((order) => order.startsWith('send'))).toEqual([
      send(UPSTREAM, `${head}${CLAIMS}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`),
    ]);
    engine.round(happen.connected(UPSTREAM));
    const answer = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n';
    expect(engine.round(says(UPSTREAM, answer))).toEqual([
      `deadline ${UPSTREAM} ${TIMEOUT_MS} 1`,
      send(CLIENT, answer),
      `deadline ${UPSTREAM} ${POOL_IDLE_MS}`,
      `deadline ${CLIENT} ${IDLE_MS}`,
    ]);
  });

  it('are refused before an endpoint is asked, if what is there is malformed', () => {
    const text = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n';
    const orders = engine.round(happen.accepted(CLIENT), says(CLIENT, text));
    expect(orders.some((order) => order.startsWith(`send ${CLIENT} "HTTP/1.1 400`))).toBe(true);
    expect(engine.dialed).toEqual([]);
  });
});

it('replays on a fresh connection before it closes the one that died', () => {
  serveOnce();
  engine.round(says(CLIENT, GET));
  const orders = engine.round(happen.end(UPSTREAM));
  const moves = orders.filter((order) => /^(replay|close)/.test(order));
  expect(moves).toEqual([`replay ${UPSTREAM} ${SECOND_UPSTREAM}`, `close ${UPSTREAM}`]);
  engine.round(happen.connected(SECOND_UPSTREAM));
  expect(engine.round(says(SECOND_UPSTREAM, ANSWER))[0]).toBe(send(CLIENT, ANSWER));
});

it('ends connections once their answer is whole, while the listener ends', () => {
  engine.round(happen.accepted(CLIENT), says(CLIENT, GET));
  engine.round(happen.connected(UPSTREAM));
  engine.round(says(UPSTREAM, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n'));
  listener.closeIdle();
  expect(engine.round([Event.RELAY_DONE, UPSTREAM, CLIENT])).toContain(`close ${CLIENT} 2000`);
});

it('lingers behind the last answer, so that what is pipelined behind its request does not reset it', () => {
  const last = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
  engine.round(happen.accepted(CLIENT), says(CLIENT, last + GET));
  engine.round(happen.connected(UPSTREAM));
  expect(engine.round(says(UPSTREAM, ANSWER)).filter((order) => order.startsWith(`close ${CLIENT}`))).toEqual([
    `close ${CLIENT} 2000`,
  ]);
});

it.each([
  ['said so', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'],
  ['speaks HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a\r\n\r\n'],
])('closes at once behind the last answer to a client that sends nothing more: it %s', (_why, last) => {
  engine.round(happen.accepted(CLIENT), says(CLIENT, last));
  engine.round(happen.connected(UPSTREAM));
  expect(engine.round(says(UPSTREAM, ANSWER))).toContain(`close ${CLIENT}`);
});

it('lingers behind an answer that comes before the last request is whole', () => {
  const post = 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 100\r\n\r\nonly a part';
  engine.round(happen.accepted(CLIENT), says(CLIENT, post));
  engine.round(happen.connected(UPSTREAM));
  expect(engine.round(says(UPSTREAM, ANSWER))).toContain(`close ${CLIENT} 2000`);
});
