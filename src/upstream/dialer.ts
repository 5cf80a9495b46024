import type { ConnectionHandler } from '../engine/connection-handler.ts';
import type { Dispatcher, Lease } from '../engine/dispatcher.ts';
import type { ClusterLimits } from './cluster-limits.ts';
import type { Endpoint } from './endpoint.ts';

/** No errno: the cluster has as many connections as it may have, none of them idle here. */
export const NO_ROOM = -10_000;

/**
 * Begins connections to endpoints. The handler gets onConnected, onConnectFailed, or onDeadline after `connectMs`; it clears or replaces
 * the deadline once connected. Hot path: no allocation.
 */
export class Dialer {
  readonly #dispatcher: Dispatcher;

  constructor(dispatcher: Dispatcher) {
    this.#dispatcher = dispatcher;
  }

  /**
   * Returns the id of the connection; NO_ROOM if `limits` forbid it; or -errno if it could not begin. Then nothing is left of it. Not while a
   * SEND is open.
   */
  dial(endpoint: Endpoint, connectMs: number, handler: ConnectionHandler, limits: ClusterLimits | undefined): number {
    if (limits?.hasConnectionLimit !== true) return this.#open(endpoint, connectMs, handler);
    if (limits.openConnection()) return this.#openCounted(endpoint, connectMs, handler, limits);
    const idle = limits.takeIdle();
    if (idle === 0) return NO_ROOM;
    const { commands } = this.#dispatcher;
    const lease = this.#dispatcher.takeLease(idle);
    this.#dispatcher.unbind(idle);
    commands.close(idle);
    // A dial begins at once: the endpoints are to see the old one go before the new one comes.
    commands.spill();
    return this.#openCounted(endpoint, connectMs, handler, lease);
  }

  /** As `dial`, in place of a connection that has died and is not yet unbound: what it counted for counts for the new one. */
  dialAfter(dead: number, endpoint: Endpoint, connectMs: number, handler: ConnectionHandler): number {
    return this.#openCounted(endpoint, connectMs, handler, this.#dispatcher.takeLease(dead));
  }

  /** As `dialAfter`, for a connection that is dialed later, by `redial`. */
  reserveAfter(dead: number, handler: ConnectionHandler): number {
    const lease = this.#dispatcher.takeLease(dead);
    const id = this.#dispatcher.engine.reserve();
    if (id > 0) {
      this.#dispatcher.bind(id, handler);
      if (lease !== undefined) this.#dispatcher.lease(id, lease);
    } else lease?.release();
    return id;
  }

  #openCounted(endpoint: Endpoint, connectMs: number, handler: ConnectionHandler, lease: Lease | undefined): number {
    const id = this.#open(endpoint, connectMs, handler);
    if (lease === undefined) return id;
    if (id > 0) this.#dispatcher.lease(id, lease);
    else lease.release();
    return id;
  }

  #open(endpoint: Endpoint, connectMs: number, handler: ConnectionHandler): number {
    const id = this.#dispatcher.engine.dial(endpoint.addressHandle);
    if (id < 0) return id;
    this.#dispatcher.bind(id, handler);
    this.#dispatcher.commands.deadline(id, connectMs);
    return id;
  }

  /**
   * Tries another endpoint with the id of a dial that failed or timed out: what was sent to the id goes there. Returns 0, or -errno if it
   * could not begin (then the id is still the caller's, to redial again or to close).
   */
  redial(id: number, endpoint: Endpoint, connectMs: number): number {
    const status = this.#dispatcher.engine.redial(id, endpoint.addressHandle);
    if (status === 0) this.#dispatcher.commands.deadline(id, connectMs);
    return status;
  }
}
