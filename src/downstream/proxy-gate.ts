/**
 * Stands before the corridor of a listener whose clients begin with a PROXY header: it reads the header, and hands the connection on as if the
 * announced client had made it. Listeners without `proxyProtocol` have none.
 */
import type { ListenerPlan } from '../contract/plan.ts';
import type { Dispatcher } from '../engine/dispatcher.ts';
import { AddressRanges } from './address-ranges.ts';
import { ClientAddress } from './client-address.ts';
import { Gate, Newcomer } from './gate.ts';
import type { Entrance } from './protocol-listener.ts';
import { PROXY_ABSENT, PROXY_NEEDS_MORE, ProxyHeader, readProxyHeader } from './proxy-protocol.ts';

/** For the whole header. A TCP retransmission takes 3 s (proxy-protocol.txt section 2). */
const HEADER_TIMEOUT_MS = 5_000;

export class ProxyGate extends Gate {
  readonly #peer = new ClientAddress();
  #mode: ListenerPlan['proxyProtocol'];
  /** Undefined: everybody may send a header. */
  #trusted: AddressRanges | undefined;

  constructor(dispatcher: Dispatcher, next: Entrance, plan: ListenerPlan) {
    super(dispatcher, next);
    this.apply(plan);
  }

  /** For connections to come. */
  apply(plan: ListenerPlan): void {
    const { proxyProtocol, trustedProxies = [] } = plan;
    this.#mode = proxyProtocol;
    // Where a header is required and nobody is named, whoever reaches this listener is meant.
    const isForAll = proxyProtocol === 'require' && trustedProxies.length === 0;
    this.#trusted = isForAll ? undefined : new AddressRanges(trustedProxies);
  }

  onAccepted(id: number, family: number, port: number, addressOffset: number): void {
    this.#peer.read(family, port, this.dispatcher.engine.events, addressOffset);
    if (this.#isExpected(this.#peer)) this.#await(id, this.#peer.clone());
    else if (this.#mode === 'require') this.#refuse(id);
    else this.next.onAccepted(id, family, port, addressOffset);
  }

  adopt(id: number, client: ClientAddress, destination: ClientAddress | undefined): void {
    if (this.#isExpected(client)) this.#await(id, client);
    else if (this.#mode === 'require') this.#refuse(id);
    else this.next.adopt(id, client, destination);
  }

  /** Whether a header of this peer counts. */
  #isExpected(peer: ClientAddress): boolean {
    return this.#mode !== 'off' && (this.#trusted === undefined || this.#trusted.has(peer));
  }

  #await(id: number, peer: ClientAddress): void {
    this.waitFor(new HeaderReader(this, id, peer, this.#mode === 'accept'), HEADER_TIMEOUT_MS);
  }

  #refuse(id: number): void {
    this.refusedCount++;
    this.dispatcher.commands.close(id);
    this.onConnectionOver?.();
  }
}

/** A connection whose header is awaited. */
class HeaderReader extends Newcomer {
  readonly #gate: ProxyGate;
  readonly #peer: ClientAddress;
  /** Whether the connection may also begin with something else. */
  readonly #mayBeAbsent: boolean;
  #hasBytes = false;

  constructor(gate: ProxyGate, id: number, peer: ClientAddress, mayBeAbsent: boolean) {
    super(gate, id);
    this.#gate = gate;
    this.#peer = peer;
    this.#mayBeAbsent = mayBeAbsent;
  }

  onData(id: number, offset: number, length: number, ended: boolean): void {
    const { commands, engine } = this.#gate.dispatcher;
    this.#hasBytes = true;
    // Not shared: the corridor keeps the addresses.
    const header = new ProxyHeader();
    const result = readProxyHeader(engine.slab, offset, offset + length, header);
    if (result === PROXY_NEEDS_MORE) commands.hold(id, offset, length);
    else if (result > 0) this.#pass(header, offset + result, length - result, ended);
    else if (result === PROXY_ABSENT && this.#mayBeAbsent) this.#pass(undefined, offset, length, ended);
    else this.#refuse();
  }

  #pass(header: ProxyHeader | undefined, offset: number, length: number, ended: boolean): void {
    const isAnnounced = header?.hasAddresses === true;
    const client = isAnnounced ? header.source : this.#peer;
    this.handOver(this.#gate.next, client, isAnnounced ? header.destination : undefined, offset, length, ended);
  }

  onDeadline(): void {
    // A trusted proxy may connect on its own account, and wait to be spoken to.
    if (this.#mayBeAbsent && !this.#hasBytes) this.#pass(undefined, 0, 0, false);
    else this.#refuse();
  }

  override onEnd(): void {
    this.#refuse();
  }

  #refuse(): void {
    this.#gate.refusedCount++;
    this.close();
  }
}
