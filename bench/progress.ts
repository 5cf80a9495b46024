/** What a run says while it goes on. Not part of the report. */

const BAR_WIDTH = 20;

/** How much of a run is done, and how long the rest may take if it goes on as it did. */
export class Progress {
  readonly #write: (text: string) => void;
  readonly #isTerminal: boolean;
  readonly #nowMs: () => number;
  #expected = 0;
  #done = 0;
  #startedAtMs = 0;

  /** On a terminal one line is written again and again; elsewhere each step is a line. */
  constructor(write: (text: string) => void, isTerminal: boolean, nowMs: () => number = () => performance.now()) {
    this.#write = write;
    this.#isTerminal = isTerminal;
    this.#nowMs = nowMs;
  }

  /** Announces that so many more steps will come. */
  expect(steps: number): void {
    if (this.#expected === 0) this.#startedAtMs = this.#nowMs();
    this.#expected += steps;
  }

  /** A line that stays. */
  say(text: string): void {
    this.#write(this.#isTerminal ? `\r\x1b[K${text}\n` : `${text}\n`);
  }

  /** A step is done, and this came of it. More steps than were expected are no error. */
  step(text: string): void {
    this.#done++;
    const share = Math.min(1, this.#done / Math.max(1, this.#expected));
    const state = `${Math.floor(share * 100)} %, ${this.#left(share)}`;
    const filled = Math.round(share * BAR_WIDTH);
    const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
    this.#write(this.#isTerminal ? `\r\x1b[K${bar} ${state} · ${text}` : `[${state}] ${text}\n`);
  }

  /** The line that is written again and again is over. */
  end(): void {
    if (this.#isTerminal && this.#done > 0) this.#write('\r\x1b[K');
  }

  #left(share: number): string {
    const leftMs = (this.#nowMs() - this.#startedAtMs) * (1 / share - 1);
    const seconds = Math.round(leftMs / 1000);
    return seconds < 60 ? `${seconds} s left` : `${Math.round(seconds / 60)} min left`;
  }
}
