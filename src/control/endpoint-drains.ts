/** Deadlines of endpoints that take no new work: what is still at work on one when its time is over is cut. */
import type { EndpointRef } from '../contract/messages.ts';

export class EndpointDrains {
  readonly #cut: (endpoints: readonly EndpointRef[]) => void;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** Their time is over; told to the shards together. */
  #due: EndpointRef[] = [];

  /** `cut` is told whose time is over. */
  constructor(cut: (endpoints: readonly EndpointRef[]) => void) {
    this.#cut = cut;
  }

  /** Takes the place of the deadline that the endpoint may have. */
  set(endpoint: EndpointRef, ms: number): void {
    this.clear(endpoint);
    const { slot, key } = endpoint;
    if (ms === 0) this.#over({ slot, key });
    else this.#timers.set(nameOf(endpoint), setTimeout(() => this.#over({ slot, key }), ms).unref());
  }

  /** As `set`, unless there is a deadline already. */
  setIfNone(endpoint: EndpointRef, ms: number): void {
    if (!this.#timers.has(nameOf(endpoint))) this.set(endpoint, ms);
  }

  clear(endpoint: EndpointRef): void {
    clearTimeout(this.#timers.get(nameOf(endpoint)));
    this.#timers.delete(nameOf(endpoint));
  }

  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #over(endpoint: EndpointRef): void {
    this.#timers.delete(nameOf(endpoint));
    this.#due.push(endpoint);
    if (this.#due.length > 1) return;
    setImmediate(() => this.#cut(this.#due.splice(0)));
  }
}

function nameOf({ slot, key }: EndpointRef): string {
  return `${slot} ${key}`;
}
