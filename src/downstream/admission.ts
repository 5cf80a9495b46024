/**
 * Stands before a listener with `limits.connections`: no more than that many connections are served at a time, over all shards together.
 *
 * At the limit the listener is paused, so that who comes waits in the kernel's queue, as with HAProxy's maxconn. What the engine had already
 * accepted by then, in this shard or another, is parked unread, and served first as soon as a connection ends.
 */
import type { ConnectionHandler } from '../engine/connection-handler.ts';
import type { Dispatcher } from '../engine/dispatcher.ts';
import { ClientAddress } from './client-address.ts';
import type { Entrance } from './protocol-listener.ts';

/** How often a paused shard looks whether a connection has ended in another one. */
const LOOK_EVERY_MS = 10;

/** The connections of one listener over all shards. */
export interface ConnectionCount {
  readonly current: number;
  /** Counts one more, and returns how many there are now. */
  enter(): number;
  leave(): void;
}

export class Admission implements Entrance {
  readonly #dispatcher: Dispatcher;
  readonly #slot: number;
  readonly #count: ConnectionCount;
  /** Where connections go on to. */
  next: Entrance;
  /** Infinity: none. */
  #limit: number;
  /** Accepted and not admitted, in order. */
  readonly #parked: ParkedConnection[] = [];
  /** Runs while there is no room. */
  #looking: NodeJS.Timeout | undefined;
  #isClosing = false;

  constructor(dispatcher: Dispatcher, slot: number, count: ConnectionCount, next: Entrance, limit: number) {
    this.#dispatcher = dispatcher;
    this.#slot = slot;
    this.#count = count;
    this.next = next;
    this.#limit = limit;
  }

  get parkedCount(): number {
    return this.#parked.length;
  }

  /** For connections to come. Above a lower limit nobody is sent away. */
  apply(limit: number): void {
    this.#limit = limit;
    this.#admit();
  }

  /** Counts connections that were there before there was a limit. */
  count(connections: number): void {
    for (let index = 0; index < connections; index++) this.#count.enter();
  }

  onAccepted(id: number, family: number, port: number, addressOffset: number): void {
    if (this.#parked.length === 0 && this.#enter()) {
      this.next.onAccepted(id, family, port, addressOffset);
      return;
    }
    const client = new ClientAddress();
    client.read(family, port, this.#dispatcher.engine.events, addressOffset);
    this.#park(id, client);
  }

  adopt(id: number, client: ClientAddress, destination: ClientAddress | undefined): void {
    if (this.#parked.length === 0 && this.#enter()) this.next.adopt(id, client, destination);
    else this.#park(id, client);
  }

  /** Counts a connection if there is room for it. */
  #enter(): boolean {
    const count = this.#count.enter();
    if (count >= this.#limit) this.#pause();
    if (count <= this.#limit) return true;
    this.#count.leave();
    return false;
  }

  #pause(): void {
    if (this.#looking !== undefined) return;
    if (!this.#isClosing) this.#dispatcher.engine.pauseListener(this.#slot);
    this.#looking = setInterval(() => {
      this.#admit();
      this.#dispatcher.commands.flush();
    }, LOOK_EVERY_MS).unref();
  }

  #resume(): void {
    this.#stopLooking();
    if (!this.#isClosing) this.#dispatcher.engine.resumeListener(this.#slot);
  }

  #stopLooking(): void {
    clearInterval(this.#looking);
    this.#looking = undefined;
  }

  /** The listener closes: what is in its queue is accepted, and waits here. */
  close(): void {
    this.#isClosing = true;
  }

  #park(id: number, client: ClientAddress): void {
    const { commands } = this.#dispatcher;
    const parked = new ParkedConnection(this, commands, id, client);
    this.#parked.push(parked);
    this.#dispatcher.bind(id, parked);
    commands.pause(id);
  }

  /** A connection that was admitted is over. */
  leave(): void {
    this.#count.leave();
    this.#admit();
  }

  /** Lets in as many as there is room for, those who came first first. */
  #admit(): void {
    while (this.#parked.length > 0 && this.#enter()) this.#handOver(this.#parked.shift()!);
    if (this.#looking !== undefined && this.#parked.length === 0 && this.#count.current < this.#limit) this.#resume();
  }

  #handOver({ id, client, hasEnded }: ParkedConnection): void {
    const dispatcher = this.#dispatcher;
    dispatcher.unbind(id);
    // First: what follows may want it paused.
    dispatcher.commands.resume(id);
    this.next.adopt(id, client, undefined);
    if (hasEnded) dispatcher.handlerOf(id)?.onEnd(id);
  }

  /** It is gone before it was let in. */
  forget(parked: ParkedConnection): void {
    const index = this.#parked.indexOf(parked);
    if (index >= 0) this.#parked.splice(index, 1);
  }

  /** Ends what is parked, and looks no more. */
  cutAll(): void {
    for (const { id } of this.#parked.splice(0)) {
      this.#dispatcher.unbind(id);
      this.#dispatcher.commands.reset(id);
    }
    this.#stopLooking();
  }
}

/** A connection that waits unread until there is room for it. */
class ParkedConnection implements ConnectionHandler {
  readonly id: number;
  readonly client: ClientAddress;
  hasEnded = false;
  readonly #admission: Admission;
  readonly #commands: Dispatcher['commands'];

  constructor(admission: Admission, commands: Dispatcher['commands'], id: number, client: ClientAddress) {
    this.#admission = admission;
    this.#commands = commands;
    this.id = id;
    this.client = client;
  }

  /** Received in the round of the accept. */
  onData(id: number, offset: number, length: number): void {
    this.#commands.hold(id, offset, length);
  }

  onEnd(): void {
    this.hasEnded = true;
  }

  onClosed(): void {
    this.#admission.forget(this);
  }

  onDeadline(): void {}

  onConnected(): void {}

  onConnectFailed(): void {}

  onRelayDone(): void {}

  onTunnelClosed(): void {}
}
