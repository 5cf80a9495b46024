/** What a route leads to, compiled once, and again when something of it changes. */
import type { ForwardAction, HashOn, ListenerPlan, RoutePlan } from '../contract/plan.ts';
import type { Random } from '../core/random.ts';
import type { RequestCounter, TrafficCounters } from '../observe/traffic-counters.ts';
import { type Cluster, goesByHash } from '../upstream/cluster.ts';
import type { PlannedClusters } from '../upstream/cluster-set.ts';
import { compileDirectResponse, type DirectResponse } from './direct-response.ts';
import { compileHashKey, type HashKey } from './hash-key.ts';
import { HeaderEdits } from './header-edits.ts';
import { compileRequestChanges, onOwnConnection, type RequestChanges } from './request-changes.ts';
import { Stickiness } from './stickiness.ts';
import { WeightedTargets } from './weighted-targets.ts';

/** A route and one of its clusters. An exchange keeps the one it began with. */
export interface RouteTarget {
  readonly plan: ForwardAction;
  readonly cluster: Cluster;
  readonly counter: RequestCounter;
  /** Undefined: requests go on as they are. */
  readonly requestChanges: RequestChanges | undefined;
  /** Undefined: the policy goes by no hash. */
  readonly hashKey: HashKey | undefined;
  /** Undefined: clients belong to no endpoint. */
  readonly stickiness: Stickiness | undefined;
  /** Undefined: responses come back as they are. */
  readonly responseEdits: HeaderEdits | undefined;
}

const BY_SOURCE: HashOn = { kind: 'source' };

export type Route = ForwardRoute | DirectRoute;

interface CompiledRoute {
  readonly plan: RoutePlan;
  /** Room that a request to this route may take of the scratch. */
  readonly scratchBytes: number;
}

interface ForwardRoute extends CompiledRoute {
  readonly targets: WeightedTargets;
}

/** Has an answer of its own. */
interface DirectRoute extends CompiledRoute {
  readonly targets: undefined;
  readonly direct: DirectResponse;
  readonly counter: RequestCounter;
}

interface RouteContext {
  readonly counters: TrafficCounters;
  readonly random: Random;
  /** Whether the route's durations are told apart from those of others. */
  readonly isTimed?: boolean;
}

/** `listener`: whose route it is. `before`: the route of that name in the plan before; where its shares stood, those of this one go on. */
export function compileRoute(
  plan: RoutePlan,
  listener: Pick<ListenerPlan, 'name' | 'tls'>,
  clusters: PlannedClusters,
  { counters, random, isTimed = true }: RouteContext,
  before?: Route,
): Route {
  const { action, name } = plan;
  if (action.kind !== 'forward') {
    const direct = compileDirectResponse(plan, action, listener.tls === undefined ? 'http' : 'https');
    const counter = counters.requestCounter(listener.name, name, '', isTimed);
    return { plan, direct, targets: undefined, counter, scratchBytes: direct.scratchBytes };
  }
  const requestChanges = compileRequestChanges(action, plan.match);
  const responseEdits = plan.responseHeaders && new HeaderEdits(plan.responseHeaders);
  const targets = action.clusters.map((share): RouteTarget => {
    const cluster = clusters.at(share.cluster);
    const counter = counters.requestCounter(listener.name, name, cluster.plan.name, isTimed);
    // A PROXY header speaks for one client, and so for all requests of its connection.
    const isShared = (cluster.plan.proxyProtocol ?? 'off') === 'off';
    const changes = isShared ? requestChanges : onOwnConnection(requestChanges);
    const { stickiness: sticky, hashOn = BY_SOURCE } = cluster.plan;
    const hashKey = goesByHash(cluster.plan) ? compileHashKey(hashOn, random) : undefined;
    const stickiness = sticky && new Stickiness(cluster, sticky, listener.tls !== undefined);
    return { plan: action, cluster, counter, requestChanges: changes, hashKey, stickiness, responseEdits };
  });
  const weights = action.clusters.map(({ weight }) => weight);
  const shares = new WeightedTargets(targets, weights);
  if (before?.targets !== undefined) shares.continueFrom(before.targets);
  return { plan, targets: shares, scratchBytes: requestChanges?.scratchBytes ?? 0 };
}

/** Whether the clusters that the route was compiled with are those of its plan in `clusters`, too. */
export function leadsTo({ plan: { action }, targets }: Route, clusters: PlannedClusters): boolean {
  if (action.kind !== 'forward' || targets === undefined) return true;
  return action.clusters.every(({ cluster }, index) => clusters.at(cluster) === targets.clusterAt(index));
}
