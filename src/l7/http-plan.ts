import type { HttpListenerPlan } from '../contract/plan.ts';
import type { RequestCounter } from '../observe/traffic-counters.ts';
import type { ListenerContext } from '../upstream/listener-context.ts';
import { PATH_KEEP_EMPTY_SEGMENTS, PATH_KEEP_ENCODED_SLASHES } from './path.ts';
import { compileRoute, type Route } from './route-target.ts';
import { compileRoutes, type Router } from './routing/router.ts';

export type { RouteTarget } from './route-target.ts';

type PlanContext = Pick<ListenerContext, 'clusters' | 'counters' | 'random'>;

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
  /** Room that a request may take of the scratch because of its route. */
  readonly scratchBytes: number;

  /** `before`: the plan that this one takes the place of. */
  constructor(listener: HttpListenerPlan, context: PlanContext, before?: HttpPlan) {
    const { clusters, counters, random } = context;
    this.listener = listener;
    this.router = compileRoutes(listener.routes);
    this.routes = listener.routes.map((plan) => compileRoute(plan, listener.name, clusters, counters, random));
    this.unrouted = counters.requestCounter(listener.name, '', '');
    this.bodyMaxBytes = listener.limits.bodyMaxBytes ?? Number.POSITIVE_INFINITY;
    this.pathOptions = pathOptionsOf(listener);
    this.scratchBytes = this.routes.reduce((most, { scratchBytes }) => Math.max(most, scratchBytes), 0);
    if (before !== undefined) this.#continueFrom(before);
  }

  #continueFrom(before: HttpPlan): void {
    const byName = new Map(before.routes.map((route) => [route.plan.name, route.targets]));
    for (const { plan, targets } of this.routes) {
      const former = byName.get(plan.name);
      if (former !== undefined) targets?.continueFrom(former);
    }
  }
}

/** For `normalizePath`. */
export function pathOptionsOf({ paths }: HttpListenerPlan): number {
  const keepsEncoded = paths?.encodedSlashes === 'keep' ? PATH_KEEP_ENCODED_SLASHES : 0;
  return keepsEncoded | (paths?.mergeSlashes === false ? PATH_KEEP_EMPTY_SEGMENTS : 0);
}
