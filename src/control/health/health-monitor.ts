/** The active checks of all clusters. They run on the control plane: shards read the outcome from the board. */
import { isDeepStrictEqual } from 'node:util';
import { type Board, Health } from '../../contract/board.ts';
import type { ClusterPlan, EndpointPlan, Plan } from '../../contract/plan.ts';
import type { EventCounters } from '../../observe/event-counters.ts';
import type { EventLog } from '../event-log.ts';
import { CheckQueue } from './check-queue.ts';
import { EndpointWatch, type WatchContext } from './endpoint-watch.ts';
import { makeProbe } from './make-probe.ts';
import type { Probe } from './probe.ts';

export interface HealthMonitorOptions {
  readonly board: Board;
  readonly log: EventLog;
  readonly counters?: EventCounters;
  readonly checksAtOnceMax: number;
  /** 0 to 1; for tests. */
  readonly random?: () => number;
  readonly makeProbe?: (plan: ClusterPlan) => Probe;
}

interface Watched {
  readonly cluster: ClusterPlan;
  readonly endpoint: EndpointPlan;
  readonly watch: EndpointWatch;
}

export class HealthMonitor {
  readonly #context: WatchContext;
  readonly #makeProbe: (plan: ClusterPlan) => Probe;
  /** By slot of the endpoint. */
  #watched = new Map<number, Watched>();

  constructor(options: HealthMonitorOptions) {
    const { board, log, counters, checksAtOnceMax, random = Math.random } = options;
    this.#context = { board, log, counters, random, queue: new CheckQueue(checksAtOnceMax) };
    this.#makeProbe = options.makeProbe ?? ((plan) => makeProbe(plan.healthCheck!, plan));
  }

  /**
   * Watches what the plan wants watched. Where nothing has changed, checks go on as they were; what is known of an endpoint stays; who is not checked any
   * more is as good as any.
   */
  apply(plan: Plan): void {
    const before = this.#watched;
    this.#watched = new Map();
    for (const cluster of plan.clusters) {
      if (cluster.healthCheck === undefined) continue;
      const probe = this.#makeProbe(cluster);
      for (const endpoint of cluster.endpoints) {
        const known = before.get(endpoint.slot);
        const stays = known !== undefined && isSame(known, cluster, endpoint);
        this.#watched.set(endpoint.slot, stays ? known : this.#watch(cluster, endpoint, probe));
      }
    }
    const { board } = this.#context;
    for (const [slot, { watch, endpoint }] of before) {
      const now = this.#watched.get(slot);
      if (now?.watch === watch) continue;
      watch.stop();
      if (now?.endpoint.key !== endpoint.key) board.setHealth(slot, Health.UNKNOWN);
    }
    for (const [slot, { watch }] of this.#watched) if (before.get(slot)?.watch !== watch) watch.start();
  }

  stop(): void {
    for (const { watch } of this.#watched.values()) watch.stop();
    this.#watched.clear();
  }

  #watch(cluster: ClusterPlan, endpoint: EndpointPlan, probe: Probe): Watched {
    const watch = new EndpointWatch(cluster.name, endpoint, cluster.healthCheck!, probe, this.#context);
    return { cluster, endpoint, watch };
  }
}

function isSame(known: Watched, cluster: ClusterPlan, endpoint: EndpointPlan): boolean {
  return (
    known.endpoint.key === endpoint.key &&
    known.endpoint.serverName === endpoint.serverName &&
    known.cluster.tls?.key === cluster.tls?.key &&
    known.cluster.name === cluster.name &&
    known.cluster.proxyProtocol === cluster.proxyProtocol &&
    isDeepStrictEqual(known.cluster.healthCheck, cluster.healthCheck)
  );
}
