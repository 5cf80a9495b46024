/** A part of a long test in a Node process of its own, so that neither load nor origin waits for the other, or for the test. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { within } from '../integration/deadline.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const START_TIMEOUT_MS = 20_000;

/** `Started` is what the child says first, `Report` what it answers to `stop`. */
export class Child<Started, Report> {
  readonly started: Started;
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess, started: Started) {
    this.#process = child;
    this.started = started;
  }

  /** Runs a module of this folder, with one argument that it finds as JSON, in a network namespace if one is named. */
  static async start<Started, Report>(
    path: string,
    argument: unknown = {},
    namespace?: string,
  ): Promise<Child<Started, Report>> {
    const file = fileURLToPath(new URL(path, import.meta.url));
    const [execPath, ...execArgv] = [
      ...(namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace]),
      process.execPath,
      '--import',
      'jiti/register',
    ];
    const child = fork(file, [JSON.stringify(argument)], { cwd: ROOT, execPath, execArgv });
    const [started] = await within(START_TIMEOUT_MS, `the start of ${path}`, once(child, 'message'));
    return new Child(child, started as Started);
  }

  get pid(): number {
    return this.#process.pid!;
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Tells it something for `onOrder` of its `serveParent`. */
  order(order: unknown): void {
    this.#process.send({ order });
  }

  /** Asks it to end what it does, and gives its report. The process then ends. */
  async stop(ms: number): Promise<Report> {
    const report = once(this.#process, 'message');
    this.#process.send('stop');
    const [message] = await within(ms, 'the report of a child', report);
    this.kill();
    return message as Report;
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }
}

/** In the child: the argument. */
export function childArgument<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}

/** In the child: says what it has to say first, and answers `stop` with what `stop` gives. Ends with the process that started it. */
export function serveParent(started: unknown, stop: () => unknown, onOrder?: (order: unknown) => void): void {
  process.once('disconnect', () => process.exit());
  process.on('message', async (message) => {
    if (message === 'stop') process.send!((await stop()) ?? {});
    else onOrder?.((message as { order: unknown }).order);
  });
  process.send!(started);
}
