/**
 * The shared board: one SharedArrayBuffer that the supervisor and every shard can read and write at any time. Int32 words throughout,
 * accessed through Atomics where more than one thread writes.
 *
 * Per endpoint slot (ENDPOINT_WORDS): requests or sessions in flight over all shards; health; admin state; end of ejection.
 * Per listener slot: connections over all shards, where there is a limit to them.
 * Per shard: a heartbeat, its number of open connections, and its own share of each count, so that the supervisor can take back what a
 * crashed shard never gave back.
 */

export const ENDPOINT_SLOTS_MAX = 16_384;
const ENDPOINT_WORDS = 4;
const IN_FLIGHT = 0;
const HEALTH = 1;
const ADMIN = 2;
const EJECTED_UNTIL = 3;

/** As many as the engine knows. */
const LISTENER_SLOTS_MAX = 1_024;

const SHARD_HEAD_WORDS = 4;
const HEARTBEAT = 0;
const CONNECTIONS = 1;
/** Within a shard's words: its share of the endpoints' counts, then of the listeners'. */
const SHARE_OF_LISTENERS = SHARD_HEAD_WORDS + ENDPOINT_SLOTS_MAX;
const SHARD_WORDS = SHARE_OF_LISTENERS + LISTENER_SLOTS_MAX;
const LISTENERS_OFFSET = ENDPOINT_SLOTS_MAX * ENDPOINT_WORDS;
const SHARDS_OFFSET = LISTENERS_OFFSET + LISTENER_SLOTS_MAX;

export const Health = { UNKNOWN: 0, HEALTHY: 1, UNHEALTHY: 2 } as const;
export type HealthValue = (typeof Health)[keyof typeof Health];
export const HEALTH_NAMES = ['unknown', 'healthy', 'unhealthy'] as const;

export const Admin = { ENABLED: 0, DRAINING: 1, DISABLED: 2 } as const;
export type AdminValue = (typeof Admin)[keyof typeof Admin];
export const ADMIN_NAMES = ['enabled', 'draining', 'disabled'] as const;

export class Board {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;

  private constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
  }

  static create(shardCount: number): Board {
    const words = SHARDS_OFFSET + shardCount * SHARD_WORDS;
    return new Board(new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT));
  }

  static attach(buffer: SharedArrayBuffer): Board {
    return new Board(buffer);
  }

  /** Work in flight on the endpoint over all shards. Hot path. */
  inFlight(slot: number): number {
    return Atomics.load(this.#words, slot * ENDPOINT_WORDS + IN_FLIGHT);
  }

  /** Counts one more on the endpoint, and returns how many there are now. Hot path; only the shard's own thread may call it. */
  enter(shard: number, slot: number): number {
    this.#words[SHARDS_OFFSET + shard * SHARD_WORDS + SHARD_HEAD_WORDS + slot]! += 1;
    return Atomics.add(this.#words, slot * ENDPOINT_WORDS + IN_FLIGHT, 1) + 1;
  }

  /** Takes back one `enter`. */
  leave(shard: number, slot: number): void {
    this.#words[SHARDS_OFFSET + shard * SHARD_WORDS + SHARD_HEAD_WORDS + slot]! -= 1;
    Atomics.sub(this.#words, slot * ENDPOINT_WORDS + IN_FLIGHT, 1);
  }

  /** Connections of the listener over all shards, as far as they were counted. */
  listenerConnections(slot: number): number {
    return Atomics.load(this.#words, LISTENERS_OFFSET + slot);
  }

  /** Counts one more connection of the listener, and returns how many there are now. Only the shard's own thread may call it. */
  enterListener(shard: number, slot: number): number {
    this.#words[SHARDS_OFFSET + shard * SHARD_WORDS + SHARE_OF_LISTENERS + slot]! += 1;
    return Atomics.add(this.#words, LISTENERS_OFFSET + slot, 1) + 1;
  }

  /** Takes back one `enterListener`. */
  leaveListener(shard: number, slot: number): void {
    this.#words[SHARDS_OFFSET + shard * SHARD_WORDS + SHARE_OF_LISTENERS + slot]! -= 1;
    Atomics.sub(this.#words, LISTENERS_OFFSET + slot, 1);
  }

  /** Supervisor: gives back what a shard held when its thread died. The thread must be gone. */
  forgetShard(shard: number): void {
    const base = SHARDS_OFFSET + shard * SHARD_WORDS;
    for (let slot = 0; slot < ENDPOINT_SLOTS_MAX; slot++) {
      const held = this.#words[base + SHARD_HEAD_WORDS + slot]!;
      if (held !== 0) Atomics.sub(this.#words, slot * ENDPOINT_WORDS + IN_FLIGHT, held);
    }
    for (let slot = 0; slot < LISTENER_SLOTS_MAX; slot++) {
      const held = this.#words[base + SHARE_OF_LISTENERS + slot]!;
      if (held !== 0) Atomics.sub(this.#words, LISTENERS_OFFSET + slot, held);
    }
    this.#words.fill(0, base, base + SHARD_WORDS);
  }

  /** Supervisor: makes a slot ready for a new endpoint. */
  clearEndpoint(slot: number): void {
    this.#words.fill(0, slot * ENDPOINT_WORDS, (slot + 1) * ENDPOINT_WORDS);
  }

  health(slot: number): HealthValue {
    return Atomics.load(this.#words, slot * ENDPOINT_WORDS + HEALTH) as HealthValue;
  }

  setHealth(slot: number, health: HealthValue): void {
    Atomics.store(this.#words, slot * ENDPOINT_WORDS + HEALTH, health);
  }

  admin(slot: number): AdminValue {
    return Atomics.load(this.#words, slot * ENDPOINT_WORDS + ADMIN) as AdminValue;
  }

  setAdmin(slot: number, admin: AdminValue): void {
    Atomics.store(this.#words, slot * ENDPOINT_WORDS + ADMIN, admin);
  }

  /** End of the ejection in seconds since the epoch; 0: not ejected. */
  ejectedUntilSeconds(slot: number): number {
    return Atomics.load(this.#words, slot * ENDPOINT_WORDS + EJECTED_UNTIL);
  }

  /** A beat proves that the shard's event loop turns. */
  beat(shard: number, connections: number): void {
    const base = SHARDS_OFFSET + shard * SHARD_WORDS;
    Atomics.add(this.#words, base + HEARTBEAT, 1);
    Atomics.store(this.#words, base + CONNECTIONS, connections);
  }

  beats(shard: number): number {
    return Atomics.load(this.#words, SHARDS_OFFSET + shard * SHARD_WORDS + HEARTBEAT);
  }

  connections(shard: number): number {
    return Atomics.load(this.#words, SHARDS_OFFSET + shard * SHARD_WORDS + CONNECTIONS);
  }
}
