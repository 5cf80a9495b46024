/**
 * Keeps one shard alive, and ends it when the proxy ends.
 *
 *   waiting --back-off over--> starting --ready--> running
 *      ^                           |                  |
 *      +------ crashed, hung, or not ready in time ---+        any --told to stop or close, and gone--> ended
 *
 * How far the proxy is on its way out (`#phase`) is kept apart from that, so that a shard which is being replaced catches up when it is back.
 */
import type { Board } from '../contract/board.ts';
import type { FromShard, ListenerSocket, ShardSnapshot, ShardStart, ToShard } from '../contract/messages.ts';
import type { PackedPlan } from '../contract/packed-plan.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import { ProxyError } from '../core/errors.ts';
import type { AccessBatch } from '../observe/access/access-log.ts';
import type { SpanRecord } from '../observe/spans.ts';
import { bindError, errnoName } from './bind-error.ts';
import { deferred } from './deferred.ts';
import type { EventLog } from './event-log.ts';
import { RestartBackoff } from './restart-backoff.ts';
import type { ShardPool, ShardRun } from './shard-pool.ts';

/** How often a shard shows on the board that its event loop turns, and how often the keeper looks. */
export const HEARTBEAT_MS = 500;
/** Looks without a new beat until a shard counts as hung: 5 s. Looks, not time: a machine that slept has hung no shard. */
const HUNG_AFTER_LOOKS = 10;
/** Looks until a shard must have said `ready`: 10 s. */
const NOT_READY_AFTER_LOOKS = 20;
const SNAPSHOT_TIMEOUT_MS = 1_000;
/** A shard that is told to close does so at once, unless it hangs. */
const CLOSE_TIMEOUT_MS = 2_000;

export interface ShardKeeperOptions {
  readonly index: number;
  readonly pool: ShardPool;
  readonly board: Board;
  readonly log: EventLog;
  readonly clock?: Clock;
  /** What the next run begins with: the plan and the sockets of that moment. */
  readonly startMessage: () => ShardStart;
  /** Lets go of the supervisor's listening sockets of this shard. */
  readonly closeSockets: () => void;
  /** Lines of an access log have come. `done` gives their buffer back, once. */
  readonly onAccessLog: (batch: AccessBatch, done: () => void) => void;
  readonly onSpans: (spans: readonly SpanRecord[]) => void;
  /** A run is over, and with it the counters of its last snapshot. */
  readonly onRunEnded: () => void;
}

export class ShardKeeper {
  readonly index: number;
  readonly #options: ShardKeeperOptions;
  readonly #clock: Clock;
  readonly #backoff = new RestartBackoff();
  readonly #firstReady = deferred<void>();
  readonly #drained = deferred<void>();
  readonly #snapshots = new Map<number, (snapshot: ShardSnapshot | undefined) => void>();
  #state: 'waiting' | 'starting' | 'running' | 'ended' = 'waiting';
  #phase: 'serving' | 'draining' | 'stopping' | 'closing' = 'serving';
  #run: ShardRun | undefined;
  #terminatedFor: Error | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #startedMs = 0;
  /** Of the plan that the present run began with. */
  #startVersion = 0;
  #awaited: { readonly version: number; readonly resolve: () => void }[] = [];
  #lastBeats = 0;
  #looksWithoutBeat = 0;
  #hasBeenReady = false;
  #cut = 0;
  #nextSnapshot = 1;
  #restarts = 0;

  constructor(options: ShardKeeperOptions) {
    this.index = options.index;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Resolves with the first `ready`. Rejects with a ProxyError if the first run fails; then there is no second. */
  get firstReady(): Promise<void> {
    return this.#firstReady.promise;
  }

  /** Resolves when the shard has finished what ran, or is gone. */
  get drained(): Promise<void> {
    return this.#drained.promise;
  }

  /** How often the shard was started again after a crash or a hang. */
  get restarts(): number {
    return this.#restarts;
  }

  get isRunning(): boolean {
    return this.#state === 'running';
  }

  start(): void {
    const { pool, startMessage } = this.#options;
    this.#state = 'starting';
    this.#startedMs = this.#clock.nowMs();
    this.#looksWithoutBeat = 0;
    const start = startMessage();
    this.#startVersion = start.plan.version;
    const run = pool.run(start, (message) => {
      if (run === this.#run) this.#onMessage(message);
    });
    this.#run = run;
    run.ended.then((error) => this.#onRunEnded(error));
  }

  /** Hands over a plan, with the sockets that are new in it. Resolves when the shard works by it; if it is gone, its successor will. */
  apply(plan: PackedPlan, sockets: readonly ListenerSocket[]): Promise<void> {
    if (this.#run === undefined) return Promise.resolve();
    this.post({ type: 'apply', plan, sockets });
    return new Promise((resolve) => this.#awaited.push({ version: plan.version, resolve }));
  }

  #worksBy(version: number): void {
    const done = this.#awaited.filter((awaited) => awaited.version <= version);
    this.#awaited = this.#awaited.filter((awaited) => awaited.version > version);
    for (const { resolve } of done) resolve();
  }

  /** To the present run, also while it starts: it reads when it can. Dropped if there is none. */
  post(message: ToShard): void {
    this.#run?.post(message);
  }

  /** To be called every HEARTBEAT_MS: ends a run whose event loop stands still, or that does not get ready. */
  look(): void {
    if (this.#run === undefined) return;
    const beats = this.#options.board.beats(this.index);
    if (this.#state === 'running' && beats !== this.#lastBeats) this.#looksWithoutBeat = 0;
    else this.#looksWithoutBeat += 1;
    this.#lastBeats = beats;
    const looksMax = this.#state === 'running' ? HUNG_AFTER_LOOKS : NOT_READY_AFTER_LOOKS;
    if (this.#looksWithoutBeat < looksMax) return;
    const seconds = (looksMax * HEARTBEAT_MS) / 1000;
    const what = this.#state === 'running' ? 'its event loop has stood still' : 'it has not become ready';
    this.#terminate(new Error(`${what} for ${seconds} s`));
  }

  /** Counters of the present run, or undefined if it does not tell within a second. */
  snapshot(): Promise<ShardSnapshot | undefined> {
    if (this.#state !== 'running') return Promise.resolve(undefined);
    const request = this.#nextSnapshot++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settleSnapshot(request, undefined), SNAPSHOT_TIMEOUT_MS);
      this.#snapshots.set(request, (snapshot) => {
        clearTimeout(timer);
        resolve(snapshot);
      });
      this.post({ type: 'snapshot', request });
    });
  }

  /** From now on every answer closes its connection; listeners still accept. */
  drain(): void {
    this.#enter('draining');
  }

  /** The shard takes what waits in its queues, and nothing more. `drained` tells when it has finished. */
  stopAccepting(): void {
    this.#enter('stopping');
  }

  /** Cuts what is left and ends the shard. Returns how many connections were cut. */
  async close(): Promise<number> {
    this.#phase = 'closing';
    clearTimeout(this.#restartTimer);
    this.#options.closeSockets();
    const run = this.#run;
    if (run === undefined) {
      this.#end();
      return this.#cut;
    }
    // If it does not answer, what it had open is what is cut.
    this.#cut = this.#options.board.connections(this.index);
    run.post({ type: 'close' });
    const timer = setTimeout(() => run.terminate(), CLOSE_TIMEOUT_MS);
    await run.ended;
    clearTimeout(timer);
    return this.#cut;
  }

  #terminate(reason: Error): void {
    this.#terminatedFor = reason;
    this.#looksWithoutBeat = 0;
    this.#run?.terminate();
  }

  #enter(phase: 'draining' | 'stopping'): void {
    if (this.#phase === 'closing') return;
    this.#phase = phase;
    if (this.#state === 'running') this.#catchUp();
  }

  /** Tells the shard how far the proxy is. The shard's duplicates are the last ones once ours are closed, so that when it has emptied
   *  its queues and closes them, new clients are refused: nothing is ever held open without being accepted from. */
  #catchUp(): void {
    if (this.#phase === 'draining') this.post({ type: 'drain' });
    if (this.#phase !== 'stopping') return;
    this.#options.closeSockets();
    this.post({ type: 'drain' });
    this.post({ type: 'stop-accepting' });
  }

  #onMessage(message: FromShard): void {
    const { log } = this.#options;
    if (message.type === 'ready') this.#onReady();
    else if (message.type === 'failed')
      this.#onFailed(bindError(`listener ${message.listener}`, message.address, errnoName(message.errno)));
    else if (message.type === 'applied') this.#worksBy(message.version);
    else if (message.type === 'drained') this.#drained.resolve();
    else if (message.type === 'closed') this.#cut = message.cut;
    else if (message.type === 'snapshot') this.#settleSnapshot(message.request, message.snapshot);
    else if (message.type === 'access-log') this.#onAccessLog(message.batch);
    else if (message.type === 'spans') this.#options.onSpans(message.spans);
    else if (message.type === 'log') log[message.level](`shard ${this.index}: ${message.text}`);
  }

  #onAccessLog(batch: AccessBatch): void {
    const run = this.#run;
    this.#options.onAccessLog(batch, () => run?.post({ type: 'log-taken', buffer: batch.buffer }));
  }

  #onReady(): void {
    this.#state = 'running';
    this.#looksWithoutBeat = 0;
    if (this.#hasBeenReady) {
      const tookMs = Math.round(this.#clock.nowMs() - this.#startedMs);
      this.#options.log.info(
        `shard ${this.index}: accepts again (ready after ${tookMs} ms, restart ${this.#restarts})`,
      );
    }
    this.#hasBeenReady = true;
    this.#worksBy(this.#startVersion);
    this.#firstReady.resolve();
    this.#catchUp();
  }

  #onFailed(error: Error): void {
    if (this.#hasBeenReady) this.#options.log.error(`shard ${this.index}: ${error.message}`);
    else this.#firstReady.reject(error);
    this.#terminate(error);
  }

  #onRunEnded(endError: Error | undefined): void {
    // Of a run that we ended ourselves the pool knows no better reason than that.
    const error = this.#terminatedFor ?? endError;
    this.#terminatedFor = undefined;
    const { board, log, onRunEnded } = this.#options;
    const livedMs = this.#clock.nowMs() - this.#startedMs;
    const wasToldToStop = this.#phase === 'closing' || (this.#phase === 'stopping' && this.#state === 'running');
    this.#run = undefined;
    for (const request of [...this.#snapshots.keys()]) this.#settleSnapshot(request, undefined);
    this.#worksBy(Number.POSITIVE_INFINITY);
    board.forgetShard(this.index);
    onRunEnded();
    if (wasToldToStop) {
      if (error !== undefined && this.#phase !== 'closing')
        log.error(`shard ${this.index} is gone while draining: ${error.message}`);
      this.#end();
      return;
    }
    const reason = error?.message ?? 'it ended without being told to';
    if (!this.#hasBeenReady) {
      this.#firstReady.reject(
        new ProxyError('engine_unavailable', `shard ${this.index} did not start: ${reason}`, { cause: error }),
      );
      this.#end();
      return;
    }
    this.#restartLater(reason, livedMs);
  }

  #restartLater(reason: string, livedMs: number): void {
    const delayMs = this.#backoff.delayMs(livedMs);
    const when = delayMs === 0 ? 'at once' : `in ${delayMs} ms`;
    this.#options.log.error(`shard ${this.index} is gone: ${reason}; it is started again ${when}`);
    this.#state = 'waiting';
    this.#restarts += 1;
    if (delayMs === 0) this.start();
    else this.#restartTimer = setTimeout(() => this.start(), delayMs);
  }

  #end(): void {
    this.#state = 'ended';
    this.#options.closeSockets();
    this.#drained.resolve();
  }

  #settleSnapshot(request: number, snapshot: ShardSnapshot | undefined): void {
    this.#snapshots.get(request)?.(snapshot);
    this.#snapshots.delete(request);
  }
}
