import { invariant } from '../core/invariant.ts';
import { INDEX_BITS, INDEX_MASK } from './protocol.ts';

/** Ids are positive int32: 31 bits, less those of the index. Generation 0 is not used, so that no id is 0. */
const GENERATION_MAX = 2 ** (31 - INDEX_BITS) - 1;

/** Gives out connection ids and refuses stale ones. */
export class ConnectionTable<T extends { readonly id: number }> {
  readonly #slots: (T | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];
  /** Freed in this round: a record of the round may still name the index, so nothing else may have it yet. */
  readonly #freedNow: number[] = [];

  add(make: (id: number) => T): T {
    const index = this.#free.pop() ?? this.#slots.length;
    invariant(index <= INDEX_MASK, 'more connections than ids');
    const generation = ((this.#generations[index] ?? 0) % GENERATION_MAX) + 1;
    this.#generations[index] = generation;
    const entry = make(index | (generation << INDEX_BITS));
    this.#slots[index] = entry;
    return entry;
  }

  /** undefined if the id is stale, or was never given out. */
  get(id: number): T | undefined {
    const entry = this.#slots[id & INDEX_MASK];
    return entry !== undefined && entry.id === id ? entry : undefined;
  }

  /** The id is stale from now on; its index is given out again after `endRound`. */
  remove(id: number): void {
    const index = id & INDEX_MASK;
    if (this.get(id) === undefined) return;
    this.#slots[index] = undefined;
    this.#freedNow.push(index);
  }

  endRound(): void {
    for (const index of this.#freedNow) this.#free.push(index);
    this.#freedNow.length = 0;
  }
}
