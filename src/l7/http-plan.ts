import type { HttpListenerPlan } from '../contract/plan.ts';
import type { Slices } from '../core/slices.ts';
import { type RequestCounter, TIMED_ROUTES_MAX } from '../observe/traffic-counters.ts';
import type { PlannedClusters } from '../upstream/cluster-set.ts';
import type { ListenerContext } from '../upstream/listener-context.ts';
import { type HostPolicies, hostPoliciesOf } from './host-policies.ts';
import { PATH_KEEP_EMPTY_SEGMENTS, PATH_KEEP_ENCODED_SLASHES } from './path.ts';
import { compileRoute, leadsTo, type Route } from './route-target.ts';
import { compileRoutesInSlices, type Router } from './routing/router.ts';

export type { RouteTarget } from './route-target.ts';

type PlanContext = Pick<ListenerContext, 'counters' | 'random'>;

/** What a listener's plan compiles to: immutable but for whose turn it is, one per plan and shard. Routes that stay as they are belong to several. */
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
    const context = { counters, random, isTimed: areTimed(listener) };
    const former = yield* routesByName(before?.routes ?? []);
    const isSameToRoutes = before !== undefined && areSameToRoutes(listener, before.listener);
    const routes: Route[] = [];
    for (const plan of listener.routes) {
      const known = former.get(plan.name);
      const isKept = isSameToRoutes && known?.plan === plan && leadsTo(known, clusters);
      routes.push(isKept ? known : compileRoute(plan, listener, clusters, context, known));
      yield;
    }
    const router =
      before !== undefined && (yield* haveSameMatches(routes, before.routes))
        ? before.router
        : yield* compileRoutesInSlices(listener.routes);
    return new HttpPlan(listener, router, routes, counters.requestCounter(listener.name, '', ''));
  }
}

function* routesByName(routes: readonly Route[]): Slices<ReadonlyMap<string, Route>> {
  const byName = new Map<string, Route>();
  for (const route of routes) {
    byName.set(route.plan.name, route);
    yield;
  }
  return byName;
}

/** Whether the durations of each route are told apart. */
function areTimed({ routes }: HttpListenerPlan): boolean {
  return routes.length <= TIMED_ROUTES_MAX;
}

/** Whether all that routes compile from besides their own plan is the same. */
function areSameToRoutes(listener: HttpListenerPlan, before: HttpListenerPlan): boolean {
  return (
    listener.name === before.name &&
    (listener.tls === undefined) === (before.tls === undefined) &&
    areTimed(listener) === areTimed(before)
  );
}

/** Whether they look for the same in the same order, so that one router does for both. */
function* haveSameMatches(routes: readonly Route[], others: readonly Route[]): Slices<boolean> {
  if (routes.length !== others.length) return false;
  for (const [index, { plan }] of routes.entries()) {
    if (plan.match !== others[index]!.plan.match) return false;
    yield;
  }
  return true;
}

/** For `normalizePath`. */
export function pathOptionsOf({ paths }: HttpListenerPlan): number {
  const keepsEncoded = paths?.encodedSlashes === 'keep' ? PATH_KEEP_ENCODED_SLASHES : 0;
  return keepsEncoded | (paths?.mergeSlashes === false ? PATH_KEEP_EMPTY_SEGMENTS : 0);
}
