import type { CheckQueue, Turn } from './check-queue.ts';
import type { Probe, ProbeTarget, Verdict } from './probe.ts';

/** Who wants to know. */
export interface CheckOwner {
  readonly target: ProbeTarget;
  readonly probe: Probe;
  readonly timeoutMs: number;
  readonly queue: CheckQueue;
  /** The question is asked now. */
  onBegin(check: Check): void;
  /** Once, unless it was broken off. */
  onVerdict(check: Check, verdict: Verdict): void;
}

/** One question to one endpoint, from the wait for its turn to the verdict. */
export class Check implements Turn {
  /** Of its owner: in which order checks began, and whether the endpoint was ejected then. */
  number = 0;
  wasEjected = false;
  readonly #owner: CheckOwner;
  #timer: NodeJS.Timeout | undefined;
  #abort: (() => void) | undefined;
  #isOver = false;

  constructor(owner: CheckOwner) {
    this.#owner = owner;
  }

  begin(): void {
    const { target, probe, timeoutMs } = this.#owner;
    this.#owner.onBegin(this);
    this.#timer = setTimeout(() => this.#settle(`no answer within ${timeoutMs} ms`), timeoutMs);
    this.#timer.unref();
    this.#abort = probe(target, (verdict) => this.#settle(verdict));
  }

  breakOff(): void {
    if (this.#isOver) return;
    if (this.#owner.queue.cancel(this)) this.#isOver = true;
    else this.#end();
  }

  #settle(verdict: Verdict): void {
    if (this.#isOver) return;
    this.#end();
    this.#owner.onVerdict(this, verdict);
  }

  /** Lets go of the connection before another check takes the turn. */
  #end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#abort?.();
    this.#owner.queue.leave();
  }
}
