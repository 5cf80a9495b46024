import type { ListenerPlan } from '../contract/plan.ts';
import type { Dispatcher } from '../engine/dispatcher.ts';
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

  /** Begins to accept. `fd` stays the caller's. Returns 0 or -errno. */
  open(fd: number): number {
    this.#dispatcher.bindListener(this.slot, this.#protocol);
    return this.#dispatcher.engine.adoptListener(this.slot, fd);
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
