/**
 * Stands before the corridor of a listener whose clients begin with a PROXY header: it reads the header, and hands the connection on as if the
 * announced client had made it. Listeners without `proxyProtocol` have none.
 */
import type { ListenerPlan } from '../contract/plan.ts';
import type { ConnectionHandler } from '../engine/connection-handler.ts';
import type { Dispatcher } from '../engine/dispatcher.ts';
import { AddressRanges } from './address-ranges.ts';
import { ClientAddress } from './client-address.ts';
import type { Entrance } from './protocol-listener.ts';
import { PROXY_ABSENT, PROXY_NEEDS_MORE, ProxyHeader, readProxyHeader } from './proxy-protocol.ts';

/** For the whole header. A TCP retransmission takes 3 s (proxy-protocol.txt section 2). */
const HEADER_TIMEOUT_MS = 5_000;

export class ProxyGate implements Entrance {
  readonly dispatcher: Dispatcher;
  /** Where connections go on to. */
  next: Entrance;
  /** Called once for each connection that ends here. */
  onConnectionOver: (() => void) | undefined;
  /** Connections that were closed for want of a header. */
  refusedCount = 0;
  readonly #waiting = new Set<HeaderReader>();
  readonly #peer = new ClientAddress();
  #mode: ListenerPlan['proxyProtocol'];
  /** Undefined: everybody may send a header. */
  #trusted: AddressRanges | undefined;

  constructor(dispatcher: Dispatcher, next: Entrance, plan: ListenerPlan) {
    this.dispatcher = dispatcher;
    this.next = next;
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

  get waitingCount(): number {
    return this.#waiting.size;
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
    const reader = new HeaderReader(this, id, peer, this.#mode === 'accept');
    this.#waiting.add(reader);
    this.dispatcher.bind(id, reader);
    this.dispatcher.commands.deadline(id, HEADER_TIMEOUT_MS);
  }

  #refuse(id: number): void {
    this.refusedCount++;
    this.dispatcher.commands.close(id);
    this.onConnectionOver?.();
  }

  /** The reader has handed its connection on. */
  forget(reader: HeaderReader): void {
    this.#waiting.delete(reader);
  }

  /** The connection of a reader ends, or has ended, here. */
  over(reader: HeaderReader): void {
    if (this.#waiting.delete(reader)) this.onConnectionOver?.();
  }

  /** Ends what waits. */
  closeAll(): void {
    for (const reader of this.#waiting) reader.close();
  }
}

/** A connection whose header is awaited. */
class HeaderReader implements ConnectionHandler {
  readonly #gate: ProxyGate;
  readonly #id: number;
  readonly #peer: ClientAddress;
  /** Whether the connection may also begin with something else. */
  readonly #mayBeAbsent: boolean;
  #hasBytes = false;

  constructor(gate: ProxyGate, id: number, peer: ClientAddress, mayBeAbsent: boolean) {
    this.#gate = gate;
    this.#id = id;
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
    else if (result > 0) this.#handOver(header, offset + result, length - result, ended);
    else if (result === PROXY_ABSENT && this.#mayBeAbsent) this.#handOver(undefined, offset, length, ended);
    else this.#refuse();
  }

  /** Gives the connection away, with the bytes that are not the header's. */
  #handOver(header: ProxyHeader | undefined, offset: number, length: number, ended: boolean): void {
    const { dispatcher, next } = this.#gate;
    const id = this.#id;
    this.#gate.forget(this);
    dispatcher.unbind(id);
    dispatcher.commands.clearDeadline(id);
    if (header?.hasAddresses) next.adopt(id, header.source, header.destination);
    else next.adopt(id, this.#peer, undefined);
    if (length > 0) dispatcher.handlerOf(id)?.onData(id, offset, length, ended);
  }

  onDeadline(): void {
    // A trusted proxy may connect on its own account, and wait to be spoken to.
    if (this.#mayBeAbsent && !this.#hasBytes) this.#handOver(undefined, 0, 0, false);
    else this.#refuse();
  }

  onEnd(): void {
    this.#refuse();
  }

  onClosed(): void {
    this.#gate.over(this);
  }

  #refuse(): void {
    this.#gate.refusedCount++;
    this.close();
  }

  close(): void {
    const { dispatcher } = this.#gate;
    dispatcher.unbind(this.#id);
    dispatcher.commands.close(this.#id);
    this.#gate.over(this);
  }

  onConnected(): void {}

  onConnectFailed(): void {}

  onRelayDone(): void {}

  onTunnelClosed(): void {}
}
