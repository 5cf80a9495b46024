/**
 * The threads of the shards. The only file that knows piscina.
 *
 * Each thread runs one task for the life of its shard. Everything else travels over a MessagePort of our own: `parentPort` of a pool thread
 * belongs to piscina. Between tasks a thread must not block on Atomics, or its sockets would freeze: hence `atomics: 'disabled'`.
 * When a thread dies, piscina starts an empty one in its place; running the shard again is the supervisor's business.
 */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { MessageChannel, receiveMessageOnPort, type Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { FromShard, ShardStart, ToShard } from '../contract/messages.ts';
import type { EventLog } from './event-log.ts';

/** A thread that is told to end stops at its next JavaScript instruction. One that is stuck in native code is not waited for longer. */
const THREAD_EXIT_MAX_MS = 500;
/** Tasks are told to end before the pool is closed; this is for one that does not. */
const CLOSE_TIMEOUT_MS = 1_000;

/**
 * Room for young objects, of each thread. V8 would let it grow to 48 MiB with the load, and keep it for long; requests cost the same with less (L7 small,
 * 64 and 1,000 connections, both engines: 0.96 to 1.01 of it), down to 3 MiB, where many requests at a time through the node engine get dearer by 7 %.
 */
const YOUNG_GENERATION_MAX_MIB = 12;

/** One run of a shard on a thread. */
export interface ShardRun {
  /** Messages to a run that has ended are dropped. */
  post(message: ToShard): void;
  /** Resolves once, when the thread does nothing for this run any more: undefined if it ended as told, or why it crashed. */
  readonly ended: Promise<Error | undefined>;
  /** Ends the thread, whatever it does. Not for a drain: connections are cut. */
  terminate(): void;
}

export interface ShardPool {
  run(start: ShardStart, onMessage: (message: FromShard) => void): ShardRun;
  /** Ends all threads. */
  close(): Promise<void>;
}

export class PiscinaShardPool implements ShardPool {
  readonly #pool: Piscina<unknown, void>;
  readonly #filename: string;
  /** Every thread that has not exited yet, also those that piscina has given up. */
  readonly #alive = new Set<Worker>();

  /** `entry` exports `run({ start: ShardStart, port: MessagePort })`, which resolves when the shard has ended. */
  constructor(shardCount: number, log: EventLog, entry: URL = new URL('../shard/entry.js', import.meta.url)) {
    this.#filename = fileURLToPath(entry);
    this.#pool = new Piscina({
      minThreads: shardCount,
      maxThreads: shardCount,
      idleTimeout: Number.POSITIVE_INFINITY,
      atomics: 'disabled',
      closeTimeout: CLOSE_TIMEOUT_MS,
      recordTiming: false,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MAX_MIB },
    });
    // Without a handler, the death of an idle thread would end the process.
    this.#pool.on('error', (error: Error) => log.error(`an idle thread ended: ${error.message}`));
    this.#pool.on('workerCreate', () => this.#watchThreads());
  }

  run(start: ShardStart, onMessage: (message: FromShard) => void): ShardRun {
    this.#watchThreads();
    const { port1, port2 } = new MessageChannel();
    port1.on('message', onMessage);
    const abort = new AbortController();
    // A task with a signal has its thread to itself.
    const task = this.#pool.run(
      { start, port: port2 },
      { filename: this.#filename, name: 'run', transferList: [port2], signal: abort.signal },
    );
    const finish = async (error: Error | undefined) => {
      // Its last words: they came before the end of the task, but over another port.
      for (let last = receiveMessageOnPort(port1); last !== undefined; last = receiveMessageOnPort(port1)) {
        onMessage(last.message as FromShard);
      }
      port1.close();
      if (error !== undefined) await this.#leavingThreadsGone();
      return error;
    };
    return {
      post: (message) => port1.postMessage(message),
      ended: task.then(
        () => finish(undefined),
        (error: unknown) => finish(error instanceof Error ? error : new Error(String(error))),
      ),
      terminate: () => abort.abort(),
    };
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  #watchThreads(): void {
    for (const thread of this.#pool.threads) {
      if (this.#alive.has(thread)) continue;
      this.#alive.add(thread);
      thread.once('exit', () => this.#alive.delete(thread));
    }
  }

  /** A task is rejected before its thread is gone, and what a thread held can be taken back only after. */
  async #leavingThreadsGone(): Promise<void> {
    const staying = new Set(this.#pool.threads);
    const leaving = [...this.#alive].filter((thread) => !staying.has(thread));
    const signal = AbortSignal.timeout(THREAD_EXIT_MAX_MS);
    await Promise.allSettled(leaving.map((thread) => once(thread, 'exit', { signal })));
  }
}
