import type { HttpListenerPlan, RoutePlan } from '../contract/plan.ts';
import type { RequestCounter, TrafficCounters } from '../observe/traffic-counters.ts';
import type { Cluster } from '../upstream/cluster.ts';
import type { ClusterSet } from '../upstream/cluster-set.ts';
import { compileRoutes, type Router } from './routing/router.ts';

/** A route, and what it leads to. An exchange keeps the one it began with. */
export interface RouteTarget {
  readonly plan: RoutePlan;
  readonly cluster: Cluster;
  readonly counter: RequestCounter;
}

/** What a listener's plan compiles to: immutable, one per plan and shard. */
export class HttpPlan {
  readonly listener: HttpListenerPlan;
  readonly router: Router;
  readonly targets: readonly RouteTarget[];
  /** Requests that reached no route. */
  readonly unrouted: RequestCounter;
  /** Infinity: no limit. */
  readonly bodyMaxBytes: number;

  constructor(listener: HttpListenerPlan, clusters: ClusterSet, counters: TrafficCounters) {
    this.listener = listener;
    this.router = compileRoutes(listener.routes);
    this.targets = listener.routes.map((plan) => {
      const cluster = clusters.at(plan.cluster);
      return { plan, cluster, counter: counters.requestCounter(listener.name, plan.name, cluster.plan.name) };
    });
    this.unrouted = counters.requestCounter(listener.name, '', '');
    this.bodyMaxBytes = listener.limits.bodyMaxBytes ?? Number.POSITIVE_INFINITY;
  }
}
