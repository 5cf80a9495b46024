/** What waits for its turn. */
export interface Turn {
  begin(): void;
}

/** Lets only so many checks run at a time; the others wait for their turn, first come, first served. */
export class CheckQueue {
  readonly #atOnceMax: number;
  readonly #waiting = new Set<Turn>();
  #running = 0;

  constructor(atOnceMax: number) {
    this.#atOnceMax = atOnceMax;
  }

  /** Calls `begin` of it now or later. Who has begun says `leave`, once. */
  enter(turn: Turn): void {
    this.#waiting.add(turn);
    this.#next();
  }

  /** Gives up waiting. Returns false if it has begun. */
  cancel(turn: Turn): boolean {
    return this.#waiting.delete(turn);
  }

  leave(): void {
    this.#running--;
    this.#next();
  }

  #next(): void {
    for (const turn of this.#waiting) {
      if (this.#running >= this.#atOnceMax) return;
      this.#waiting.delete(turn);
      this.#running++;
      turn.begin();
    }
  }
}
