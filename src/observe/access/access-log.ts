/**
 * The access logs of a shard: one per listener that has one. Lines are gathered and handed on in batches; while too much is under way, or the next
 * batch is full, lines are dropped and counted. Nothing here ever waits.
 */
import { invariant } from '../../core/invariant.ts';
import { AccessEntry } from './access-entry.ts';
import { type AccessFormat, AccessFormatter } from './access-format.ts';
import { LINES_MAX_BYTES, type LineComposer, LineParts, LinePieces } from './line-parts.ts';
import { SLACK_BYTES } from './line-protocol.ts';

/** A batch is handed on once there is so much of it, or with the next `flush`: who writes it down is woken for each, and finds its caches cold. */
const BATCH_BYTES = 2 * 1024 * 1024;
/** Batches that may be on their way to whoever writes them down, from one shard. */
export const UNDER_WAY_MAX = 4;
/** Buffers that are kept for the next batches. */
const SPARE_MAX = 2;
const FAILED_FROM_STATUS = 400;

export interface AccessLogPlan {
  readonly format: AccessFormat;
  /** `stdout`, or an absolute path. */
  readonly target: string;
  /** Whether only what failed is told. */
  readonly only: 'all' | 'errors';
  /** With `only: errors`, what took as long is told, too; alone, only that. Absent: however long it took. */
  readonly slowerThanMs?: number | undefined;
  /** Share of the lines that are told, 0 to 1. */
  readonly sample: number;
}

export interface AccessBatch {
  readonly listener: string;
  readonly target: string;
  readonly lines: number;
  /** The first `length` bytes of it. Whoever writes it down gives it back (`AccessLogs.taken`). */
  readonly buffer: Uint8Array;
  readonly length: number;
}

export interface AccessLogsOptions {
  readonly post: (batch: AccessBatch) => void;
  /** 0 to 1, 1 excluded. */
  readonly random: () => number;
  /** Milliseconds since the epoch. */
  readonly wallMs: () => number;
  readonly composer: LineComposer;
}

export class AccessLogs {
  readonly options: AccessLogsOptions;
  readonly #byListener = new Map<string, AccessLog>();
  readonly #spare: Uint8Array[] = [];
  #underWay = 0;

  constructor(options: AccessLogsOptions) {
    this.options = options;
  }

  /** The log of a listener from now on; undefined if it has none. */
  logOf(listener: string, plan: AccessLogPlan | undefined): AccessLog | undefined {
    const known = this.#byListener.get(listener);
    known?.flush();
    if (plan === undefined) return undefined;
    if (known !== undefined) {
      known.apply(plan);
      return known;
    }
    const log = new AccessLog(listener, plan, this);
    this.#byListener.set(listener, log);
    return log;
  }

  /** Hands on what has been gathered. */
  flush(): void {
    for (const log of this.#byListener.values()) log.flush();
  }

  /** A batch has been written down, or given up. */
  taken(buffer: Uint8Array): void {
    this.#underWay--;
    this.putBuffer(buffer);
  }

  /** Returns whether it could be handed on; the buffer is gone then. */
  post(batch: AccessBatch): boolean {
    if (this.#underWay === UNDER_WAY_MAX) return false;
    this.#underWay++;
    this.options.post(batch);
    return true;
  }

  /**
   * Shared rather than transferred: from the first buffer on that a thread gives away, V8 looks at each access to an array whether that is still there, in
   * all of the code.
   */
  takeBuffer(): Uint8Array {
    return this.#spare.pop() ?? new Uint8Array(new SharedArrayBuffer(BATCH_BYTES + LINES_MAX_BYTES + SLACK_BYTES));
  }

  putBuffer(buffer: Uint8Array): void {
    if (this.#spare.length < SPARE_MAX) this.#spare.push(buffer);
  }

  /** Lines dropped, by listener. */
  dropped(): { listener: string; count: number }[] {
    return Array.from(this.#byListener.values(), ({ listener, dropped }) => ({ listener, count: dropped }));
  }
}

export class AccessLog {
  readonly listener: string;
  /** For what is told in one go, once it is over. */
  readonly entry = new AccessEntry();
  readonly #logs: AccessLogs;
  readonly #wallMs: () => number;
  #plan: AccessLogPlan;
  readonly #pieces = new LinePieces();
  #formatter: AccessFormatter;
  /** The last lines. */
  readonly #parts = new LineParts();
  /** The lines before those, as bytes; undefined if there are none. */
  #buffer: Uint8Array | undefined;
  #length = 0;
  #lines = 0;
  dropped = 0;

  constructor(listener: string, plan: AccessLogPlan, logs: AccessLogs) {
    this.listener = listener;
    this.#logs = logs;
    this.#wallMs = logs.options.wallMs;
    this.#plan = plan;
    this.#formatter = this.#makeFormatter();
  }

  /** What was told before has been flushed. */
  apply(plan: AccessLogPlan): void {
    this.#plan = plan;
    this.#formatter = this.#makeFormatter();
  }

  /** An exchange is over. Hot path. */
  exchange(entry: AccessEntry): void {
    if (!this.#wants(entry, entry.status >= FAILED_FROM_STATUS || entry.reason !== 'ok')) return;
    this.#formatter.exchange(this.#parts, entry, this.#wallMs() - entry.durationMs);
    if (this.#parts.isFull || this.#pieces.isFull) this.#gather();
  }

  /** A session is over. */
  session(entry: AccessEntry): void {
    if (!this.#wants(entry, entry.reason !== 'ok')) return;
    this.#formatter.session(this.#parts, entry, this.#wallMs() - entry.durationMs);
    if (this.#parts.isFull || this.#pieces.isFull) this.#gather();
  }

  flush(): void {
    this.#compose();
    if (this.#buffer === undefined) return;
    const { listener } = this;
    const { target } = this.#plan;
    const batch = { listener, target, lines: this.#lines, buffer: this.#buffer, length: this.#length };
    if (!this.#logs.post(batch)) {
      this.dropped += this.#lines;
      this.#logs.putBuffer(this.#buffer);
    }
    this.#buffer = undefined;
    this.#lines = 0;
    this.#length = 0;
  }

  /** With pieces of its own: there must be no parts left that name others. */
  #makeFormatter(): AccessFormatter {
    this.#pieces.clear();
    return new AccessFormatter(this.listener, this.#plan.format, this.#pieces);
  }

  #wants(entry: AccessEntry, hasFailed: boolean): boolean {
    const { only, slowerThanMs, sample } = this.#plan;
    const isSlow = slowerThanMs !== undefined && entry.durationMs >= slowerThanMs;
    const everything = only === 'all' && slowerThanMs === undefined;
    if (!everything && !isSlow && !(only === 'errors' && hasFailed)) return false;
    return sample >= 1 || this.#logs.options.random() < sample;
  }

  #gather(): void {
    this.#compose();
    if (this.#length >= BATCH_BYTES) this.flush();
    if (this.#pieces.isFull) this.#formatter = this.#makeFormatter();
  }

  /** Makes the last lines into bytes, behind those before. */
  #compose(): void {
    const { lines } = this.#parts;
    if (lines === 0) return;
    this.#buffer ??= this.#logs.takeBuffer();
    const end = this.#parts.compose(this.#logs.options.composer, this.#pieces, this.#buffer, this.#length);
    invariant(end >= this.#length, 'lines of an access log have no room');
    this.#length = end;
    this.#lines += lines;
  }
}
