/**
 * Judges endpoints by live traffic: one that fails several times in a row, whichever shards saw it, is ejected for a while. A request to an
 * endpoint that does not answer costs somebody an answer, so that this is quicker and cheaper than any probe, but knows nothing of an
 * endpoint without traffic; that is what active checks are for.
 */

import type { OutlierConfig } from '../config/cluster-config.ts';
import { type Board, boardTick, TICK_MS } from '../contract/board.ts';
import type { Endpoint } from './endpoint.ts';

/** However often an endpoint was ejected in a row. */
export const EJECTION_MAX_MS = 300_000;

export class OutlierDetection {
  readonly #plan: OutlierConfig;
  readonly #board: Board;
  readonly #endpoints: readonly Endpoint[];
  readonly #ejectedMaxCount: number;
  readonly #onEjected: (endpoint: Endpoint, ms: number) => void;

  constructor(
    plan: OutlierConfig,
    board: Board,
    endpoints: readonly Endpoint[],
    onEjected: (endpoint: Endpoint, ms: number) => void,
  ) {
    this.#plan = plan;
    this.#board = board;
    this.#endpoints = endpoints;
    this.#ejectedMaxCount = Math.max(1, Math.floor((endpoints.length * plan.maxEjectedPercent) / 100));
    this.#onEjected = onEjected;
  }

  /** The endpoint did what it should. Hot path. */
  succeeded(endpoint: Endpoint): void {
    if (this.#board.failures(endpoint.slot) !== 0) this.#board.clearFailures(endpoint.slot);
  }

  /** The endpoint refused, reset, kept waiting too long, or said that it failed. */
  failed(endpoint: Endpoint): void {
    if (this.#board.addFailure(endpoint.slot) >= this.#plan.consecutiveFailures) this.#eject(endpoint);
  }

  #eject(endpoint: Endpoint): void {
    const { slot } = endpoint;
    const nowTick = boardTick();
    if (this.#countEjected(nowTick) >= this.#ejectedMaxCount) return;
    const ejections = this.#isRelapse(slot, nowTick) ? this.#board.ejections(slot) + 1 : 1;
    const ms = Math.min(EJECTION_MAX_MS, this.#plan.ejectMs * ejections);
    if (!this.#board.eject(slot, nowTick + Math.ceil(ms / TICK_MS), ejections)) return;
    // Two shards that eject two endpoints at once may be one too many: whoever sees that takes its own back.
    if (this.#countEjected(nowTick) > this.#ejectedMaxCount) this.#board.endEjection(slot);
    else this.#onEjected(endpoint, ms);
  }

  /** Whether it did well for less time than it was ejected before. */
  #isRelapse(slot: number, nowTick: number): boolean {
    const ejectedTicks = (this.#plan.ejectMs * this.#board.ejections(slot)) / TICK_MS;
    return nowTick - this.#board.returnedAtTick(slot) < ejectedTicks;
  }

  #countEjected(nowTick: number): number {
    let count = 0;
    for (const { slot } of this.#endpoints) if (this.#board.ejectedUntilTick(slot) > nowTick) count++;
    return count;
  }
}
