import { constants } from 'node:os';
import type { Board } from '../contract/board.ts';
import type { EndpointRef, ListenerSocket, ShardSnapshot } from '../contract/messages.ts';
import type { ListenerPlan, Plan } from '../contract/plan.ts';
import type { Slices } from '../core/slices.ts';
import type { ConnectionCount } from '../downstream/admission.ts';
import { Listener } from '../downstream/listener.ts';
import { COUNTERS_LISTENER_OFFSET, COUNTERS_PER_LISTENER, ListenerCounter } from '../engine/protocol.ts';
import type { SecureContexts } from '../engine/secure-contexts.ts';
import type { PlannedClusters } from '../upstream/cluster-set.ts';
import type { ListenerContext } from '../upstream/listener-context.ts';
import { type Corridor, isSameCorridor, type MakeCorridor } from './corridor.ts';

/** What is still at work, though nothing new comes to it. */
type Leaving = Pick<Corridor, 'activeCount' | 'cutAll' | 'cutWorkOn'>;

/** The listeners of a shard, and those that a plan removed but whose work goes on. All methods write commands: the caller flushes. */
export class ListenerSet {
  readonly #context: ListenerContext;
  readonly #make: MakeCorridor;
  readonly #open = new Map<number, Listener<Corridor>>();
  readonly #board: Board;
  readonly #contexts: SecureContexts;
  #leaving: Leaving[] = [];
  /** Closed by the last plan: what waited in their accept queues was still to come to them. */
  #lastClosed: Listener[] = [];
  /** Every slot there ever was: connections outlive their listener. */
  readonly #slots = new Set<number>();

  constructor(context: ListenerContext, make: MakeCorridor, board: Board, contexts: SecureContexts) {
    this.#context = context;
    this.#board = board;
    this.#contexts = contexts;
    this.#make = make;
  }

  /**
   * Makes ready for the plan; nothing else may be prepared until it is in force. What this returns puts it in force, between rounds, and gives the
   * listeners that are new, to be opened.
   */
  *prepare(plan: Plan, clusters: PlannedClusters): Slices<() => readonly Listener[]> {
    const steps: (() => void)[] = [];
    const added: Listener[] = [];
    for (const next of plan.listeners) {
      // A slot is reused by another listener only after it was free in a plan.
      const listener = this.#open.get(next.slot);
      if (listener !== undefined) steps.push(yield* this.#prepareUpdate(listener, next, clusters));
      else {
        const corridor = yield* this.#make(this.#context, next, clusters);
        steps.push(() => added.push(this.#add(next, corridor)));
      }
    }
    const kept = new Set(plan.listeners.map(({ slot }) => slot));
    return () => {
      this.#forgetClosed();
      for (const listener of [...this.#open.values()]) if (!kept.has(listener.slot)) this.#close(listener);
      for (const step of steps) step();
      this.#leaving = this.#leaving.filter(({ activeCount }) => activeCount > 0);
      return added;
    };
  }

  closeAll(): void {
    for (const listener of [...this.#open.values()]) this.#close(listener);
  }

  /** Returns how many exchanges and sessions that were. */
  cutAll(): number {
    return this.#working.reduce((count, work) => count + work.cutAll(), 0);
  }

  /** Cuts what is at work on endpoints that are meant. Returns how many exchanges and sessions that were. */
  cutWorkOn(isMeant: (endpoint: EndpointRef) => boolean): number {
    return this.#working.reduce((count, work) => count + work.cutWorkOn(isMeant), 0);
  }

  /** Exchanges and sessions in flight. */
  get activeCount(): number {
    return this.#working.reduce((count, { activeCount }) => count + activeCount, 0);
  }

  /** Accepted connections that are open. */
  get connections(): number {
    const { counters } = this.#context.dispatcher.engine;
    let connections = 0;
    for (const slot of this.#slots) {
      connections += counters[COUNTERS_LISTENER_OFFSET + slot * COUNTERS_PER_LISTENER + ListenerCounter.CONNECTIONS]!;
    }
    return connections;
  }

  rows(): ShardSnapshot['listeners'] {
    return Array.from(this.#open.values(), (listener) => {
      const { name, connections, accepted, bytesReceived, bytesSent, proxyHeadersRefused, handshakesRefused } =
        listener;
      const active = listener.activeCount;
      return { name, connections, accepted, active, bytesReceived, bytesSent, proxyHeadersRefused, handshakesRefused };
    });
  }

  get #working(): readonly Leaving[] {
    return [...this.#open.values(), ...this.#leaving];
  }

  #add(plan: ListenerPlan, corridor: Corridor): Listener {
    const { dispatcher } = this.#context;
    const listener = new Listener(
      plan,
      corridor,
      dispatcher,
      this.#countOf(plan.slot),
      this.#contexts,
      this.#context.counters,
    );
    this.#open.set(plan.slot, listener);
    this.#slots.add(plan.slot);
    return listener;
  }

  /** The connections of a listener over all shards. */
  #countOf(slot: number): ConnectionCount {
    const board = this.#board;
    const { shard } = this.#context;
    return {
      get current() {
        return board.listenerConnections(slot);
      },
      enter: () => board.enterListener(shard, slot),
      leave: () => board.leaveListener(shard, slot),
    };
  }

  *#prepareUpdate(listener: Listener<Corridor>, plan: ListenerPlan, clusters: PlannedClusters): Slices<() => void> {
    if (isSameCorridor(listener.plan, plan)) {
      const takeOver = yield* listener.protocol.prepare(plan, clusters);
      return () => {
        takeOver();
        listener.apply(plan);
      };
    }
    const corridor = yield* this.#make(this.#context, plan, clusters);
    return () => {
      const before = listener.replaceProtocol(plan, corridor);
      before.closeIdle();
      this.#leaving.push(before);
    };
  }

  #close(listener: Listener): void {
    listener.close();
    this.#open.delete(listener.slot);
    this.#leaving.push(listener);
    this.#lastClosed.push(listener);
  }

  /** Lets go of listeners that nobody comes to any more, with the plans that they hold. */
  #forgetClosed(): void {
    for (const listener of this.#lastClosed) {
      if (!this.#open.has(listener.slot)) this.#context.dispatcher.bindListener(listener.slot, undefined);
      listener.retire();
    }
    this.#lastClosed = [];
  }
}

/** Opens listeners on the sockets that came along. Returns the first that could not be, if any. */
export async function openListeners(
  listeners: readonly Listener[],
  sockets: readonly ListenerSocket[],
): Promise<{ listener: string; address: string; errno: number } | undefined> {
  const socketsBySlot = new Map(sockets.map((socket) => [socket.slot, socket]));
  for (const listener of listeners) {
    const socket = socketsBySlot.get(listener.slot);
    const status = socket === undefined ? -constants.errno.ENOTSOCK : await listener.open(socket);
    if (status < 0) return { listener: listener.name, address: listener.plan.address, errno: -status };
  }
  return undefined;
}
