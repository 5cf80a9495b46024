/**
 * Writes access logs down: to files, which other tools may move away at any time, and to standard output. One write at a time for each. What cannot be written, or is too much, is dropped and counted: traffic never waits for a disk.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { type Clock, systemClock } from '../core/clock.ts';
import { ProxyError } from '../core/errors.ts';
import type { AccessBatch } from '../observe/access/access-log.ts';
import type { EventCounters } from '../observe/event-counters.ts';
import { atMost } from './at-most.ts';
import type { EventLog } from './event-log.ts';

/** What may wait for whoever reads standard output: some batches. */
const STDOUT_WAITING_MAX_BYTES = 8 * 1024 * 1024;
/** Requests tell who asked for what: nobody else's business. */
const FILE_MODE = 0o640;
const COMPLAINT_INTERVAL_MS = 60_000;
/** How long the last lines may take when the proxy ends. */
const CLOSE_TIMEOUT_MS = 1_000;
const LINE_END = Uint8Array.of(0x0a);

/** The part of standard output that is needed. */
export interface OutputStream {
  readonly writableLength: number;
  readonly destroyed: boolean;
  write(bytes: Uint8Array, done: () => void): unknown;
}

export interface AccessLogFilesOptions {
  readonly log: EventLog;
  readonly counters: EventCounters;
  readonly stdout?: OutputStream;
  readonly clock?: Clock;
}

export class AccessLogFiles {
  readonly #options: Required<AccessLogFilesOptions>;
  readonly #files = new Map<string, LogFile>();

  constructor(options: AccessLogFilesOptions) {
    this.#options = { stdout: process.stdout, clock: systemClock, ...options };
  }

  /**
   * Makes ready for these targets; files of others are closed by `keepOnly`. Throws ProxyError `config_invalid` that names each file that cannot be
   * opened; then none of them is.
   */
  async open(targets: readonly string[]): Promise<void> {
    const added: LogFile[] = [];
    const failures: string[] = [];
    for (const path of new Set(targets)) {
      if (path === 'stdout' || this.#files.has(path)) continue;
      const file = new LogFile(path, this.#options);
      const reason = await file.open();
      if (reason === undefined) added.push(file);
      else failures.push(`access log ${path}: ${reason}; write a file that this user may append to`);
    }
    if (failures.length > 0) {
      await Promise.all(added.map((file) => file.close()));
      throw new ProxyError('config_invalid', failures.join('\n'));
    }
    for (const file of added) this.#files.set(file.path, file);
  }

  /** Lets go of files that no listener writes to any more, once what was said has been written. */
  keepOnly(targets: readonly string[]): void {
    for (const [path, file] of this.#files) {
      if (targets.includes(path)) continue;
      this.#files.delete(path);
      void file.close();
    }
  }

  /**
   * Never waits, never throws. `done` is called once it is written, or given up; whoever calls has a limit to what is not done, which is what bounds
   * the lines that wait here.
   */
  write(batch: AccessBatch, done: () => void): void {
    const file = this.#files.get(batch.target);
    if (batch.target === 'stdout') this.#writeOut(batch, done);
    else if (file !== undefined) file.write(batch, done);
    else {
      countDrop(this.#options.counters, batch);
      done();
    }
  }

  /** Opens every file anew, so that what was moved away is no longer written to. */
  async reopen(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.reopen()));
  }

  /** Writes what is left, as far as that is quick. */
  async close(): Promise<void> {
    await atMost(CLOSE_TIMEOUT_MS, Promise.all([...this.#files.values()].map((file) => file.close())));
    this.#files.clear();
  }

  #writeOut(batch: AccessBatch, done: () => void): void {
    const { stdout, counters } = this.#options;
    const bytes = batch.buffer.subarray(0, batch.length);
    if (!stdout.destroyed && stdout.writableLength + bytes.length <= STDOUT_WAITING_MAX_BYTES)
      stdout.write(bytes, done);
    else {
      countDrop(counters, batch);
      done();
    }
  }
}

interface Waiting {
  readonly batch: AccessBatch;
  readonly done: () => void;
}

class LogFile {
  readonly path: string;
  readonly #options: Required<AccessLogFilesOptions>;
  #handle: FileHandle | undefined;
  readonly #waiting: Waiting[] = [];
  #working: Promise<void> | undefined;
  #wantsReopen = false;
  /** The file ends within a line. */
  #isTorn = false;
  #nextComplaintMs = Number.NEGATIVE_INFINITY;

  constructor(path: string, options: Required<AccessLogFilesOptions>) {
    this.path = path;
    this.#options = options;
  }

  /** Returns why it cannot be opened, or undefined. */
  async open(): Promise<string | undefined> {
    try {
      this.#handle = await open(this.path, 'a', FILE_MODE);
      return undefined;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? String(error);
    }
  }

  write(batch: AccessBatch, done: () => void): void {
    this.#waiting.push({ batch, done });
    this.#work();
  }

  async reopen(): Promise<void> {
    this.#wantsReopen = true;
    this.#work();
    await this.#working;
  }

  async close(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
    await this.#handle?.close();
    this.#handle = undefined;
  }

  #work(): void {
    this.#working ??= this.#writeAll().finally(() => {
      this.#working = undefined;
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0 || this.#wantsReopen) {
      if (this.#wantsReopen) await this.#openAnew();
      const next = this.#waiting.shift();
      if (next === undefined) continue;
      const { batch, done } = next;
      const failure = await this.#writeBytes(batch.buffer.subarray(0, batch.length));
      if (failure !== undefined) {
        countDrop(this.#options.counters, batch);
        this.#complain(failure);
      }
      done();
    }
  }

  /** The old file stays in use if the new one cannot be opened. */
  async #openAnew(): Promise<void> {
    this.#wantsReopen = false;
    const before = this.#handle;
    const reason = await this.open();
    if (reason !== undefined) {
      this.#complain(`it cannot be opened anew: ${reason}`);
      return;
    }
    this.#isTorn = false;
    await before?.close().catch(() => {});
  }

  /** Returns why not all of it was written, or undefined. */
  async #writeBytes(bytes: Uint8Array): Promise<string | undefined> {
    let written = 0;
    try {
      if (this.#isTorn) await this.#handle!.write(LINE_END);
      this.#isTorn = false;
      while (written < bytes.length) written += (await this.#handle!.write(bytes, written)).bytesWritten;
      return undefined;
    } catch (error) {
      this.#isTorn ||= written > 0 && bytes[written - 1] !== LINE_END[0];
      return (error as NodeJS.ErrnoException).code ?? String(error);
    }
  }

  #complain(reason: string): void {
    const { clock, log } = this.#options;
    if (clock.nowMs() < this.#nextComplaintMs) return;
    this.#nextComplaintMs = clock.nowMs() + COMPLAINT_INTERVAL_MS;
    log.warn(`access log ${this.path}: ${reason}; lines are dropped, /metrics counts them`);
  }
}

function countDrop(counters: EventCounters, { listener, lines }: AccessBatch): void {
  counters.count('fourseven_log_lines_dropped_total', { listener }, lines);
}
