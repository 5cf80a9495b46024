import { describe, expect, test } from 'vitest';
import type { ListenerPlan } from '../../../src/contract/plan.ts';
import type { ClientAddress } from '../../../src/downstream/client-address.ts';
import { Listener } from '../../../src/downstream/listener.ts';
import type { ProtocolListener } from '../../../src/downstream/protocol-listener.ts';
import { COUNTERS_LISTENER_OFFSET, COUNTERS_PER_LISTENER, ListenerCounter } from '../../../src/engine/protocol.ts';
import { TrafficCounters } from '../../../src/observe/traffic-counters.ts';
import { happen } from '../upstream/fake-engine.ts';
import { UpstreamFixture } from '../upstream/upstream-fixture.ts';

const PLAN: ListenerPlan = { slot: 3, name: 'db', address: '127.0.0.1:0', protocol: 'tcp', cluster: 0, idleMs: 1000 };

const NO_COUNT = { current: 0, enter: () => 0, leave: () => {} };

class Recorder implements ProtocolListener {
  readonly activeCount = 0;
  readonly connectionCount = 0;
  onConnectionOver: (() => void) | undefined;
  readonly calls: string[] = [];

  apply(plan: ListenerPlan): void {
    this.calls.push(`apply ${plan.name}`);
  }

  closeIdle(): void {
    this.calls.push('closeIdle');
  }

  cutAll(): number {
    return 0;
  }

  cutWorkOn(): number {
    return 0;
  }

  onAccepted(id: number, family: number, port: number): void {
    this.calls.push(`accepted ${id} ${family} ${port}`);
  }

  adopt(id: number, client: ClientAddress, destination: ClientAddress | undefined): void {
    this.calls.push(`adopt ${id} ${client.port} ${destination?.port}`);
  }
}

async function openListener() {
  const fixture = new UpstreamFixture();
  const protocol = new Recorder();
  const listener = new Listener(PLAN, protocol, fixture.dispatcher, NO_COUNT, fixture.contexts, new TrafficCounters());
  expect(await listener.open({ slot: 3, fd: 77, address: '127.0.0.1:5432' })).toBe(0);
  return { ...fixture, fixture, protocol, listener };
}

describe('a listener', () => {
  test('adopts the socket of the supervisor and hands on what it accepts', async () => {
    const { engine, protocol } = await openListener();
    expect(engine.adopted).toEqual([{ listener: 3, fd: 77 }]);
    engine.round(happen.accepted(1, 3));
    expect(protocol.calls).toEqual(['accepted 1 4 50000']);
  });

  test('says why it cannot adopt', async () => {
    const fixture = new UpstreamFixture();
    fixture.engine.adoptError = -9;
    const listener = new Listener(
      PLAN,
      new Recorder(),
      fixture.dispatcher,
      NO_COUNT,
      fixture.contexts,
      new TrafficCounters(),
    );
    expect(await listener.open({ slot: 3, fd: 77, address: '' })).toBe(-9);
  });

  test('closes the socket and what is idle, and still hands on what comes from the queue', async () => {
    const { engine, protocol, listener } = await openListener();
    listener.close();
    expect(engine.closedListeners).toEqual([3]);
    engine.round(happen.accepted(1, 3));
    expect(protocol.calls).toEqual(['closeIdle', 'accepted 1 4 50000']);
  });

  test('puts another protocol behind the same socket', async () => {
    const { engine, protocol, listener } = await openListener();
    const next = new Recorder();
    expect(listener.replaceProtocol({ ...PLAN, name: 'web' }, next)).toBe(protocol);
    engine.round(happen.accepted(1, 3));
    expect(next.calls).toEqual(['accepted 1 4 50000']);
    expect(protocol.calls).toEqual([]);
    expect(engine.adopted).toHaveLength(1);
  });

  test('reads its counters from the engine', async () => {
    const { engine, listener } = await openListener();
    const at = COUNTERS_LISTENER_OFFSET + 3 * COUNTERS_PER_LISTENER;
    engine.counters[at + ListenerCounter.CONNECTIONS] = 4;
    engine.counters[at + ListenerCounter.BYTES_RECEIVED] = 5;
    engine.counters[at + ListenerCounter.BYTES_SENT] = 6;
    expect([listener.connections, listener.bytesReceived, listener.bytesSent]).toEqual([4, 5, 6]);
  });
});
