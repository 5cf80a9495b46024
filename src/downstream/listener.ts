import type { EndpointRef, ListenerSocket } from '../contract/messages.ts';
import type { ListenerPlan } from '../contract/plan.ts';
import { parseAddress } from '../core/address.ts';
import { invariant } from '../core/invariant.ts';
import type { Dispatcher } from '../engine/dispatcher.ts';
import type { NodeEngine } from '../engine/node-engine.ts';
import { COUNTERS_LISTENER_OFFSET, COUNTERS_PER_LISTENER, ListenerCounter } from '../engine/protocol.ts';
import type { SecureContexts } from '../engine/secure-contexts.ts';
import type { TrafficCounters } from '../observe/traffic-counters.ts';
import { Admission, type ConnectionCount } from './admission.ts';
import type { Entrance, ProtocolListener } from './protocol-listener.ts';
import { ProxyGate } from './proxy-gate.ts';
import { TlsGate } from './tls-gate.ts';

/**
 * The front door: one listening socket in one shard, and what stands behind it. The socket belongs to the supervisor; the engine accepts from
 * a duplicate.
 *
 *     engine ─▶ [Admission, if connections are limited] ─▶ [ProxyGate, if they begin with a PROXY header] ─▶ [TlsGate] ─▶ ProtocolListener
 */
export class Listener<P extends ProtocolListener = ProtocolListener> {
  readonly slot: number;
  readonly #dispatcher: Dispatcher;
  readonly #countersAt: number;
  readonly #count: ConnectionCount;
  readonly #contexts: SecureContexts;
  readonly #counters: TrafficCounters;
  #plan: ListenerPlan;
  #protocol: P;
  /** Made when a plan first wants them, kept from then on: connections may be with them. */
  #gate: ProxyGate | undefined;
  #tls: TlsGate | undefined;
  #admission: Admission | undefined;

  /** `count`: the connections of this listener over all shards. */
  constructor(
    plan: ListenerPlan,
    protocol: P,
    dispatcher: Dispatcher,
    count: ConnectionCount,
    contexts: SecureContexts,
    counters: TrafficCounters,
  ) {
    this.slot = plan.slot;
    this.#dispatcher = dispatcher;
    this.#countersAt = COUNTERS_LISTENER_OFFSET + COUNTERS_PER_LISTENER * plan.slot;
    this.#count = count;
    this.#contexts = contexts;
    this.#counters = counters;
    this.#plan = plan;
    this.#protocol = protocol;
    this.#arrange();
  }

  /** Begins to accept. The socket stays the supervisor's; where it could make none, the node engine binds its own. Returns 0 or -errno. */
  async open(socket: ListenerSocket): Promise<number> {
    const { engine } = this.#dispatcher;
    if (socket.fd >= 0) return engine.adoptListener(this.slot, socket.fd);
    invariant(engine.kind === 'node', 'the native engine needs a socket to adopt');
    const address = parseAddress(socket.address);
    invariant(typeof address !== 'string' && address.family !== 'name', 'a socket has a numeric address');
    // Refused where the platform cannot share a port; there the proxy runs one shard.
    return (engine as NodeEngine).listen(this.slot, address, process.platform === 'linux');
  }

  get plan(): ListenerPlan {
    return this.#plan;
  }

  get name(): string {
    return this.#plan.name;
  }

  get protocol(): P {
    return this.#protocol;
  }

  /** The same protocol with a new plan, of which it has been told. */
  apply(plan: ListenerPlan): void {
    this.#plan = plan;
    this.#arrange();
  }

  /** Puts another protocol behind the same socket. What came in before stays with the one that is returned. */
  replaceProtocol(plan: ListenerPlan, protocol: P): P {
    const before = this.#protocol;
    this.#plan = plan;
    this.#protocol = protocol;
    this.#arrange();
    return before;
  }

  /** Puts before the protocol what the plan wants, and nothing else. */
  #arrange(): void {
    const plan = this.#plan;
    let entrance: Entrance = this.#secure(this.#protocol);
    if ((plan.proxyProtocol ?? 'off') !== 'off' && this.#gate === undefined) {
      this.#gate = new ProxyGate(this.#dispatcher, entrance, plan);
    } else this.#gate?.apply(plan);
    if (this.#gate !== undefined) {
      this.#gate.next = entrance;
      entrance = this.#gate;
    }
    if (plan.connectionsMaxCount !== undefined || this.#admission !== undefined) entrance = this.#limit(entrance);
    this.#dispatcher.bindListener(this.slot, entrance);
  }

  #secure(protocol: P): Entrance {
    const { tls } = this.#plan;
    if (tls === undefined && this.#tls === undefined) return protocol;
    const times = this.#counters.handshakeTimes(this.#plan.name);
    this.#tls ??= new TlsGate(this.#dispatcher, this.#contexts, times, protocol, this.#plan.protocol === 'http');
    this.#tls.next = protocol;
    this.#tls.branches = protocol.branches ?? [];
    this.#tls.apply(tls);
    return tls === undefined ? protocol : this.#tls;
  }

  #limit(entrance: Entrance): Entrance {
    const limit = this.#plan.connectionsMaxCount ?? Number.POSITIVE_INFINITY;
    if (this.#admission === undefined) {
      this.#admission = new Admission(this.#dispatcher, this.slot, this.#count, entrance, limit);
      this.#admission.count(this.#protocol.connectionCount + this.#openingCount);
    }
    const admission = this.#admission;
    admission.next = entrance;
    const onConnectionOver = () => admission.leave();
    this.#protocol.onConnectionOver = onConnectionOver;
    if (this.#gate !== undefined) this.#gate.onConnectionOver = onConnectionOver;
    if (this.#tls !== undefined) this.#tls.onConnectionOver = onConnectionOver;
    admission.apply(limit);
    return admission;
  }

  /** Takes what waits in the accept queue, then closes the engine's duplicate. Idle connections end. Writes commands. */
  close(): void {
    this.#admission?.close();
    this.#dispatcher.engine.closeListener(this.slot);
    this.#gate?.closeAll();
    this.#tls?.endSoon();
    this.#protocol.closeIdle();
  }

  /** Nobody comes any more: what TLS needed is let go of. */
  retire(): void {
    this.#tls?.apply(undefined);
  }

  /** Connections of which it is not known yet who they are, or where they lead. */
  get #openingCount(): number {
    return (this.#gate?.waitingCount ?? 0) + (this.#tls?.waitingCount ?? 0);
  }

  /** Exchanges or sessions in flight, and connections that are still before the door. */
  get activeCount(): number {
    return this.#protocol.activeCount + this.#openingCount + (this.#admission?.parkedCount ?? 0);
  }

  /** See ProtocolListener. */
  cutWorkOn(isMeant: (endpoint: EndpointRef) => boolean): number {
    return this.#protocol.cutWorkOn(isMeant);
  }

  /** Cuts everything that is left. Returns how many exchanges or sessions that were. The caller flushes. */
  cutAll(): number {
    this.#admission?.cutAll();
    this.#gate?.closeAll();
    this.#tls?.closeAll();
    return this.#protocol.cutAll();
  }

  /** Accepted connections that are open, whatever they do. */
  get connections(): number {
    return this.#counter(ListenerCounter.CONNECTIONS);
  }

  /** Connections accepted, open ones included. */
  get accepted(): number {
    return this.#counter(ListenerCounter.ACCEPTED);
  }

  get bytesReceived(): number {
    return this.#counter(ListenerCounter.BYTES_RECEIVED);
  }

  get bytesSent(): number {
    return this.#counter(ListenerCounter.BYTES_SENT);
  }

  /** Connections closed for want of a PROXY header. Undefined where none was ever wanted. */
  get proxyHeadersRefused(): number | undefined {
    return this.#gate?.refusedCount;
  }

  /** Connections closed because TLS was not established. Undefined where none was ever wanted. */
  get handshakesRefused(): number | undefined {
    return this.#tls?.refusedCount;
  }

  #counter(index: number): number {
    return this.#dispatcher.engine.counters[this.#countersAt + index]!;
  }
}
