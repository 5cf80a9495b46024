/** Runs the shards: starts them, replaces those that crash or hang, hands them plans, sums up what they count, and ends them. */
import type { Board } from '../contract/board.ts';
import type { EndpointRef, ShardSnapshot } from '../contract/messages.ts';
import { type PackedPlan, packPlan } from '../contract/packed-plan.ts';
import type { Plan } from '../contract/plan.ts';
import type { Clock } from '../core/clock.ts';
import type { AccessBatch } from '../observe/access/access-log.ts';
import { counterTotals, type LatencySample, latencyTotals, type Sample } from '../observe/counter-totals.ts';
import type { SpanRecord } from '../observe/spans.ts';
import type { EventLog } from './event-log.ts';
import type { ListeningSockets } from './listening-sockets.ts';
import { HEARTBEAT_MS, ShardKeeper } from './shard-keeper.ts';
import type { ShardPool } from './shard-pool.ts';
import { latenciesOf, samplesOf } from './snapshot-samples.ts';
import { TICKET_ROTATION_MS, TicketKeys } from './ticket-keys.ts';

/** A crash loses what a shard has counted since its last snapshot: at most this much time. */
const SNAPSHOT_INTERVAL_MS = 5_000;
/** Longer than a hang goes unnoticed. */
const APPLY_TIMEOUT_MS = 10_000;

export interface SupervisorOptions {
  readonly shardCount: number;
  readonly engine: 'native' | 'node';
  readonly plan: Plan;
  readonly board: Board;
  readonly sockets: Pick<ListeningSockets, 'forShard' | 'closeShard' | 'removeUnixPaths' | 'close'>;
  readonly pool: ShardPool;
  /** Per shard. */
  readonly descriptorsMax: number;
  readonly log: EventLog;
  /** For session tickets, of the process before. */
  readonly ticketKeys?: Uint8Array | undefined;
  /** Left out: access logs go nowhere. */
  readonly onAccessLog?: (batch: AccessBatch, done: () => void) => void;
  /** Left out: traces go nowhere. */
  readonly onSpans?: (spans: readonly SpanRecord[]) => void;
  readonly clock?: Clock;
}

export interface ShardStatus {
  readonly index: number;
  readonly connections: number;
  readonly restarts: number;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #keepers: readonly ShardKeeper[];
  readonly #totals = counterTotals();
  readonly #latencies = latencyTotals();
  #snapshots: Promise<readonly ShardSnapshot[]> | undefined;
  readonly #ticketKeys: TicketKeys;
  readonly #timers: NodeJS.Timeout[] = [];
  #plan: Plan;
  /** As shards get it. */
  #packed: PackedPlan;
  #closing: Promise<number> | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#plan = options.plan;
    this.#packed = packPlan(options.plan);
    this.#ticketKeys = new TicketKeys(options.ticketKeys);
    this.#keepers = Array.from({ length: options.shardCount }, (_, index) => this.#makeKeeper(index));
  }

  /** For session tickets, the newest first. */
  get ticketKeys(): Uint8Array {
    return this.#ticketKeys.current;
  }

  get plan(): Plan {
    return this.#plan;
  }

  /** Resolves when every shard accepts. Throws a ProxyError, with everything closed, if one cannot be started. */
  async start(): Promise<void> {
    for (const keeper of this.#keepers) keeper.start();
    const look = () => {
      for (const keeper of this.#keepers) keeper.look();
    };
    this.#timers.push(
      setInterval(look, HEARTBEAT_MS),
      setInterval(() => void this.snapshots(), SNAPSHOT_INTERVAL_MS),
      setInterval(() => this.#rotateTicketKeys(), TICKET_ROTATION_MS),
    );
    try {
      await Promise.all(this.#keepers.map((keeper) => keeper.firstReady));
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /**
   * Hands a plan to every shard; the sockets of the listeners in `added` are new, and open. Resolves when every shard works by it, or has not said so
   * for APPLY_TIMEOUT_MS: what hangs is replaced, and its successor begins with the plan.
   */
  async apply(plan: Plan, added: ReadonlySet<number> = new Set()): Promise<void> {
    this.#plan = plan;
    this.#packed = packPlan(plan);
    const { sockets, log } = this.#options;
    const applied = this.#keepers.map((keeper) => {
      const own = sockets.forShard(keeper.index).filter(({ slot }) => added.has(slot));
      return keeper.apply(this.#packed, own);
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, APPLY_TIMEOUT_MS, true);
    });
    const isLate = await Promise.race([Promise.all(applied).then(() => false), late]);
    clearTimeout(timer);
    if (isLate) log.warn(`a shard has not taken the new plan within ${APPLY_TIMEOUT_MS / 1000} s`);
  }

  #rotateTicketKeys(): void {
    const keys = this.#ticketKeys.rotate();
    for (const keeper of this.#keepers) keeper.post({ type: 'ticket-keys', keys });
  }

  /** Cuts what is still at work on these endpoints, in every shard. */
  cutEndpoints(endpoints: readonly EndpointRef[]): void {
    for (const keeper of this.#keepers) keeper.post({ type: 'cut-endpoints', endpoints });
  }

  /**
   * What every running shard has counted since it began. A shard that does not answer within a second is left out. However many ask at once,
   * each shard is asked once.
   */
  snapshots(): Promise<readonly ShardSnapshot[]> {
    this.#snapshots ??= this.#takeSnapshots().finally(() => {
      this.#snapshots = undefined;
    });
    return this.#snapshots;
  }

  async #takeSnapshots(): Promise<readonly ShardSnapshot[]> {
    const answers = await Promise.all(this.#keepers.map((keeper) => keeper.snapshot()));
    const snapshots = answers.filter((answer) => answer !== undefined);
    for (const snapshot of snapshots) {
      this.#totals.put(snapshot.index, samplesOf(snapshot));
      this.#latencies.put(snapshot.index, latenciesOf(snapshot));
    }
    return snapshots;
  }

  /** Counters over all shards and their predecessors, as of the last snapshots. */
  totals(): readonly Sample[] {
    return this.#totals.totals();
  }

  /** Histograms, likewise. */
  latencies(): readonly LatencySample[] {
    return this.#latencies.totals();
  }

  shards(): readonly ShardStatus[] {
    const { board } = this.#options;
    return this.#keepers.map(({ index, restarts }) => ({ index, connections: board.connections(index), restarts }));
  }

  /** Makes a shard crash or hang on purpose. False if there is no such shard, or it is being replaced. */
  testCall(index: number, call: 'crash' | 'hang'): boolean {
    const keeper = this.#keepers[index];
    if (!keeper?.isRunning) return false;
    keeper.post({ type: call });
    return true;
  }

  /** From now on every answer closes its connection; listeners still accept. */
  drain(): void {
    for (const keeper of this.#keepers) keeper.drain();
  }

  /** Takes what waits in the queues, refuses new connections, and resolves when every shard has finished. */
  async stopAccepting(): Promise<void> {
    this.#options.sockets.removeUnixPaths();
    for (const keeper of this.#keepers) keeper.stopAccepting();
    await Promise.all(this.#keepers.map((keeper) => keeper.drained));
  }

  /** Cuts what is left and ends every thread. Returns how many connections were cut. */
  close(): Promise<number> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<number> {
    for (const timer of this.#timers) clearInterval(timer);
    const cuts = await Promise.all(this.#keepers.map((keeper) => keeper.close()));
    this.#options.sockets.close();
    await this.#options.pool.close();
    return cuts.reduce((sum, cut) => sum + cut, 0);
  }

  #makeKeeper(index: number): ShardKeeper {
    const {
      engine,
      board,
      sockets,
      pool,
      descriptorsMax,
      log,
      onAccessLog = (_, done) => done(),
      onSpans = () => {},
      clock,
    } = this.#options;
    return new ShardKeeper({
      index,
      pool,
      board,
      log,
      ...(clock === undefined ? {} : { clock }),
      startMessage: () => ({
        index,
        engine,
        plan: this.#packed,
        sockets: sockets.forShard(index),
        board: board.buffer,
        descriptorsMax,
        ticketKeys: this.#ticketKeys.current,
        heartbeatMs: HEARTBEAT_MS,
      }),
      closeSockets: () => sockets.closeShard(index),
      onAccessLog,
      onSpans,
      onRunEnded: () => {
        this.#totals.retire(index);
        this.#latencies.retire(index);
      },
    });
  }
}
