import { beforeEach, describe, expect, test } from 'vitest';
import type { ListenerPlan } from '../../../src/contract/plan.ts';
import { type Cidr, parseCidr } from '../../../src/core/cidr.ts';
import type { ClientAddress } from '../../../src/downstream/client-address.ts';
import type { Entrance } from '../../../src/downstream/protocol-listener.ts';
import { ProxyGate } from '../../../src/downstream/proxy-gate.ts';
import type { ConnectionHandler } from '../../../src/engine/connection-handler.ts';
import type { Dispatcher } from '../../../src/engine/dispatcher.ts';
import { happen } from '../upstream/fake-engine.ts';
import { UpstreamFixture } from '../upstream/upstream-fixture.ts';

const LINE = 'PROXY TCP4 192.0.2.1 198.51.100.2 49152 443\r\n';
const ID = 7;

/** What stands behind the gate: notes what it gets. */
class Corridor implements Entrance {
  readonly calls: string[] = [];
  readonly #dispatcher: Dispatcher;

  constructor(dispatcher: Dispatcher) {
    this.#dispatcher = dispatcher;
  }

  onAccepted(id: number): void {
    this.calls.push(`accepted ${id}`);
  }

  adopt(id: number, client: ClientAddress, destination: ClientAddress | undefined): void {
    const bytes = new Uint8Array(64);
    const host = Buffer.from(bytes.subarray(0, client.write(bytes, 0))).toString();
    this.calls.push(`adopt ${id} ${host} ${client.port} ${destination?.port}`);
    const note = (what: string) => this.calls.push(what);
    this.#dispatcher.bind(id, {
      onData: (_id, offset, length, ended) =>
        note(`data ${JSON.stringify(String.fromCharCode(...slab().subarray(offset, offset + length)))} ${ended}`),
      onEnd: () => note('end'),
    } as Partial<ConnectionHandler> as ConnectionHandler);
    const slab = () => this.#dispatcher.engine.slab;
  }
}

let fixture: UpstreamFixture;
let corridor: Corridor;
let gate: ProxyGate;
let overCount = 0;

function begin(proxyProtocol: 'accept' | 'require', ...trusted: string[]): void {
  fixture = new UpstreamFixture();
  corridor = new Corridor(fixture.dispatcher);
  const trustedProxies = trusted.map((text) => parseCidr(text) as Cidr);
  gate = new ProxyGate(fixture.dispatcher, corridor, { proxyProtocol, trustedProxies } as unknown as ListenerPlan);
  overCount = 0;
  gate.onConnectionOver = () => {
    overCount++;
  };
  fixture.dispatcher.bindListener(0, gate);
}

function accept(): string[] {
  return fixture.engine.round(happen.accepted(ID));
}

/** As the engine delivers: what was held, and what is new. */
function data(text: string, ...more: number[][]): string[] {
  fixture.engine.slab.set(Buffer.from(text, 'latin1'), 100);
  return fixture.engine.round(happen.data(ID, 100, text.length), ...more);
}

describe('where a header is required', () => {
  beforeEach(() => begin('require'));

  test('it is awaited for five seconds, and the connection handed on as that of the client it names', () => {
    expect(accept()).toEqual([`deadline ${ID} 5000`]);
    expect(corridor.calls).toEqual([]);
    expect(data(`${LINE}hello`)).toEqual([`deadline ${ID}`]);
    expect(corridor.calls).toEqual(['adopt 7 192.0.2.1 49152 443', 'data "hello" false']);
    expect([gate.waitingCount, overCount]).toEqual([0, 0]);
  });

  test('it may come in any two pieces', () => {
    for (let length = 1; length < LINE.length; length++) {
      begin('require');
      accept();
      expect(data(LINE.slice(0, length))).toEqual([`hold ${ID} 100 ${length}`]);
      data(LINE);
      expect(corridor.calls).toEqual(['adopt 7 192.0.2.1 49152 443']);
    }
  });

  test('one that says nothing leaves the address as it is', () => {
    accept();
    data('PROXY UNKNOWN\r\nx');
    expect(corridor.calls).toEqual(['adopt 7 127.0.0.1 50000 undefined', 'data "x" false']);
  });

  test.each(['GET / HTTP/1.1\r\n', 'PROXY TCP4 x\r\n', '\r\n\r\n\0\r\nQUIT\n\x11'])(
    '%j ends the connection',
    (text) => {
      accept();
      expect(data(text)).toEqual([`close ${ID}`]);
      expect([corridor.calls, gate.waitingCount, overCount, gate.refusedCount]).toEqual([[], 0, 1, 1]);
    },
  );

  test.each([
    ['its deadline', happen.deadline(ID)],
    ['its end', happen.end(ID)],
  ])('%s comes before a whole header: the connection ends', (_what, event) => {
    accept();
    data(LINE.slice(0, 10));
    expect(fixture.engine.round(event)).toEqual([`close ${ID}`]);
    expect([corridor.calls, gate.waitingCount, overCount]).toEqual([[], 0, 1]);
  });

  test('a reset is only counted', () => {
    accept();
    expect(fixture.engine.round(happen.closed(ID, 104))).toEqual([]);
    expect([gate.waitingCount, overCount]).toEqual([0, 1]);
  });

  test('the end of the stream comes to the corridor, too', () => {
    accept();
    data(`${LINE}x`, happen.end(ID));
    expect(corridor.calls).toEqual(['adopt 7 192.0.2.1 49152 443', 'data "x" false', 'end']);
  });

  test('what waits ends with the listener', () => {
    accept();
    gate.closeAll();
    expect(fixture.orders()).toEqual([`close ${ID}`]);
    expect([gate.waitingCount, overCount, gate.refusedCount]).toEqual([0, 1, 0]);
  });
});

test('whoever is not trusted is sent away where a header is required', () => {
  begin('require', '10.0.0.0/8');
  expect(accept()).toEqual([`close ${ID}`]);
  expect([corridor.calls, overCount]).toEqual([[], 1]);
});

describe('where a header is accepted', () => {
  test('strangers pass untouched: their bytes are data', () => {
    begin('accept', '10.0.0.0/8');
    expect(accept()).toEqual([]);
    expect(corridor.calls).toEqual([`accepted ${ID}`]);
  });

  test('a trusted proxy may send one', () => {
    begin('accept', '127.0.0.0/8');
    accept();
    data(`${LINE}x`);
    expect(corridor.calls).toEqual(['adopt 7 192.0.2.1 49152 443', 'data "x" false']);
  });

  test('a trusted proxy may send something else', () => {
    begin('accept', '127.0.0.0/8');
    accept();
    expect(data('P')).toEqual([`hold ${ID} 100 1`]);
    expect(data('PUT / HTTP/1.1\r\n')).toEqual([`deadline ${ID}`]);
    expect(corridor.calls).toEqual(['adopt 7 127.0.0.1 50000 undefined', 'data "PUT / HTTP/1.1\\r\\n" false']);
  });

  test('a trusted proxy may wait to be spoken to, but not break off', () => {
    begin('accept', '127.0.0.0/8');
    accept();
    expect(fixture.engine.round(happen.deadline(ID))).toEqual([`deadline ${ID}`]);
    expect(corridor.calls).toEqual(['adopt 7 127.0.0.1 50000 undefined']);
    begin('accept', '127.0.0.0/8');
    accept();
    data('PROXY');
    expect(fixture.engine.round(happen.deadline(ID))).toEqual([`close ${ID}`]);
    begin('accept', '127.0.0.0/8');
    accept();
    expect(data('PROXY TCP4 x\r\n')).toEqual([`close ${ID}`]);
  });
});
