import type { ConnectionHandler } from '../engine/connection-handler.ts';
import type { Dispatcher } from '../engine/dispatcher.ts';
import type { Endpoint } from './endpoint.ts';

/**
 * Begins connections to endpoints. The handler gets onConnected, onConnectFailed, or onDeadline after `connectMs`; it clears or replaces
 * the deadline once connected. Hot path: no allocation.
 */
export class Dialer {
  readonly #dispatcher: Dispatcher;

  constructor(dispatcher: Dispatcher) {
    this.#dispatcher = dispatcher;
  }

  /** Returns the id of the connection, or -errno if it could not begin (then nothing is left of it). */
  dial(endpoint: Endpoint, connectMs: number, handler: ConnectionHandler): number {
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
