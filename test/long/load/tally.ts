/** What the load did, by kind, and what went wrong. */
import { Failures } from '../failures.ts';

export class Tally {
  readonly done: Record<string, number> = {};
  readonly failures = new Failures();
  receivedBytes = 0;
  sentBytes = 0;
  #idCount = 0;

  /** Never twice the same, over all processes of a test. */
  nextId(kind: string): string {
    return `${kind}-${process.pid}-${(this.#idCount++).toString(36)}`;
  }

  /** Counts one piece of work by what it says is wrong: '' for nothing. */
  count(kind: string, problem: string): void {
    if (problem === '') this.done[kind] = (this.done[kind] ?? 0) + 1;
    else this.failures.add(`${kind}: ${problem}`);
  }

  /** Runs `work`, which gives what is wrong or throws it, and counts it. Never rejects. */
  async run(kind: string, work: () => Promise<string>): Promise<void> {
    try {
      this.count(kind, await work());
    } catch (error) {
      this.count(kind, (error as Error).message);
    }
  }
}
