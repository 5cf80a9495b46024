/**
 * Which endpoints of a cluster may be selected now. Derived from the board whenever its epoch has turned or an ejection has passed, and kept
 * in the endpoints, so that a policy reads one flag.
 *
 * An endpoint that drains, is disabled or has left the plan is never selected. One that is unhealthy or ejected is not, unless fewer than
 * PANIC_PERCENT of those in service are well: then it is likelier that the judgement is wrong, or that the few would drown, and all get work
 * (Envoy's panic threshold). Backup endpoints are asked when no other may be selected; that one of them could take the work keeps a cluster without
 * a single well endpoint from panic.
 */
import { type Board, boardTick } from '../contract/board.ts';
import type { Endpoint } from './endpoint.ts';

const PANIC_PERCENT = 50;
const NEVER = Number.MAX_SAFE_INTEGER;

export class Selection {
  readonly #board: Board;
  readonly #primaries: readonly Endpoint[];
  readonly #backups: readonly Endpoint[];
  readonly #slowStartTicks: number;
  /** Of the board as it was looked at last; none yet. */
  #epoch = -1;
  /** When an ejection ends, without anybody turning the epoch. */
  #nextChangeTick = NEVER;
  #isPanicking = false;

  /** `slowStartTicks` 0: who comes back gets its whole share at once. */
  constructor(board: Board, primaries: readonly Endpoint[], backups: readonly Endpoint[], slowStartTicks: number) {
    this.#board = board;
    this.#primaries = primaries;
    this.#backups = backups;
    this.#slowStartTicks = slowStartTicks;
  }

  /** Whether health and ejections are ignored for want of well endpoints. As of the last `look`. */
  get isPanicking(): boolean {
    return this.#isPanicking;
  }

  /** To be called before each pick. Hot path. */
  look(): void {
    if (
      this.#board.recentEpoch === this.#epoch &&
      (this.#nextChangeTick === NEVER || boardTick() < this.#nextChangeTick)
    )
      return;
    this.#derive();
  }

  #derive(): void {
    // First: what changes while we look is looked at again.
    this.#epoch = this.#board.epoch;
    this.#nextChangeTick = NEVER;
    const nowTick = boardTick();
    const well = this.#judge(this.#primaries, nowTick);
    const wellBackups = this.#judge(this.#backups, nowTick);
    const inService = this.#primaries.reduce((count, { isInService }) => count + (isInService ? 1 : 0), 0);
    this.#isPanicking = well * 100 < PANIC_PERCENT * inService && !(well === 0 && wellBackups > 0);
    if (this.#isPanicking) for (const endpoint of this.#primaries) endpoint.isSelectable = endpoint.isInService;
  }

  /** Returns how many may be selected. */
  #judge(endpoints: readonly Endpoint[], nowTick: number): number {
    let count = 0;
    for (const endpoint of endpoints) {
      const untilTick = this.#board.ejectedUntilTick(endpoint.slot);
      if (untilTick > nowTick && untilTick < this.#nextChangeTick) this.#nextChangeTick = untilTick;
      endpoint.isSelectable = endpoint.isInService && endpoint.isWell(nowTick);
      const returnedAt = this.#board.returnedAtTick(endpoint.slot);
      endpoint.rampStartTick = returnedAt !== 0 && nowTick < returnedAt + this.#slowStartTicks ? returnedAt : 0;
      if (endpoint.isSelectable) count++;
    }
    return count;
  }
}
