import type { HttpListenerPlan } from '../contract/plan.ts';
import type { Slices } from '../core/slices.ts';
import { type RequestCounter, TIMED_ROUTES_MAX } from '../observe/traffic-counters.ts';
import type { PlannedClusters } from '../upstream/cluster-set.ts';
import type { ListenerContext } from '../upstream/listener-context.ts';
import { type HostPolicies, hostPoliciesOf } from './host-policies.ts';
import { PATH_KEEP_EMPTY_SEGMENTS, PATH_KEEP_ENCODED_SLASHES } from './path.ts';
import { compileRoute, type Route } from './route-target.ts';
import { compileRoutesInSlices, type Router } from './routing/router.ts';

export type { RouteTarget } from './route-target.ts';

type PlanContext = Pick<ListenerContext, 'counters' | 'random'>;

/** What a listener's plan compiles to: immutable but for whose turn it is, one per plan and shard. */
export class HttpPlan {
  readonly listener: HttpListenerPlan;
  readonly router: Router;
  readonly routes: readonly Route[];
  /** Requests that reached no route. */
  readonly unrouted: RequestCounter;
  /** Infinity: no limit. */
  readonly bodyMaxBytes: number;
  /** For `normalizePath`. */
  readonly pathOptions: number;
  /** Whether clients speak TLS with us. */
  readonly isSecure: boolean;
  /** Undefined: all hosts ask the same of clients. */
  readonly hostPolicies: HostPolicies | undefined;
  /** Room that a request may take of the scratch because of its route. */
  readonly scratchBytes: number;

  private constructor(listener: HttpListenerPlan, router: Router, routes: readonly Route[], unrouted: RequestCounter) {
    this.listener = listener;
    this.router = router;
    this.routes = routes;
    this.unrouted = unrouted;
    this.bodyMaxBytes = listener.limits.bodyMaxBytes ?? Number.POSITIVE_INFINITY;
    this.pathOptions = pathOptionsOf(listener);
    this.isSecure = listener.tls !== undefined;
    this.hostPolicies = hostPoliciesOf(listener.tls);
    this.scratchBytes = this.routes.reduce((most, { scratchBytes }) => Math.max(most, scratchBytes), 0);
  }

  /** `before`: the plan that this one takes the place of. */
  static *compile(
    listener: HttpListenerPlan,
    clusters: PlannedClusters,
    { counters, random }: PlanContext,
    before?: HttpPlan,
  ): Slices<HttpPlan> {
    const router = yield* compileRoutesInSlices(listener.routes);
    const routes: Route[] = [];
    const areTimed = listener.routes.length <= TIMED_ROUTES_MAX;
    for (const plan of listener.routes) {
      routes.push(compileRoute(plan, listener, clusters, { counters, random, isTimed: areTimed }));
      yield;
    }
    if (before !== undefined) yield* continueRoutes(routes, before.routes);
    return new HttpPlan(listener, router, routes, counters.requestCounter(listener.name, '', ''));
  }
}

/** Shares go on where those of the same route stood. */
function* continueRoutes(routes: readonly Route[], before: readonly Route[]): Slices<void> {
  const byName = new Map<string, Route>();
  for (const route of before) {
    byName.set(route.plan.name, route);
    yield;
  }
  for (const { plan, targets } of routes) {
    const former = byName.get(plan.name)?.targets;
    if (former !== undefined) targets?.continueFrom(former);
    yield;
  }
}

/** For `normalizePath`. */
export function pathOptionsOf({ paths }: HttpListenerPlan): number {
  const keepsEncoded = paths?.encodedSlashes === 'keep' ? PATH_KEEP_ENCODED_SLASHES : 0;
  return keepsEncoded | (paths?.mergeSlashes === false ? PATH_KEEP_EMPTY_SEGMENTS : 0);
}
