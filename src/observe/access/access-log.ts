/**
 * The access logs of a shard: one per listener that has one. Lines are gathered and handed on in batches; while too much is under way, or the next
 * batch is full, lines are dropped and counted. Nothing here ever waits.
 */
import { AccessEntry, LINE_MAX_BYTES } from './access-entry.ts';
import { type AccessFormat, AccessFormatter } from './access-format.ts';
import { LineBuffer } from './line-bytes.ts';

/** A batch is handed on once there is so much of it, or with the next `flush`. */
const BATCH_BYTES = 512 * 1024;
/** Lines go into a batch once there is so much of them: what is written bit by bit stays in the cache of the core. */
const CHUNK_BYTES = 16 * 1024;
/** Of what is gathered before it is looked at again. */
const CHUNK_MAX_BYTES = CHUNK_BYTES + LINE_MAX_BYTES;
/** What V8 copies at once, where source and target allow it. */
const WORD_BYTES = 8;
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
    return this.#spare.pop() ?? new Uint8Array(new SharedArrayBuffer(BATCH_BYTES + CHUNK_MAX_BYTES));
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
  #plan: AccessLogPlan;
  #formatter: AccessFormatter;
  /** The last lines. Not shared: a store into shared memory takes three times as long. */
  readonly #chunk = new LineBuffer(CHUNK_MAX_BYTES);
  /** Where the last lines begin in the chunk: as far from the beginning of a word as where they go. */
  #chunkStart = 0;
  #chunkEnd = 0;
  /** The lines before those; undefined if there are none. */
  #buffer: Uint8Array | undefined;
  #length = 0;
  #lines = 0;
  dropped = 0;

  constructor(listener: string, plan: AccessLogPlan, logs: AccessLogs) {
    this.listener = listener;
    this.#plan = plan;
    this.#logs = logs;
    this.#formatter = new AccessFormatter(listener, plan.format);
  }

  apply(plan: AccessLogPlan): void {
    this.#plan = plan;
    this.#formatter = new AccessFormatter(this.listener, plan.format);
  }

  /** An exchange is over. Hot path. */
  exchange(entry: AccessEntry): void {
    if (!this.#wants(entry, entry.status >= FAILED_FROM_STATUS || entry.reason !== 'ok')) return;
    const wallMs = this.#logs.options.wallMs() - entry.durationMs;
    this.#wrote(this.#formatter.exchange(this.#chunk, this.#chunkEnd, entry, wallMs));
  }

  /** A session is over. */
  session(entry: AccessEntry): void {
    if (!this.#wants(entry, entry.reason !== 'ok')) return;
    const wallMs = this.#logs.options.wallMs() - entry.durationMs;
    this.#wrote(this.#formatter.session(this.#chunk, this.#chunkEnd, entry, wallMs));
  }

  flush(): void {
    if (this.#lines === 0) return;
    const buffer = this.#gather();
    const { listener } = this;
    const { target } = this.#plan;
    const batch = { listener, target, lines: this.#lines, buffer, length: this.#length };
    this.#buffer = undefined;
    if (!this.#logs.post(batch)) {
      this.dropped += this.#lines;
      this.#logs.putBuffer(buffer);
    }
    this.#lines = 0;
    this.#length = 0;
    this.#beginChunk();
  }

  #wants(entry: AccessEntry, hasFailed: boolean): boolean {
    const { only, slowerThanMs, sample } = this.#plan;
    const isSlow = slowerThanMs !== undefined && entry.durationMs >= slowerThanMs;
    const everything = only === 'all' && slowerThanMs === undefined;
    if (!everything && !isSlow && !(only === 'errors' && hasFailed)) return false;
    return sample >= 1 || this.#logs.options.random() < sample;
  }

  #wrote(end: number): void {
    this.#lines++;
    this.#chunkEnd = end;
    if (end < CHUNK_BYTES) return;
    this.#gather();
    if (this.#length >= BATCH_BYTES) this.flush();
  }

  /** Moves the last lines behind those before. */
  #gather(): Uint8Array {
    this.#buffer ??= this.#logs.takeBuffer();
    this.#buffer.set(this.#chunk.bytes.subarray(this.#chunkStart, this.#chunkEnd), this.#length);
    this.#length += this.#chunkEnd - this.#chunkStart;
    this.#beginChunk();
    return this.#buffer;
  }

  #beginChunk(): void {
    this.#chunkStart = this.#length % WORD_BYTES;
    this.#chunkEnd = this.#chunkStart;
  }
}
