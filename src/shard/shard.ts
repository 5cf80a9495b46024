/**
 * The data plane of one thread: it wires listeners, corridors and clusters to one engine, carries out plans, and stays out of the way.
 * Messages are handled between turns of the engine, so that a plan is swapped between two rounds, never within one.
 */
import { Board } from '../contract/board.ts';
import type {
  EndpointRef,
  FromShard,
  ListenerSocket,
  ShardSnapshot,
  ShardStart,
  ToShard,
} from '../contract/messages.ts';
import { type PackedPlan, PlanReader } from '../contract/packed-plan.ts';
import type { Plan } from '../contract/plan.ts';
import { systemClock } from '../core/clock.ts';
import { invariant } from '../core/invariant.ts';
import { Random } from '../core/random.ts';
import { finish, finishAtPace, type Slices } from '../core/slices.ts';
import type { Listener } from '../downstream/listener.ts';
import { loadAddon } from '../engine/binding.ts';
import { Dispatcher } from '../engine/dispatcher.ts';
import type { Engine } from '../engine/engine.ts';
import { Counter } from '../engine/protocol.ts';
import { SecureContexts } from '../engine/secure-contexts.ts';
import { AccessLogs } from '../observe/access/access-log.ts';
import { composeLines } from '../observe/access/compose-lines.ts';
import { Spans } from '../observe/spans.ts';
import { TrafficCounters } from '../observe/traffic-counters.ts';
import { ClusterSet } from '../upstream/cluster-set.ts';
import { Dialer } from '../upstream/dialer.ts';
import type { MakeCorridor } from './corridor.ts';
import { whenIdle } from './drain.ts';
import { ListenerSet, openListeners } from './listener-set.ts';
import { crash, hang } from './test-faults.ts';

/**
 * What preparing for a plan may take of the thread: events of the engine wait for a millisecond at most, and find four fifths of the time theirs. All shards
 * prepare at once: with half of it, 1 in 10 requests took ten milliseconds longer meanwhile on two cores, with a fifth five.
 */
const PREPARE_PACE = { workMs: 1, restMs: 4 };

/** What listeners get; only the shard may say that it drains. */
interface ShardContext {
  readonly dispatcher: Dispatcher;
  readonly dialer: Dialer;
  readonly counters: TrafficCounters;
  readonly accessLogs: AccessLogs;
  readonly spans: Spans;
  readonly random: Random;
  readonly shard: number;
  draining: boolean;
}

export interface ShardOptions {
  /** The shard closes it. */
  readonly engine: Engine;
  readonly start: ShardStart;
  readonly post: (message: FromShard) => void;
  readonly makeCorridor: MakeCorridor;
  readonly random?: Random;
}

export class Shard {
  /** Resolves when the shard has closed and holds nothing any more. */
  readonly closed: Promise<void>;
  readonly #engine: Engine;
  readonly #start: ShardStart;
  readonly #post: (message: FromShard) => void;
  readonly #board: Board;
  readonly #reader = new PlanReader();
  readonly #context: ShardContext;
  readonly #clusters: ClusterSet;
  readonly #listeners: ListenerSet;
  readonly #onClosed: () => void;
  #heartbeat: NodeJS.Timeout | undefined;
  #lastBeatMs = systemClock.nowMs();
  #stopLooking = () => {};
  #applying: Promise<void> = Promise.resolve();
  #phase: 'accepting' | 'finishing' | 'closing' = 'accepting';

  constructor({ engine, start, post, makeCorridor, random = unpredictable() }: ShardOptions) {
    this.#engine = engine;
    this.#start = start;
    this.#post = post;
    this.#board = Board.attach(start.board);
    const dispatcher = new Dispatcher(engine);
    const warn = (text: string) => post({ type: 'log', level: 'warn', text });
    this.#context = {
      dispatcher,
      dialer: new Dialer(dispatcher),
      counters: new TrafficCounters(),
      accessLogs: new AccessLogs({
        post: (batch) => post({ type: 'access-log', batch }),
        random: Math.random,
        wallMs: () => dispatcher.wallMs,
        composer: loadAddon().addon?.composeLines ?? composeLines,
      }),
      spans: new Spans((spans) => post({ type: 'spans', spans })),
      random,
      shard: start.index,
      draining: false,
    };
    engine.setTicketKeys(start.ticketKeys);
    const contexts = new SecureContexts(engine);
    const { counters } = this.#context;
    const endpoints = { dispatcher, board: this.#board, shard: start.index, contexts, counters, warn };
    this.#clusters = new ClusterSet(endpoints, random);
    this.#listeners = new ListenerSet(this.#context, makeCorridor, this.#board, contexts);
    let onClosed = () => {};
    this.closed = new Promise((resolve) => {
      onClosed = resolve;
    });
    this.#onClosed = () => onClosed();
  }

  /** Begins with the first plan. Ends with `ready` or `failed`. */
  async open(): Promise<void> {
    this.#context.dispatcher.start();
    this.#beat();
    this.#heartbeat = setInterval(() => this.#timedBeat(), this.#start.heartbeatMs);
    const { plan, sockets } = this.#start;
    // At once: there is nothing yet that it could keep waiting.
    if (await this.#carryOut(finish(this.#readAndPrepare(plan)), sockets)) this.#post({ type: 'ready' });
  }

  /** Never within a round of the engine. */
  receive(message: ToShard): void {
    switch (message.type) {
      case 'apply':
        // One after the other: each is prepared beside the one before.
        this.#applying = this.#applying.then(() => this.#apply(message.plan, message.sockets));
        return;
      case 'cut-endpoints':
        this.#cutEndpoints(message.endpoints);
        return;
      case 'ticket-keys':
        this.#engine.setTicketKeys(message.keys);
        return;
      case 'drain':
        this.#context.draining = true;
        return;
      case 'stop-accepting':
        this.#stopAccepting();
        return;
      case 'close':
        this.#close();
        return;
      case 'snapshot':
        this.#post({ type: 'snapshot', request: message.request, snapshot: this.#snapshot() });
        return;
      case 'log-taken':
        this.#context.accessLogs.taken(message.buffer);
        return;
      case 'crash':
        crash();
        return;
      case 'hang':
        hang();
        return;
      default:
        invariant(false, `unknown message ${JSON.stringify(message satisfies never)}`);
    }
  }

  /** A shard that no longer accepts ends with the plan it has. */
  async #apply(packed: PackedPlan, sockets: readonly ListenerSocket[]): Promise<void> {
    const takeOver = await finishAtPace(this.#readAndPrepare(packed), PREPARE_PACE, () => this.#phase !== 'accepting');
    if (takeOver === undefined || (await this.#carryOut(takeOver, sockets))) {
      this.#post({ type: 'applied', version: packed.version });
    }
  }

  *#readAndPrepare(packed: PackedPlan): Slices<() => readonly Listener[]> {
    return yield* this.#prepare(yield* this.#reader.read(packed));
  }

  /** What this returns puts the plan in force, and gives the listeners that are to be opened. */
  *#prepare(plan: Plan): Slices<() => readonly Listener[]> {
    const clusters = yield* this.#clusters.prepare(plan);
    const takeOver = yield* this.#listeners.prepare(plan, clusters);
    return () => {
      clusters.takeOver();
      return takeOver();
    };
  }

  /** Puts a plan in force. Returns whether all listeners are open; if not, the supervisor was told. */
  async #carryOut(takeOver: () => readonly Listener[], sockets: readonly ListenerSocket[]): Promise<boolean> {
    const added = takeOver();
    this.#context.dispatcher.commands.flush();
    const failure = await openListeners(added, sockets);
    if (failure !== undefined) this.#post({ type: 'failed', ...failure });
    return failure === undefined;
  }

  #cutEndpoints(endpoints: readonly EndpointRef[]): void {
    const keys = new Map(endpoints.map(({ slot, key }) => [slot, key]));
    const cut = this.#listeners.cutWorkOn((endpoint) => keys.get(endpoint.slot) === endpoint.key);
    this.#context.dispatcher.commands.flush();
    if (cut === 0) return;
    const text = `cut ${cut} exchanges and sessions on endpoints that were taken out`;
    this.#post({ type: 'log', level: 'warn', text });
  }

  #stopAccepting(): void {
    if (this.#phase !== 'accepting') return;
    this.#phase = 'finishing';
    this.#context.draining = true;
    this.#listeners.closeAll();
    this.#context.dispatcher.commands.flush();
    this.#stopLooking = whenIdle(
      () => this.#listeners.activeCount === 0 && this.#listeners.connections === 0,
      () => this.#post({ type: 'drained' }),
    );
  }

  async #close(): Promise<void> {
    if (this.#phase === 'closing') return;
    this.#phase = 'closing';
    clearInterval(this.#heartbeat);
    this.#stopLooking();
    const cut = this.#listeners.cutAll();
    this.#listeners.closeAll();
    this.#clusters.close();
    this.#context.dispatcher.commands.flush();
    await this.#engine.close();
    this.#context.accessLogs.flush();
    this.#context.spans.flush();
    this.#post({ type: 'closed', cut });
    this.#onClosed();
  }

  /** A timer that fires late waited for the event loop, as everything did that was due meanwhile. */
  #timedBeat(): void {
    const nowMs = systemClock.nowMs();
    this.#context.counters.loopDelays.record(nowMs - this.#lastBeatMs - this.#start.heartbeatMs);
    this.#lastBeatMs = nowMs;
    this.#beat();
  }

  #beat(): void {
    this.#board.beat(this.#start.index, this.#engine.counters[Counter.CONNECTIONS_OPEN]!);
    this.#clusters.spareIdle();
    this.#clusters.closeUnused();
    this.#context.accessLogs.flush();
    this.#context.spans.flush();
    this.#context.dispatcher.commands.flush();
  }

  #snapshot(): ShardSnapshot {
    const { counters } = this.#context;
    const { counters: engineCounters } = this.#engine;
    return {
      index: this.#start.index,
      connections: engineCounters[Counter.CONNECTIONS_OPEN]!,
      listeners: this.#listeners.rows(),
      handshakes: this.#handshakes(),
      requests: counters.requests(),
      sessions: counters.sessions(),
      clusters: counters.clusters(),
      endpoints: counters.endpoints(),
      latencies: counters.latencies(),
      logDrops: this.#context.accessLogs.dropped(),
      bytes: { copied: engineCounters[Counter.BYTES_COPIED]!, spliced: engineCounters[Counter.BYTES_SPLICED]! },
      descriptors: engineCounters[Counter.DESCRIPTORS_OPEN]!,
      acceptPauses: engineCounters[Counter.ACCEPT_PAUSES]!,
    };
  }

  #handshakes(): ShardSnapshot['handshakes'] {
    const { counters } = this.#engine;
    const all = counters[Counter.HANDSHAKES]!;
    const resumed = counters[Counter.HANDSHAKES_RESUMED]!;
    const failed = counters[Counter.HANDSHAKES_FAILED]!;
    return all + failed === 0 ? undefined : { full: all - resumed, resumed, failed };
  }
}

/** No two shards, and no two runs of one, choose alike. */
function unpredictable(): Random {
  return new Random(Math.floor(Math.random() * 2 ** 32));
}
