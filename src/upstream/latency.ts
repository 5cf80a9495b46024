/**
 * How long endpoints take, as a peak-sensitive moving average on the board, so that what one shard has learned all know: a slower answer counts at once,
 * quicker ones pull the average down over DECAY_MS, and so does time without any answer (the "peak EWMA" of Finagle). Hot path for clusters with
 * `least-time`; others have none of it.
 */
import type { Board } from '../contract/board.ts';

const DECAY_MS = 10_000;
/** What a word holds; about half an hour. */
const LATENCY_MAX_US = 2 ** 31 - 1;

/** The average as of now, in microseconds; 0: nothing is known. `nowMs`: of the clock that all threads share. */
export function latencyUs(board: Board, slot: number, nowMs: number): number {
  const us = board.latencyUs(slot);
  return us === 0 ? 0 : us * Math.exp(-sinceMs(board, slot, nowMs) / DECAY_MS);
}

export function observeLatency(board: Board, slot: number, us: number, nowMs: number): void {
  const before = board.latencyUs(slot);
  const kept = before === 0 ? 0 : Math.exp(-sinceMs(board, slot, nowMs) / DECAY_MS);
  const average = us >= before ? us : before * kept + us * (1 - kept);
  // 0 would mean that nothing is known.
  board.setLatency(slot, Math.min(LATENCY_MAX_US, Math.max(1, Math.round(average))), nowMs | 0);
}

/** Stamps are the low 32 bits of milliseconds: differences hold for weeks, and beyond that nothing is left of an average anyway. */
function sinceMs(board: Board, slot: number, nowMs: number): number {
  return Math.max(0, ((nowMs | 0) - board.latencyStampMs(slot)) | 0);
}
