import { beforeEach, describe, expect, test } from 'vitest';
import type { ListenerTlsPlan, SecureContextPlan } from '../../../src/contract/plan.ts';
import type { ClientAddress } from '../../../src/downstream/client-address.ts';
import type { Entrance } from '../../../src/downstream/protocol-listener.ts';
import { TlsGate } from '../../../src/downstream/tls-gate.ts';
import type { ConnectionHandler } from '../../../src/engine/connection-handler.ts';
import type { Dispatcher } from '../../../src/engine/dispatcher.ts';
import { Event } from '../../../src/engine/protocol.ts';
import { TLS_1_3 } from '../../../src/engine/secure-context.ts';
import { LatencyHistogram } from '../../../src/observe/latency-histogram.ts';
import { hello } from '../../tls/hello-builder.ts';
import { happen } from '../upstream/fake-engine.ts';
import { UpstreamFixture } from '../upstream/upstream-fixture.ts';

const ID = 7;
const EPROTO = 71;
const OFFSET = 100;

/** Notes what it gets. */
class Corridor implements Entrance {
  readonly calls: string[] = [];
  readonly #dispatcher: Dispatcher;

  constructor(dispatcher: Dispatcher) {
    this.#dispatcher = dispatcher;
  }

  onAccepted(): void {}

  adopt(id: number, client: ClientAddress): void {
    this.calls.push(`adopt ${id} port ${client.port} policy ${client.secure?.policy}`);
    this.#dispatcher.bind(id, {
      onData: (_id, _offset, length) => this.calls.push(`data ${length}`),
    } as Partial<ConnectionHandler> as ConnectionHandler);
  }
}

function context(key: string): SecureContextPlan {
  return {
    key,
    isServer: true,
    pairs: [],
    minVersion: '1.2',
    ciphers: '',
    protocols: ['http/1.1'],
    authorities: '',
    trustsSystem: false,
    clientCertificate: 'off',
    verify: false,
    identity: '00',
  };
}

const ENDS: ListenerTlsPlan = {
  contexts: [context('first'), context('second')],
  names: [
    { name: 'a.test', context: 0 },
    { name: '*.b.test', context: 1 },
  ],
  fallback: 0,
  policies: [0, 1],
  passthrough: [
    { names: ['raw.test'], protocols: ['mqtt'], cluster: 0 },
    { names: ['raw.test', '*.raw.test'], protocols: [], cluster: 1 },
  ],
};
const PASSES: ListenerTlsPlan = { ...ENDS, contexts: [], names: [], fallback: -1, policies: [] };

let fixture: UpstreamFixture;
let next: Corridor;
let branches: Corridor[];
let gate: TlsGate;
let overCount = 0;

function begin(plan: ListenerTlsPlan, answersHttp = true): void {
  fixture = new UpstreamFixture();
  next = new Corridor(fixture.dispatcher);
  branches = plan.passthrough.map(() => new Corridor(fixture.dispatcher));
  gate = new TlsGate(fixture.dispatcher, fixture.contexts, new LatencyHistogram(), next, answersHttp);
  gate.branches = branches;
  gate.apply(plan);
  overCount = 0;
  gate.onConnectionOver = () => {
    overCount++;
  };
  fixture.dispatcher.bindListener(0, gate);
}

function accept(): string[] {
  return fixture.engine.round(happen.accepted(ID));
}

function data(bytes: Buffer): string[] {
  fixture.engine.slab.set(bytes, OFFSET);
  return fixture.engine.round(happen.data(ID, OFFSET, bytes.length));
}

const secured = (flags = 0) => fixture.engine.round([Event.SECURED, ID, TLS_1_3, flags]);

describe('where TLS ends', () => {
  beforeEach(() => {
    begin(ENDS);
    expect(accept()).toEqual([`deadline ${ID} 5000`]);
  });

  test.each([
    ['a.test', 0],
    ['x.b.test', 1],
    ['nobody.test', 0],
    [undefined, 0],
  ])(
    'a hello for %s gets the context of that name, and the corridor the connection afterwards',
    (serverName, handle) => {
      const bytes = hello({ serverName });
      expect(data(bytes)).toEqual([`secure ${ID} ${handle} ${OFFSET} ${bytes.length}`, `deadline ${ID} 10000`]);
      expect([gate.waitingCount, next.calls]).toEqual([1, []]);
      expect(secured()).toEqual([`deadline ${ID}`]);
      expect(next.calls).toEqual([`adopt ${ID} port 50000 policy ${handle}`]);
      expect([gate.waitingCount, gate.refusedCount, overCount]).toEqual([0, 0, 0]);
    },
  );

  test('a hello in pieces is held until it is whole', () => {
    const bytes = hello({ serverName: 'a.test' });
    expect(data(bytes.subarray(0, 30))).toEqual([`hold ${ID} ${OFFSET} 30`]);
    expect(data(bytes)[0]).toContain('secure');
  });

  test.each([
    ['raw.test', ['mqtt'], 0],
    ['raw.test', ['http/1.1'], 1],
    ['x.raw.test', [], 1],
  ])('a hello for %s with %j goes on untouched', (serverName, protocols, branch) => {
    const bytes = hello({ serverName, protocols });
    expect(data(bytes)).toEqual([`deadline ${ID}`]);
    expect(branches[branch]!.calls).toEqual([`adopt ${ID} port 50000 policy undefined`, `data ${bytes.length}`]);
    expect([gate.waitingCount, gate.refusedCount, overCount]).toEqual([0, 0, 0]);
  });

  test('a request in plain HTTP is told so', () => {
    const orders = data(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    expect(orders[0]).toContain('HTTP/1.1 400 Bad Request');
    expect(orders[1]).toBe(`close ${ID} 1000`);
    expect([gate.refusedCount, overCount]).toEqual([1, 1]);
  });

  test.each([
    ['something else', Buffer.from('\x00\x01\x02')],
    ['a hello that is none', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])],
  ])('%s is closed', (_, bytes) => {
    expect(data(bytes)).toEqual([`close ${ID}`]);
    expect([gate.waitingCount, gate.refusedCount, overCount]).toEqual([0, 1, 1]);
  });

  test.each([
    ['no hello in time', () => fixture.engine.round(happen.deadline(ID))],
    ['a client that leaves', () => fixture.engine.round(happen.end(ID))],
  ])('%s ends the connection', (_, happens) => {
    expect(happens()).toEqual([`close ${ID}`]);
    expect([gate.waitingCount, gate.refusedCount, overCount]).toEqual([0, 1, 1]);
  });

  test('a handshake that fails is over, and so is one that takes too long', () => {
    data(hello({ serverName: 'a.test' }));
    fixture.engine.round([Event.CLOSED, ID, EPROTO]);
    expect([gate.waitingCount, gate.refusedCount, overCount]).toEqual([0, 1, 1]);
    accept();
    data(hello({ serverName: 'a.test' }));
    expect(fixture.engine.round(happen.deadline(ID))).toEqual([`close ${ID}`]);
    expect(overCount).toBe(2);
  });

  test('a plan in between changes nothing for who has begun', () => {
    data(hello({ serverName: 'x.b.test' }));
    gate.apply({ ...ENDS, policies: [5, 6] });
    secured();
    expect(next.calls).toEqual([`adopt ${ID} port 50000 policy 1`]);
  });

  test('contexts that stay are not made anew, and all are forgotten in the end', () => {
    gate.apply({ ...ENDS, contexts: [context('second'), context('third')] });
    expect(fixture.engine.contexts.map((made) => made !== undefined)).toEqual([false, true, true]);
    gate.apply(undefined);
    expect(fixture.engine.contexts.every((made) => made === undefined)).toBe(true);
  });

  test('a challenge is answered for who offers its protocol, and for nobody else', () => {
    const challenged = { ...ENDS, contexts: [...ENDS.contexts, context('challenge')], policies: [0, 1, 0] };
    gate.apply({ ...challenged, challenges: [{ name: 'a.test', context: 2 }] });
    expect(data(hello({ serverName: 'a.test', protocols: ['acme-tls/1'] }))[0]).toContain(`secure ${ID} 2`);
    fixture.engine.round([Event.CLOSED, ID, EPROTO]);
    accept();
    expect(data(hello({ serverName: 'a.test', protocols: ['http/1.1'] }))[0]).toContain(`secure ${ID} 0`);
  });

  test('who has begun may finish while the listener ends', () => {
    data(hello({ serverName: 'a.test' }));
    gate.endSoon();
    expect(fixture.orders()).toEqual([`deadline ${ID} 1000`]);
    secured();
    expect(next.calls).toEqual([`adopt ${ID} port 50000 policy 0`]);
  });

  test('nobody is left when TLS is taken away', () => {
    gate.apply(undefined);
    expect(fixture.orders()).toEqual([`close ${ID}`]);
    expect(gate.waitingCount).toBe(0);
  });

  test('everything that waits can be ended', () => {
    gate.closeAll();
    expect(fixture.orders()).toEqual([`close ${ID}`]);
    expect(overCount).toBe(1);
  });
});

describe('where nothing ends', () => {
  beforeEach(() => {
    begin(PASSES, false);
    accept();
  });

  test.each([
    ['a hello for another name', hello({ serverName: 'nobody.test' })],
    ['no TLS at all', Buffer.from('SELECT 1')],
    ['a hello that is none', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])],
  ])('%s goes on as it is', (_, bytes) => {
    expect(data(bytes)).toEqual([`deadline ${ID}`]);
    expect(next.calls).toEqual([`adopt ${ID} port 50000 policy undefined`, `data ${bytes.length}`]);
  });

  test('a client that waits to be spoken to goes on after a while; one that has begun does not', () => {
    expect(fixture.engine.round(happen.deadline(ID))).toEqual([`deadline ${ID}`]);
    expect(next.calls).toEqual([`adopt ${ID} port 50000 policy undefined`]);
    accept();
    data(hello({ serverName: 'raw.test' }).subarray(0, 9));
    expect(fixture.engine.round(happen.deadline(ID))).toEqual([`close ${ID}`]);
  });
});
