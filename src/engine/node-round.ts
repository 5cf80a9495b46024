import { EVENT_WORDS, EVENTS_MAX, RECEIVE_BYTES } from './protocol.ts';

/** The records and received bytes of the round being built. */
export class Round {
  readonly #events: Int32Array;
  readonly #slab: Uint8Array;
  #received = 0;
  count = 0;

  constructor(events: Int32Array, slab: Uint8Array) {
    this.#events = events;
    this.#slab = slab;
  }

  begin(): void {
    this.count = 0;
    this.#received = 0;
  }

  get full(): boolean {
    return this.count === EVENTS_MAX;
  }

  /** Whether a DATA of `length` bytes fits. */
  hasRoom(length: number): boolean {
    return this.#received + length <= RECEIVE_BYTES;
  }

  /** Copies bytes behind those of the same round; returns where they are. */
  receive(bytes: Uint8Array): number {
    const offset = this.#received;
    this.#slab.set(bytes, offset);
    this.#received += bytes.length;
    return offset;
  }

  tell(kind: number, id: number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): void {
    const events = this.#events;
    const at = this.count * EVENT_WORDS;
    events[at] = kind;
    events[at + 1] = id;
    events[at + 2] = a;
    events[at + 3] = b;
    events[at + 4] = c;
    events[at + 5] = d;
    events[at + 6] = e;
    events[at + 7] = f;
    this.count += 1;
  }
}
