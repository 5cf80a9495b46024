/**
 * Watches one endpoint: asks again and again, and keeps its health on the board.
 *
 *     unknown --first answer--> healthy <--healthyAfter good ones / unhealthyAfter bad ones--> unhealthy
 *
 * The interval counts from start to start. A check that takes longer than that does not delay the next one, so that an endpoint which hangs is
 * out after interval × unhealthyAfter + timeout. While answers speak against what is on the board the interval is half as long.
 */
import type { HealthCheckConfig } from '../../config/cluster-config.ts';
import { type Board, boardTick, Health } from '../../contract/board.ts';
import type { EndpointPlan } from '../../contract/plan.ts';
import { systemClock } from '../../core/clock.ts';
import type { EventCounters } from '../../observe/event-counters.ts';
import type { EventLog } from '../event-log.ts';
import { Check, type CheckOwner } from './check.ts';
import type { CheckQueue } from './check-queue.ts';
import type { Probe, ProbeTarget, Verdict } from './probe.ts';

/** Spreads checks over time. It only ever shortens an interval: what was promised is the latest time. */
const JITTER = 0.1;
const DOUBT_FACTOR = 0.5;

export interface WatchContext {
  readonly board: Pick<Board, 'health' | 'setHealth' | 'ejectedUntilTick' | 'endEjection'>;
  readonly queue: CheckQueue;
  readonly log: EventLog;
  readonly counters?: EventCounters | undefined;
  /** 0 to 1. */
  readonly random: () => number;
}

export class EndpointWatch implements CheckOwner {
  readonly target: ProbeTarget;
  readonly probe: Probe;
  readonly timeoutMs: number;
  readonly queue: CheckQueue;
  readonly #cluster: string;
  readonly #endpoint: EndpointPlan;
  readonly #config: HealthCheckConfig;
  readonly #context: WatchContext;
  readonly #checks = new Set<Check>();
  #timer: NodeJS.Timeout | undefined;
  #askedAtMs = 0;
  /** Checks, by when they began: an answer that comes after that of a later check is old news. */
  #begunCount = 0;
  #newestAnswer = 0;
  /** Answers in a row that speak against what is on the board. */
  #against = 0;

  constructor(cluster: string, endpoint: EndpointPlan, config: HealthCheckConfig, probe: Probe, context: WatchContext) {
    this.target = endpoint;
    this.probe = probe;
    this.timeoutMs = config.timeoutMs;
    this.queue = context.queue;
    this.#cluster = cluster;
    this.#endpoint = endpoint;
    this.#config = config;
    this.#context = context;
  }

  /** The first check begins at once, the second within an interval: checks that began together do not stay together. */
  start(): void {
    this.#ask();
    this.#askAgainIn(this.#config.intervalMs * this.#context.random());
  }

  /** Nothing is written to the board any more. */
  stop(): void {
    clearTimeout(this.#timer);
    for (const check of this.#checks) check.breakOff();
    this.#checks.clear();
  }

  #askAgainIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#ask();
      this.#askAgainIn(this.#pauseMs);
    }, ms);
    this.#timer.unref();
  }

  get #pauseMs(): number {
    const factor = (1 - JITTER * this.#context.random()) * (this.#against > 0 ? DOUBT_FACTOR : 1);
    return this.#config.intervalMs * factor;
  }

  #ask(): void {
    const { healthyAfter, unhealthyAfter } = this.#config;
    this.#askedAtMs = systemClock.nowMs();
    // More answers than would decide need not be under way.
    if (this.#checks.size >= Math.max(healthyAfter, unhealthyAfter)) return;
    const check = new Check(this);
    this.#checks.add(check);
    this.queue.enter(check);
  }

  onBegin(check: Check): void {
    check.number = ++this.#begunCount;
    check.wasEjected = this.#context.board.ejectedUntilTick(this.#endpoint.slot) > boardTick();
  }

  onVerdict(check: Check, verdict: Verdict): void {
    this.#checks.delete(check);
    const result = verdict === undefined ? 'passed' : 'failed';
    const labels = { cluster: this.#cluster, endpoint: this.#endpoint.key, result };
    this.#context.counters?.count('fourseven_health_checks_total', labels);
    if (check.number < this.#newestAnswer) return;
    this.#newestAnswer = check.number;
    // Only what began after an ejection says that it may end.
    if (verdict === undefined && check.wasEjected) this.#context.board.endEjection(this.#endpoint.slot);
    this.#weigh(verdict);
    if (this.#against > 0) this.#askAgainIn(Math.max(0, this.#askedAtMs + this.#pauseMs - systemClock.nowMs()));
  }

  #weigh(verdict: Verdict): void {
    const { board } = this.#context;
    const { slot } = this.#endpoint;
    const health = board.health(slot);
    const next = verdict === undefined ? Health.HEALTHY : Health.UNHEALTHY;
    if (health === next) {
      this.#against = 0;
      return;
    }
    this.#against += 1;
    const { healthyAfter, unhealthyAfter } = this.#config;
    const threshold = verdict === undefined ? healthyAfter : unhealthyAfter;
    const needed = health === Health.UNKNOWN ? 1 : threshold;
    if (this.#against < needed) return;
    this.#against = 0;
    board.setHealth(slot, next);
    this.#tell(verdict, needed, health === Health.UNKNOWN);
  }

  #tell(verdict: Verdict, count: number, isFirst: boolean): void {
    const { log } = this.#context;
    const who = `cluster ${this.#cluster}: ${this.#endpoint.key}`;
    const times = count === 1 ? 'a check' : `${count} checks in a row`;
    if (verdict !== undefined) log.warn(`${who} is unhealthy, ${times} failed: ${verdict}`);
    // That all is well need not be said of every endpoint at every start.
    else if (!isFirst) log.info(`${who} is healthy again, ${times} passed`);
  }
}
