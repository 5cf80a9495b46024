import type { ConnectionHandler } from '../engine/connection-handler.ts';
import type { Dispatcher } from '../engine/dispatcher.ts';

/** Most idle connections that one shard keeps to one endpoint. */
export const POOL_MAX = 1024;

/**
 * Idle upstream connections of one endpoint in one shard, and their owner while they are idle. Last in, first out: the warmest is used, and
 * what is not needed ages and goes. Hot path: no allocation.
 *
 * Whatever happens to an idle connection ends it: bytes nobody asked for would be taken for the answer to the next request.
 */
export class ConnectionPool implements ConnectionHandler {
  readonly #dispatcher: Dispatcher;
  /** Oldest first. */
  readonly #ids: number[] = [];
  #closed = false;

  constructor(dispatcher: Dispatcher) {
    this.#dispatcher = dispatcher;
  }

  get count(): number {
    return this.#ids.length;
  }

  /**
   * Hands over an idle connection, or 0 if there is none. The caller binds it and sets or clears its deadline: the idle one still runs.
   * Events of this very round (`Dispatcher.round`) that the engine raised while it was idle go to the new owner, who must not take them for
   * an answer.
   */
  take(): number {
    return this.#ids.length === 0 ? 0 : this.#ids.pop()!;
  }

  /** As `take`, of the one that has been idle for longest. The pool must not be empty. */
  takeOldest(): number {
    return this.#ids.shift()!;
  }

  closeOldest(): void {
    this.#close(this.takeOldest());
  }

  /** Takes over a connection that is fit for another request: nothing pending either way, not paused. Closed after `idleMs`. */
  put(id: number, idleMs: number): void {
    if (this.#closed || idleMs <= 0 || this.#ids.length === POOL_MAX) {
      this.#close(id);
      return;
    }
    this.#ids.push(id);
    this.#dispatcher.bind(id, this);
    this.#dispatcher.commands.deadline(id, idleMs);
  }

  /** Closes all, and whatever is put from now on. */
  close(): void {
    this.#closed = true;
    this.closeIdle();
  }

  /** Closes all that are idle now. */
  closeIdle(): void {
    for (const id of this.#ids) this.#close(id);
    this.#ids.length = 0;
  }

  onData(id: number): void {
    this.#discard(id);
  }

  onEnd(id: number): void {
    this.#discard(id);
  }

  onDeadline(id: number): void {
    this.#discard(id);
  }

  onClosed(id: number): void {
    this.#forget(id);
  }

  onConnected(_id: number): void {}

  onConnectFailed(_id: number): void {}

  onRelayDone(_id: number): void {}

  onTunnelClosed(): void {}

  #discard(id: number): void {
    this.#forget(id);
    this.#close(id);
  }

  #close(id: number): void {
    this.#dispatcher.unbind(id);
    this.#dispatcher.commands.close(id);
  }

  /** Idle connections mostly end oldest first: the search is short. */
  #forget(id: number): void {
    const index = this.#ids.indexOf(id);
    if (index >= 0) this.#ids.splice(index, 1);
  }
}
