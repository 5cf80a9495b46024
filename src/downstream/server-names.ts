/** What stands behind names that are exact or begin with `*.`, which is for one or more labels. The longest that fits counts. */
export class ServerNames<T> {
  readonly #exact = new Map<string, T>();
  /** By what follows the `*`. */
  readonly #below = new Map<string, T>();

  /** The first of two with the same name counts. */
  constructor(entries: Iterable<readonly [name: string, value: T]>) {
    for (const [name, value] of entries) {
      const map = name.startsWith('*.') ? this.#below : this.#exact;
      const key = name.startsWith('*.') ? name.slice(1) : name;
      if (!map.has(key)) map.set(key, value);
    }
  }

  find(name: string): T | undefined {
    const exact = this.#exact.get(name);
    if (exact !== undefined || this.#below.size === 0) return exact;
    for (let dot = name.indexOf('.', 1); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      const value = this.#below.get(name.slice(dot));
      if (value !== undefined) return value;
    }
    return undefined;
  }
}
