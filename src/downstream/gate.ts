/**
 * What stands before the corridor of a listener: it reads what connections begin with, and hands each on to where it belongs. Those it waits for are
 * newcomers.
 */
import type { ConnectionHandler } from '../engine/connection-handler.ts';
import type { Dispatcher } from '../engine/dispatcher.ts';
import type { ClientAddress } from './client-address.ts';
import type { Entrance } from './protocol-listener.ts';

export abstract class Gate implements Entrance {
  readonly dispatcher: Dispatcher;
  /** Where connections go on to. */
  next: Entrance;
  /** Called once for each connection that ends here. */
  onConnectionOver: (() => void) | undefined;
  /** Connections that were refused here. */
  refusedCount = 0;
  protected readonly waiting = new Set<Newcomer>();

  constructor(dispatcher: Dispatcher, next: Entrance) {
    this.dispatcher = dispatcher;
    this.next = next;
  }

  get waitingCount(): number {
    return this.waiting.size;
  }

  abstract onAccepted(id: number, family: number, port: number, addressOffset: number): void;

  abstract adopt(id: number, client: ClientAddress, destination: ClientAddress | undefined): void;

  protected waitFor(newcomer: Newcomer, timeoutMs: number): void {
    this.waiting.add(newcomer);
    this.dispatcher.bind(newcomer.id, newcomer);
    this.dispatcher.commands.deadline(newcomer.id, timeoutMs);
  }

  /** The connection of a newcomer has been handed on. */
  forget(newcomer: Newcomer): void {
    this.waiting.delete(newcomer);
  }

  /** The connection of a newcomer ends, or has ended, here. */
  over(newcomer: Newcomer): void {
    if (this.waiting.delete(newcomer)) this.onConnectionOver?.();
  }

  /** Ends what waits. */
  closeAll(): void {
    for (const newcomer of this.waiting) newcomer.close();
  }
}

/** A connection from its accept until it is known where it belongs. */
export abstract class Newcomer implements ConnectionHandler {
  readonly id: number;
  readonly #gate: Gate;

  constructor(gate: Gate, id: number) {
    this.#gate = gate;
    this.id = id;
  }

  abstract onData(id: number, offset: number, length: number, ended: boolean): void;

  abstract onDeadline(): void;

  onEnd(): void {
    this.close();
  }

  onClosed(): void {
    this.#gate.over(this);
  }

  close(): void {
    const { dispatcher } = this.#gate;
    dispatcher.unbind(this.id);
    dispatcher.commands.close(this.id);
    this.#gate.over(this);
  }

  /** Gives the connection away as that of `client`, with `slab[offset, offset + length)`, which has come and is not the gate's. */
  protected handOver(
    next: Entrance,
    client: ClientAddress,
    destination: ClientAddress | undefined,
    offset: number,
    length: number,
    ended: boolean,
  ): void {
    const { dispatcher } = this.#gate;
    this.#gate.forget(this);
    dispatcher.unbind(this.id);
    dispatcher.commands.clearDeadline(this.id);
    next.adopt(this.id, client, destination);
    if (length > 0) dispatcher.handlerOf(this.id)?.onData(this.id, offset, length, ended);
  }

  onConnected(): void {}

  onConnectFailed(): void {}

  onRelayDone(): void {}

  onTunnelClosed(): void {}
}
