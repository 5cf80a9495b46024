import { beforeEach, describe, expect, test } from 'vitest';
import { Admin } from '../../../src/contract/board.ts';
import type { Plan, TcpListenerPlan } from '../../../src/contract/plan.ts';
import { Random } from '../../../src/core/random.ts';
import { finish } from '../../../src/core/slices.ts';
import { TunnelEnd } from '../../../src/engine/protocol.ts';
import { TcpListener } from '../../../src/l4/tcp-listener.ts';
import { AccessLogs } from '../../../src/observe/access/access-log.ts';
import { composeLines } from '../../../src/observe/access/compose-lines.ts';
import { Spans } from '../../../src/observe/spans.ts';
import { TrafficCounters } from '../../../src/observe/traffic-counters.ts';
import { ClusterSet, type PlannedClusters } from '../../../src/upstream/cluster-set.ts';
import { Dialer } from '../../../src/upstream/dialer.ts';
import { type FakeEngine, happen } from '../upstream/fake-engine.ts';
import { clusterPlan, endpointPlan, takeOver, UpstreamFixture } from '../upstream/upstream-fixture.ts';

const CLIENT = 1;
/** Id of the first connection that is dialed. */
const UPSTREAM = 100;
const ECONNREFUSED = 111;
const ECONNRESET = 104;
const EMFILE = 24;

/** Draws the shortest wait each time: retries go out at once. */
const NO_BACKOFF = { below: () => 0 } as unknown as Random;

let fixture: UpstreamFixture;
let engine: FakeEngine;
let set: ClusterSet;
let clusters: PlannedClusters;
let counters: TrafficCounters;
let listener: TcpListener;

function listenerPlan(idleMs = 60_000): TcpListenerPlan {
  return { slot: 0, name: 'db', address: '127.0.0.1:0', protocol: 'tcp', cluster: 0, idleMs };
}

function plan(endpointCount: number): Plan {
  const endpoints = Array.from({ length: endpointCount }, (_, slot) => endpointPlan(slot));
  // Endpoints in the order of their slots: the hash of the client's address decides where it begins.
  return { version: 1, listeners: [], clusters: [clusterPlan(endpoints, 'source-hash')] };
}

function begin(endpointCount: number): void {
  fixture = new UpstreamFixture();
  engine = fixture.engine;
  set = new ClusterSet(fixture.context, new Random(1));
  clusters = takeOver(set, plan(endpointCount));
  counters = new TrafficCounters();
  const { dispatcher } = fixture;
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
  listener = new TcpListener(context, listenerPlan(), clusters);
  dispatcher.bindListener(0, listener);
}

/** How the sessions ended, and that nothing of them is left. */
function outcomes(): Record<string, number> {
  expect(listener.activeCount).toBe(0);
  for (let slot = 0; slot < 8; slot++) expect(fixture.board.inFlight(slot)).toBe(0);
  return Object.fromEntries(counters.sessions().map(({ outcome, count }) => [outcome, count]));
}

function inFlight(): number {
  return clusters.at(0).endpoints.reduce((sum, { slot }) => sum + fixture.board.inFlight(slot), 0);
}

beforeEach(() => {
  begin(4);
});

describe('a session that succeeds', () => {
  test('reads nothing while it dials, then tunnels, then counts itself once', () => {
    expect(engine.round(happen.accepted(CLIENT))).toEqual([`pause ${CLIENT}`, `deadline ${UPSTREAM} 500`]);
    expect(inFlight()).toBe(1);
    expect(engine.round(happen.connected(UPSTREAM))).toEqual([`tunnel ${CLIENT} ${UPSTREAM} 60000`]);
    expect(listener.activeCount).toBe(1);
    expect(engine.round(happen.tunnelClosed(CLIENT, UPSTREAM, TunnelEnd.CLEAN))).toEqual([]);
    expect(outcomes()).toEqual({ ok: 1 });
  });

  test('holds what came in the round of the accept, and minds no FIN', () => {
    const orders = engine.round(happen.accepted(CLIENT), happen.data(CLIENT, 64, 10), happen.end(CLIENT));
    expect(orders).toEqual([`pause ${CLIENT}`, `deadline ${UPSTREAM} 500`, `hold ${CLIENT} 64 10`]);
    expect(engine.round(happen.connected(UPSTREAM))).toEqual([`tunnel ${CLIENT} ${UPSTREAM} 60000`]);
  });

  test('holds what an endpoint says in the round of the connect before it tunnels', () => {
    engine.round(happen.accepted(CLIENT));
    const orders = engine.round(happen.connected(UPSTREAM), happen.data(UPSTREAM, 128, 7), happen.end(UPSTREAM));
    expect(orders).toEqual([`hold ${UPSTREAM} 128 7`, `tunnel ${CLIENT} ${UPSTREAM} 60000`]);
  });

  test.each([
    { reason: TunnelEnd.CLEAN, outcome: 'ok' },
    { reason: TunnelEnd.FIRST_FAILED, outcome: 'client_reset' },
    { reason: TunnelEnd.SECOND_FAILED, outcome: 'endpoint_reset' },
    { reason: TunnelEnd.IDLE, outcome: 'idle_timeout' },
  ])('counts a tunnel that ended for reason $reason as $outcome', ({ reason, outcome }) => {
    engine.round(happen.accepted(CLIENT));
    engine.round(happen.connected(UPSTREAM));
    engine.round(happen.tunnelClosed(CLIENT, UPSTREAM, reason, ECONNRESET));
    expect(outcomes()).toEqual({ [outcome]: 1 });
  });

  test('goes to the same endpoint as the client did before', () => {
    for (let id = 1; id <= 3; id++) engine.round(happen.accepted(id, 0, 0x0a00002a));
    expect(new Set(engine.dialed).size).toBe(1);
    for (let id = 10; id <= 40; id++) engine.round(happen.accepted(id, 0, 0x0a000000 + id));
    expect(new Set(engine.dialed).size).toBe(4);
  });
});

describe('a session that cannot connect', () => {
  test('tries another endpoint with the same id, and never the same endpoint twice', () => {
    engine.round(happen.accepted(CLIENT));
    expect(engine.round(happen.connectFailed(UPSTREAM, ECONNREFUSED))).toEqual([`deadline ${UPSTREAM} 500`]);
    expect(engine.round(happen.deadline(UPSTREAM))).toEqual([`deadline ${UPSTREAM} 500`]);
    expect(engine.redialed.map(({ id }) => id)).toEqual([UPSTREAM, UPSTREAM]);
    expect(new Set(engine.dialed).size).toBe(3);
    expect(inFlight()).toBe(1);
    expect(engine.round(happen.connected(UPSTREAM))).toEqual([`tunnel ${CLIENT} ${UPSTREAM} 60000`]);
    engine.round(happen.tunnelClosed(CLIENT, UPSTREAM, TunnelEnd.CLEAN));
    expect(outcomes()).toEqual({ ok: 1 });
  });

  test.each([
    { last: 'refused', event: happen.connectFailed(UPSTREAM, ECONNREFUSED), outcome: 'connect_failed' },
    { last: 'late', event: happen.deadline(UPSTREAM), outcome: 'connect_timeout' },
  ])('gives up after three attempts; the last was $last', ({ event, outcome }) => {
    engine.round(happen.accepted(CLIENT));
    engine.round(happen.connectFailed(UPSTREAM, ECONNREFUSED));
    engine.round(happen.connectFailed(UPSTREAM, ECONNREFUSED));
    expect(engine.round(event)).toEqual([`reset ${CLIENT}`, `reset ${UPSTREAM}`]);
    expect(engine.dialed).toHaveLength(3);
    expect(outcomes()).toEqual({ [outcome]: 1 });
  });

  test('gives up when every endpoint was tried', () => {
    begin(2);
    engine.round(happen.accepted(CLIENT));
    engine.round(happen.connectFailed(UPSTREAM, ECONNREFUSED));
    expect(engine.round(happen.connectFailed(UPSTREAM, ECONNREFUSED))).toEqual([
      `reset ${CLIENT}`,
      `reset ${UPSTREAM}`,
    ]);
    expect(outcomes()).toEqual({ connect_failed: 1 });
  });

  test('resets the client at once where there is no endpoint', () => {
    begin(0);
    expect(engine.round(happen.accepted(CLIENT))).toEqual([`pause ${CLIENT}`, `reset ${CLIENT}`]);
    expect(outcomes()).toEqual({ no_endpoint: 1 });
  });

  test('resets the client at once where none may be selected', () => {
    for (let slot = 0; slot < 4; slot++) fixture.board.setAdmin(slot, Admin.DISABLED);
    expect(engine.round(happen.accepted(CLIENT))).toEqual([`pause ${CLIENT}`, `reset ${CLIENT}`]);
    expect(outcomes()).toEqual({ no_endpoint: 1 });
  });

  test('takes a dial that cannot begin for one that failed', () => {
    engine.dialErrors = [-EMFILE];
    expect(engine.round(happen.accepted(CLIENT))).toEqual([`pause ${CLIENT}`, `deadline ${UPSTREAM} 500`]);
    expect(inFlight()).toBe(1);
    engine.dialErrors = [-EMFILE, -EMFILE];
    expect(engine.round(happen.connectFailed(UPSTREAM, ECONNREFUSED))).toEqual([
      `reset ${CLIENT}`,
      `reset ${UPSTREAM}`,
    ]);
    expect(outcomes()).toEqual({ connect_failed: 1 });
  });

  test('resets the client where no dial can begin', () => {
    engine.dialErrors = [-EMFILE, -EMFILE, -EMFILE];
    expect(engine.round(happen.accepted(CLIENT))).toEqual([`pause ${CLIENT}`, `reset ${CLIENT}`]);
    expect(outcomes()).toEqual({ connect_failed: 1 });
  });
});

describe('a session that loses an end', () => {
  test('lets the dial go when the client is gone', () => {
    engine.round(happen.accepted(CLIENT));
    expect(engine.round(happen.closed(CLIENT, ECONNRESET))).toContain(`reset ${UPSTREAM}`);
    expect(outcomes()).toEqual({ client_gone: 1 });
  });

  test('lets the endpoint go when the client is lost in the round of the connect', () => {
    engine.round(happen.accepted(CLIENT));
    const orders = engine.round(happen.connected(UPSTREAM), happen.closed(CLIENT, ECONNRESET));
    expect(orders).toContain(`reset ${UPSTREAM}`);
    expect(outcomes()).toEqual({ client_reset: 1 });
  });

  test('resets the client when the endpoint is lost in the round of the connect', () => {
    engine.round(happen.accepted(CLIENT));
    const orders = engine.round(happen.connected(UPSTREAM), happen.closed(UPSTREAM, ECONNRESET));
    expect(orders).toContain(`reset ${CLIENT}`);
    expect(outcomes()).toEqual({ endpoint_reset: 1 });
  });

  test('ignores a deadline that passed in the round of the connect', () => {
    engine.round(happen.accepted(CLIENT));
    expect(engine.round(happen.connected(UPSTREAM), happen.deadline(UPSTREAM))).toEqual([
      `tunnel ${CLIENT} ${UPSTREAM} 60000`,
    ]);
    expect(engine.redialed).toEqual([]);
  });

  test('counts once, whatever else the round brings', () => {
    engine.round(happen.accepted(CLIENT));
    engine.round(happen.closed(CLIENT, ECONNRESET), happen.connectFailed(UPSTREAM, ECONNREFUSED));
    expect(outcomes()).toEqual({ client_gone: 1 });
  });
});

describe('the listener', () => {
  test('cuts sessions in every state, and counts them', () => {
    engine.round(happen.accepted(1), happen.accepted(2));
    engine.round(happen.connected(100));
    expect(listener.cutAll()).toBe(2);
    expect(fixture.orders().sort()).toEqual(['reset 1', 'reset 100', 'reset 101', 'reset 2']);
    expect(outcomes()).toEqual({ cut: 2 });
  });

  test('lets sessions end with the plan they began with', () => {
    begin(1);
    engine.round(happen.accepted(1));
    const next = takeOver(set, { ...plan(0), version: 2 });
    finish(listener.prepare(listenerPlan(5), next))();
    engine.round(happen.accepted(2));
    expect(engine.round(happen.connected(UPSTREAM))).toEqual([`tunnel 1 ${UPSTREAM} 60000`]);
    engine.round(happen.tunnelClosed(1, UPSTREAM, TunnelEnd.CLEAN));
    expect(outcomes()).toEqual({ ok: 1, no_endpoint: 1 });
  });
});
