/**
 * The shared board: one SharedArrayBuffer that the supervisor and every shard can read and write at any time. Int32 words throughout,
 * accessed through Atomics where more than one thread writes. Where a value may be a little old, a plain read does: V8 calls Atomics, and compiles
 * that; a word is never half written.
 *
 * One epoch, which whoever changes what may be selected turns on, so that shards derive that only when it has changed.
 * Per endpoint slot (ENDPOINT_WORDS): requests or sessions in flight over all shards; health; admin state; what the outlier detection knows;
 * latency.
 * Per cluster slot (CLUSTER_WORDS): what its limits count, and the window of its retry budget.
 * Per listener slot: connections over all shards, where there is a limit to them.
 * Per shard: a heartbeat, its number of open connections, and its own share of each count, so that the supervisor can take back what a
 * crashed shard never gave back.
 *
 * Times are ticks (see `boardTick`): the same on every thread, and small enough for a word.
 */
import { sharedNowMs } from '../core/clock.ts';

const HEADER_WORDS = 16;
const EPOCH = 0;

export const ENDPOINT_SLOTS_MAX = 16_384;
const ENDPOINT_WORDS = 16;
const ENDPOINTS_OFFSET = HEADER_WORDS;
const IN_FLIGHT = 0;
const HEALTH = 1;
const ADMIN = 2;
const EJECTED_UNTIL = 3;
const FAILURES = 4;
const EJECTIONS = 5;
const RETURNED_AT = 6;
const LATENCY = 7;
const LATENCY_STAMP = 8;

export const CLUSTER_SLOTS_MAX = 4_096;
const CLUSTER_WORDS = 64;
const CLUSTERS_OFFSET = ENDPOINTS_OFFSET + ENDPOINT_SLOTS_MAX * ENDPOINT_WORDS;

/** What is counted per cluster over all shards. Its number is its word. */
export const ClusterCount = {
  /** Requests and sessions in flight, where a limit or a policy wants to know. */
  REQUESTS: 0,
  /** Connections to endpoints, idle ones included, where there is a limit to them. */
  CONNECTIONS: 1,
  /** Requests that wait for room. */
  PENDING: 2,
} as const;
export type ClusterCountName = (typeof ClusterCount)[keyof typeof ClusterCount];
const CLUSTER_COUNTS = 3;

/** Words of a cluster that its retry budget lays out itself. */
export const BUDGET_WORDS = 48;
const BUDGET = CLUSTER_WORDS - BUDGET_WORDS;

/** As many as the engine knows. */
const LISTENER_SLOTS_MAX = 1_024;
const LISTENERS_OFFSET = CLUSTERS_OFFSET + CLUSTER_SLOTS_MAX * CLUSTER_WORDS;

const SHARD_HEAD_WORDS = 4;
const HEARTBEAT = 0;
const CONNECTIONS = 1;
/** Within a shard's words: its share of the endpoints' counts, of the listeners', of the clusters'. */
const SHARE_OF_LISTENERS = SHARD_HEAD_WORDS + ENDPOINT_SLOTS_MAX;
const SHARE_OF_CLUSTERS = SHARE_OF_LISTENERS + LISTENER_SLOTS_MAX;
const SHARD_WORDS = SHARE_OF_CLUSTERS + CLUSTER_SLOTS_MAX * CLUSTER_COUNTS;
const SHARDS_OFFSET = LISTENERS_OFFSET + LISTENER_SLOTS_MAX;

/** Milliseconds of one tick. */
export const TICK_MS = 100;

/** Time as the board keeps it: ticks of TICK_MS on the machine's monotonic clock. 31 bits last for six years of uptime. */
export function boardTick(nowMs = sharedNowMs()): number {
  return Math.floor(nowMs / TICK_MS);
}

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
    return Atomics.load(this.#words, ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS + IN_FLIGHT);
  }

  /** Counts one more on the endpoint, and returns how many there are now. Hot path; only the shard's own thread may call it. */
  enter(shard: number, slot: number): number {
    this.#words[SHARDS_OFFSET + shard * SHARD_WORDS + SHARD_HEAD_WORDS + slot]! += 1;
    return Atomics.add(this.#words, ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS + IN_FLIGHT, 1) + 1;
  }

  /** Takes back one `enter`. */
  leave(shard: number, slot: number): void {
    this.#words[SHARDS_OFFSET + shard * SHARD_WORDS + SHARD_HEAD_WORDS + slot]! -= 1;
    Atomics.sub(this.#words, ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS + IN_FLIGHT, 1);
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
      if (held !== 0) Atomics.sub(this.#words, ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS + IN_FLIGHT, held);
    }
    for (let slot = 0; slot < LISTENER_SLOTS_MAX; slot++) {
      const held = this.#words[base + SHARE_OF_LISTENERS + slot]!;
      if (held !== 0) Atomics.sub(this.#words, LISTENERS_OFFSET + slot, held);
    }
    for (let slot = 0; slot < CLUSTER_SLOTS_MAX; slot++) this.#forgetShareOfCluster(base, slot);
    this.#words.fill(0, base, base + SHARD_WORDS);
  }

  #forgetShareOfCluster(base: number, slot: number): void {
    for (let count = 0; count < CLUSTER_COUNTS; count++) {
      const held = this.#words[base + SHARE_OF_CLUSTERS + slot * CLUSTER_COUNTS + count]!;
      if (held !== 0) Atomics.sub(this.#words, CLUSTERS_OFFSET + slot * CLUSTER_WORDS + count, held);
    }
  }

  /** Turns on whenever health, admin state or ejection of some endpoint changes. */
  get epoch(): number {
    return Atomics.load(this.#words, EPOCH);
  }

  /** The epoch, or one shortly before it. Hot path. */
  get recentEpoch(): number {
    return this.#words[EPOCH]!;
  }

  #turnEpoch(): void {
    Atomics.add(this.#words, EPOCH, 1);
  }

  /** What the cluster counts, over all shards. */
  clusterCount(slot: number, count: ClusterCountName): number {
    return Atomics.load(this.#words, CLUSTERS_OFFSET + slot * CLUSTER_WORDS + count);
  }

  /** Counts one more of the cluster, and returns how many there are now. Only the shard's own thread may call it. */
  enterCluster(shard: number, slot: number, count: ClusterCountName): number {
    this.#words[SHARDS_OFFSET + shard * SHARD_WORDS + SHARE_OF_CLUSTERS + slot * CLUSTER_COUNTS + count]! += 1;
    return Atomics.add(this.#words, CLUSTERS_OFFSET + slot * CLUSTER_WORDS + count, 1) + 1;
  }

  /** Takes back one `enterCluster`. */
  leaveCluster(shard: number, slot: number, count: ClusterCountName): void {
    this.#words[SHARDS_OFFSET + shard * SHARD_WORDS + SHARE_OF_CLUSTERS + slot * CLUSTER_COUNTS + count]! -= 1;
    Atomics.sub(this.#words, CLUSTERS_OFFSET + slot * CLUSTER_WORDS + count, 1);
  }

  /** The BUDGET_WORDS of a cluster's retry budget. All shards write them: Atomics only. */
  budgetWords(slot: number): Int32Array {
    const at = CLUSTERS_OFFSET + slot * CLUSTER_WORDS + BUDGET;
    return this.#words.subarray(at, at + BUDGET_WORDS);
  }

  /** Supervisor: makes a slot ready for a new cluster. */
  clearCluster(slot: number): void {
    this.#words.fill(0, CLUSTERS_OFFSET + slot * CLUSTER_WORDS, CLUSTERS_OFFSET + (slot + 1) * CLUSTER_WORDS);
  }

  /** Supervisor: makes a slot ready for a new endpoint. */
  clearEndpoint(slot: number): void {
    this.#words.fill(0, ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS, ENDPOINTS_OFFSET + (slot + 1) * ENDPOINT_WORDS);
  }

  health(slot: number): HealthValue {
    return Atomics.load(this.#words, ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS + HEALTH) as HealthValue;
  }

  /** Supervisor. An endpoint that becomes healthy after it was not has returned (see `returnedAtTick`). */
  setHealth(slot: number, health: HealthValue): void {
    const before = Atomics.exchange(this.#words, ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS + HEALTH, health);
    if (before === health) return;
    if (before === Health.UNHEALTHY && health === Health.HEALTHY) this.#returned(slot, boardTick());
    this.#turnEpoch();
  }

  admin(slot: number): AdminValue {
    return Atomics.load(this.#words, ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS + ADMIN) as AdminValue;
  }

  /** Supervisor. An endpoint that is enabled after it was not has returned. */
  setAdmin(slot: number, admin: AdminValue): void {
    const before = Atomics.exchange(this.#words, ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS + ADMIN, admin);
    if (before === admin) return;
    if (admin === Admin.ENABLED) this.#returned(slot, boardTick());
    this.#turnEpoch();
  }

  #returned(slot: number, tick: number): void {
    Atomics.store(this.#words, ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS + RETURNED_AT, tick);
  }

  /** When the endpoint came, or comes, back after it was unhealthy, ejected or out of service; 0: it was there all the time. */
  returnedAtTick(slot: number): number {
    return Atomics.load(this.#words, ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS + RETURNED_AT);
  }

  /** End of the ejection; 0: not ejected. One that has passed is over, though it may still stand here. */
  ejectedUntilTick(slot: number): number {
    return Atomics.load(this.#words, ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS + EJECTED_UNTIL);
  }

  /** Ejections in a row, which is what the length of the next one goes by. */
  ejections(slot: number): number {
    return Atomics.load(this.#words, ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS + EJECTIONS);
  }

  /**
   * Ejects the endpoint until `untilTick`, as the `ejections`th time in a row, unless another shard has just done so: false then. Its failures
   * are forgotten.
   */
  eject(slot: number, untilTick: number, ejections: number): boolean {
    const base = ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS;
    const before = Atomics.load(this.#words, base + EJECTED_UNTIL);
    if (before > boardTick()) return false;
    if (Atomics.compareExchange(this.#words, base + EJECTED_UNTIL, before, untilTick) !== before) return false;
    Atomics.store(this.#words, base + EJECTIONS, ejections);
    Atomics.store(this.#words, base + FAILURES, 0);
    this.#returned(slot, untilTick);
    this.#turnEpoch();
    return true;
  }

  /** Ends an ejection: an active check has passed. Does nothing if there is none. */
  endEjection(slot: number): void {
    const base = ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS;
    Atomics.store(this.#words, base + FAILURES, 0);
    const nowTick = boardTick();
    const until = Atomics.exchange(this.#words, base + EJECTED_UNTIL, 0);
    if (until <= nowTick) return;
    this.#returned(slot, nowTick);
    this.#turnEpoch();
  }

  /** Failures in a row over all shards, or how many there were shortly before. Hot path. */
  failures(slot: number): number {
    return this.#words[ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS + FAILURES]!;
  }

  /** Counts a failure, and returns how many there are in a row now. */
  addFailure(slot: number): number {
    return Atomics.add(this.#words, ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS + FAILURES, 1) + 1;
  }

  /** A success: what failed before no longer counts. */
  clearFailures(slot: number): void {
    Atomics.store(this.#words, ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS + FAILURES, 0);
  }

  /** Moving average of the time to the first byte of a response, in microseconds; 0: unknown. Any shard may write it. Hot path. */
  latencyUs(slot: number): number {
    return Atomics.load(this.#words, ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS + LATENCY);
  }

  /** When `latencyUs` was written: low 32 bits of milliseconds, for differences only. */
  latencyStampMs(slot: number): number {
    return Atomics.load(this.#words, ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS + LATENCY_STAMP);
  }

  /** Two shards may overwrite each other: an average bears that. */
  setLatency(slot: number, us: number, stampMs: number): void {
    Atomics.store(this.#words, ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS + LATENCY, us);
    Atomics.store(this.#words, ENDPOINTS_OFFSET + slot * ENDPOINT_WORDS + LATENCY_STAMP, stampMs);
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
