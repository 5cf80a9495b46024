import type { FromShard, ShardStart, ToShard } from '../../../src/contract/messages.ts';
import type { ShardPool, ShardRun } from '../../../src/control/shard-pool.ts';

/** One run of a shard that the test plays. */
export class FakeRun implements ShardRun {
  readonly start: ShardStart;
  readonly posted: ToShard[] = [];
  readonly ended: Promise<Error | undefined>;
  isTerminated = false;
  readonly #onMessage: (message: FromShard) => void;
  #end: (error: Error | undefined) => void = () => {};

  constructor(start: ShardStart, onMessage: (message: FromShard) => void) {
    this.start = start;
    this.#onMessage = onMessage;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  post(message: ToShard): void {
    this.posted.push(message);
  }

  terminate(): void {
    this.isTerminated = true;
    this.#end(new Error('aborted'));
  }

  /** The shard says something. */
  say(message: FromShard): void {
    this.#onMessage(message);
  }

  /** The shard ends; with an error it has crashed. */
  async end(error?: Error): Promise<void> {
    this.#end(error);
    await settle();
  }

  postedTypes(): readonly string[] {
    return this.posted.map(({ type }) => type);
  }
}

export class FakeShardPool implements ShardPool {
  readonly runs: FakeRun[] = [];
  isClosed = false;

  get last(): FakeRun {
    return this.runs.at(-1)!;
  }

  run(start: ShardStart, onMessage: (message: FromShard) => void): ShardRun {
    const run = new FakeRun(start, onMessage);
    this.runs.push(run);
    return run;
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

/** Lets promises that are due run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}
