import type { ListenerSocket } from '../contract/messages.ts';
import type { ListenerPlan } from '../contract/plan.ts';
import { parseAddress } from '../core/address.ts';
import { invariant } from '../core/invariant.ts';
import type { Dispatcher } from '../engine/dispatcher.ts';
import type { NodeEngine } from '../engine/node-engine.ts';
import { COUNTERS_LISTENER_OFFSET, COUNTERS_PER_LISTENER, ListenerCounter } from '../engine/protocol.ts';
import type { ProtocolListener } from './protocol-listener.ts';

/**
 * The front door: one listening socket in one shard, and what stands behind it. The socket belongs to the supervisor; the engine accepts from
 * a duplicate.
 */
export class Listener {
  readonly slot: number;
  readonly name: string;
  readonly #dispatcher: Dispatcher;
  readonly #countersAt: number;
  #plan: ListenerPlan;
  #protocol: ProtocolListener;

  constructor(plan: ListenerPlan, protocol: ProtocolListener, dispatcher: Dispatcher) {
    this.slot = plan.slot;
    this.name = plan.name;
    this.#dispatcher = dispatcher;
    this.#countersAt = COUNTERS_LISTENER_OFFSET + COUNTERS_PER_LISTENER * plan.slot;
    this.#plan = plan;
    this.#protocol = protocol;
  }

  /** Begins to accept. The socket stays the supervisor's; where it could make none, the node engine binds its own. Returns 0 or -errno. */
  async open(socket: ListenerSocket): Promise<number> {
    const { engine } = this.#dispatcher;
    this.#dispatcher.bindListener(this.slot, this.#protocol);
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

  get protocol(): ProtocolListener {
    return this.#protocol;
  }

  /** The same protocol with a new plan. */
  apply(plan: ListenerPlan): void {
    this.#plan = plan;
    this.#protocol.apply(plan);
  }

  /** Puts another protocol behind the same socket. What came in before stays with the one that is returned. */
  replaceProtocol(plan: ListenerPlan, protocol: ProtocolListener): ProtocolListener {
    const before = this.#protocol;
    this.#plan = plan;
    this.#protocol = protocol;
    this.#dispatcher.bindListener(this.slot, protocol);
    return before;
  }

  /** Takes what waits in the accept queue, then closes the engine's duplicate. Idle connections end. Writes commands. */
  close(): void {
    this.#dispatcher.engine.closeListener(this.slot);
    this.#protocol.closeIdle();
  }

  /** Accepted connections that are open, whatever they do. */
  get connections(): number {
    return this.#counter(ListenerCounter.CONNECTIONS);
  }

  get bytesReceived(): number {
    return this.#counter(ListenerCounter.BYTES_RECEIVED);
  }

  get bytesSent(): number {
    return this.#counter(ListenerCounter.BYTES_SENT);
  }

  #counter(index: number): number {
    return this.#dispatcher.engine.counters[this.#countersAt + index]!;
  }
}
