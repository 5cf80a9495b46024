export interface Proposal {
  readonly slots: ReadonlyMap<string, number>;
  /** Slots that have a new owner. */
  readonly added: readonly number[];
  readonly commit: () => void;
}

/**
 * Numbers things (listeners, endpoints) so that whatever stays in the configuration keeps its number from plan to plan. Live state on the
 * shared board hangs from these numbers.
 */
export class SlotRegistry {
  readonly #maxCount: number;
  readonly #isBusy: (slot: number) => boolean;
  #slots = new Map<string, number>();
  #nextUnused = 0;
  /** Oldest first: the longer a slot rests, the surer nobody still works on an old plan. */
  #freed: number[] = [];

  /**
   * `isBusy` says whether work that began under the slot's former owner still runs: such a slot is not given away, or the late end of that
   * work would be counted against the new owner.
   */
  constructor(maxCount: number, isBusy: (slot: number) => boolean = () => false) {
    this.#maxCount = maxCount;
    this.#isBusy = isBusy;
  }

  /** As `propose`, and so it is. */
  assign(keys: readonly string[]): Proposal | undefined {
    const proposal = this.propose(keys);
    proposal?.commit();
    return proposal;
  }

  /**
   * Gives every key (each once) its slot, frees the slots of keys that are gone, and tells which slots have a new owner. Nothing changes before
   * `commit`, and nothing else may be proposed until then. Returns undefined if there are more keys than slots.
   */
  propose(keys: readonly string[]): Proposal | undefined {
    const wanted = new Set(keys);
    const left = [...this.#slots].filter(([key]) => !wanted.has(key)).map(([, slot]) => slot);
    const freed = [...this.#freed, ...left];
    const slots = new Map<string, number>();
    const added: number[] = [];
    let nextUnused = this.#nextUnused;
    for (const key of wanted) {
      let slot = this.#slots.get(key);
      if (slot === undefined) {
        slot = nextUnused < this.#maxCount ? nextUnused++ : takeIdle(freed, this.#isBusy);
        if (slot === undefined) return undefined;
        added.push(slot);
      }
      slots.set(key, slot);
    }
    const commit = () => {
      this.#slots = slots;
      this.#freed = freed;
      this.#nextUnused = nextUnused;
    };
    return { slots, added, commit };
  }
}

function takeIdle(freed: number[], isBusy: (slot: number) => boolean): number | undefined {
  const at = freed.findIndex((slot) => !isBusy(slot));
  return at < 0 ? undefined : freed.splice(at, 1)[0];
}
