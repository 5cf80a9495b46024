/** Turns the configuration, and what its host names resolve to, into the plan that every shard carries out. */
import type {
  ClusterConfig,
  Config,
  EndpointConfig,
  HttpListenerConfig,
  ListenerConfig,
  TracingConfig,
} from '../config/config.ts';
import type { RouteConfig } from '../config/route-config.ts';
import { CLUSTER_SLOTS_MAX, ClusterCount, type ClusterCountName, ENDPOINT_SLOTS_MAX } from '../contract/board.ts';
import type { ClusterPlan, EndpointPlan, ListenerPlan, Plan, RoutePlan } from '../contract/plan.ts';
import { type EndpointAddress, formatAddress, type SocketAddress } from '../core/address.ts';
import { ProxyError } from '../core/errors.ts';
import { invariant } from '../core/invariant.ts';
import { LISTENERS_MAX } from '../engine/protocol.ts';
import type { AcmeChallenge } from './acme/challenge.ts';
import { compileClusterTls, compileListenerTls, serverNameOf } from './compile-tls.ts';
import { type Proposal, SlotRegistry } from './slot-registry.ts';

const WEIGHT_MAX = 1000;

/** Where an endpoint can be reached now; numeric addresses are their own answer. At least one. */
export type AddressesOf = (address: EndpointAddress) => readonly SocketAddress[];

export interface ProposedPlan {
  readonly plan: Plan;
  /** Slots of the listeners that the plan before did not have. */
  readonly addedListeners: ReadonlySet<number>;
  readonly commit: () => void;
}

/** What the compiler asks of the shared board. */
export interface BoardSlots {
  inFlight(slot: number): number;
  clearEndpoint(slot: number): void;
  clusterCount(slot: number, count: ClusterCountName): number;
  clearCluster(slot: number): void;
}

/** Compiles one plan after the other. Versions count from 1; listeners and endpoints that stay keep their slots. */
export class PlanCompiler {
  readonly #board: BoardSlots;
  readonly #listenerSlots = new SlotRegistry(LISTENERS_MAX);
  readonly #endpointSlots: SlotRegistry;
  readonly #clusterSlots: SlotRegistry;
  #version = 0;

  constructor(board: BoardSlots, endpointsMaxCount = ENDPOINT_SLOTS_MAX) {
    this.#board = board;
    this.#endpointSlots = new SlotRegistry(endpointsMaxCount, (slot) => board.inFlight(slot) !== 0);
    this.#clusterSlots = new SlotRegistry(CLUSTER_SLOTS_MAX, (slot) => isAtWork(board, slot));
  }

  /** As `propose`, and so it is. */
  compile(config: Config, addressesOf: AddressesOf): Plan {
    const { plan, commit } = this.propose(config, addressesOf);
    commit();
    return plan;
  }

  /**
   * The next plan, of which nothing is known to anybody before `commit`; nothing else may be proposed until then. Throws ProxyError
   * `config_invalid` if there are more listeners or endpoints than slots.
   */
  propose(config: Config, addressesOf: AddressesOf, challenges: readonly AcmeChallenge[] = []): ProposedPlan {
    const clusterIndexes = new Map(config.clusters.map((cluster, index) => [cluster.name, index]));
    const clusterIndex = (name: string) => {
      const index = clusterIndexes.get(name);
      invariant(index !== undefined, `the configuration was checked, but cluster ${name} is missing`);
      return index;
    };
    const listenerSlots = propose(this.#listenerSlots, config.listeners.map(listenerKey), 'listeners');
    const { clusters, commit } = this.#compileClusters(config.clusters, addressesOf);
    const version = this.#version + 1;
    return {
      plan: {
        version,
        listeners: config.listeners.map((listener) =>
          compileListener(
            listener,
            listenerSlots.slots.get(listenerKey(listener))!,
            clusterIndex,
            challenges,
            config.tracing,
          ),
        ),
        clusters,
      },
      addedListeners: new Set(listenerSlots.added),
      commit: () => {
        this.#version = version;
        listenerSlots.commit();
        commit();
      },
    };
  }

  #compileClusters(
    clusters: readonly ClusterConfig[],
    addressesOf: AddressesOf,
  ): { readonly clusters: readonly ClusterPlan[]; readonly commit: () => void } {
    const unnumbered = clusters.map((cluster) => ({ cluster, endpoints: resolveEndpoints(cluster, addressesOf) }));
    const keys = unnumbered.flatMap(({ cluster, endpoints }) => endpoints.map(({ key }) => slotKey(cluster.name, key)));
    const endpointSlots = propose(this.#endpointSlots, keys, 'endpoints');
    const { slots } = endpointSlots;
    const names = clusters.map(({ name }) => name);
    const clusterSlots = propose(this.#clusterSlots, names, 'clusters');
    const commit = () => {
      endpointSlots.commit();
      clusterSlots.commit();
      for (const slot of endpointSlots.added) this.#board.clearEndpoint(slot);
      for (const slot of clusterSlots.added) this.#board.clearCluster(slot);
    };
    const plans = unnumbered.map(({ cluster, endpoints }) => ({
      slot: clusterSlots.slots.get(cluster.name)!,
      name: cluster.name,
      policy: cluster.policy,
      endpoints: endpoints.map((endpoint) => ({ ...endpoint, slot: slots.get(slotKey(cluster.name, endpoint.key))! })),
      connectMs: cluster.timeouts.connectMs,
      poolIdleMs: cluster.timeouts.idleMs,
      proxyProtocol: cluster.proxyProtocol,
      hashOn: cluster.hashOn,
      boundedLoadFactor: cluster.boundedLoadFactor === 0 ? undefined : cluster.boundedLoadFactor,
      stickiness: cluster.stickiness,
      healthCheck: cluster.healthCheck,
      outlier: cluster.outlier,
      retry: cluster.retry,
      limits: cluster.limits,
      slowStartMs: cluster.slowStartMs === 0 ? undefined : cluster.slowStartMs,
      tls: compileClusterTls(cluster),
      drainMs: cluster.drainMs,
    }));
    return { clusters: plans, commit };
  }
}

function isAtWork(board: BoardSlots, slot: number): boolean {
  return Object.values(ClusterCount).some((count) => board.clusterCount(slot, count) !== 0);
}

function propose(registry: SlotRegistry, keys: readonly string[], what: string): Proposal {
  const proposal = registry.propose(keys);
  if (proposal === undefined)
    throw new ProxyError('config_invalid', `${keys.length} ${what} are more than there is room for`);
  return proposal;
}

/** Names have no space in them, so that two names and an address never run into each other. */
function slotKey(clusterName: string, endpointKey: string): string {
  return `${clusterName} ${endpointKey}`;
}

/** A listener is its address, so that one that is renamed keeps its sockets; but each that asks for any free port has one of its own. */
function listenerKey({ name, address }: ListenerConfig): string {
  const isAnyPort = address.family !== 'unix' && address.port === 0;
  return isAnyPort ? `${name} ${formatAddress(address)}` : formatAddress(address);
}

/** `clusterIndex`: of the cluster with that name, in the plan. */
export function compileListener(
  listener: ListenerConfig,
  slot: number,
  clusterIndex: (name: string) => number,
  challenges: readonly AcmeChallenge[] = [],
  tracing?: TracingConfig,
): ListenerPlan {
  const base = {
    slot,
    name: listener.name,
    address: formatAddress(listener.address),
    trustedProxies: listener.trustedProxies,
    proxyProtocol: listener.proxyProtocol,
    connectionsMaxCount: listener.limits.connectionsMaxCount,
    tls: compileListenerTls(listener, clusterIndex, challenges),
    accessLog: listener.accessLog,
  };
  if (listener.protocol === 'tcp') {
    return { ...base, protocol: 'tcp', cluster: clusterIndex(listener.cluster), idleMs: listener.timeouts.idleMs };
  }
  const { paths, timeouts, limits, forwardedHeader, requestId, via, underscores } = listener;
  const traced = tracing && { tracing: { sample: tracing.sample } };
  const secured = withHsts(listener);
  const routes = [...secured.map((route) => compileRoute(route, clusterIndex)), ...challengeRoutes(challenges)];
  return {
    ...base,
    protocol: 'http',
    routes,
    paths,
    timeouts,
    limits,
    forwardedHeader,
    requestId,
    via,
    underscores,
    ...traced,
  };
}

/** RFC 8555 section 8.3. A host and an exact path: no route of the configuration comes before them. */
function challengeRoutes(challenges: readonly AcmeChallenge[]): readonly RoutePlan[] {
  return challenges.flatMap((challenge) => {
    if (challenge.kind !== 'http-01') return [];
    const { name, token, keyAuthorization } = challenge;
    return {
      name: 'acme-challenge',
      match: { hosts: [name], path: `/.well-known/acme-challenge/${token}` },
      action: { kind: 'respond', status: 200, body: keyAuthorization, contentType: 'application/octet-stream' },
    };
  });
}

/** The routes, each of whose answers says Strict-Transport-Security if the listener wants that (RFC 6797 section 6.1). */
function withHsts({ routes, tls }: HttpListenerConfig): readonly RouteConfig[] {
  if (tls?.hsts === undefined) return routes;
  const { maxAgeS, includesSubdomains, preloads } = tls.hsts;
  const value = `max-age=${maxAgeS}${includesSubdomains ? '; includeSubDomains' : ''}${preloads ? '; preload' : ''}`;
  const line = { name: 'Strict-Transport-Security', value };
  return routes.map((route) => {
    const { set = [], add = [], remove = [] } = route.responseHeaders ?? {};
    return { ...route, responseHeaders: { set: [...set, line], add, remove } };
  });
}

function compileRoute(route: RouteConfig, clusterIndex: (name: string) => number): RoutePlan {
  const { action } = route;
  if (action.kind !== 'forward') return { ...route, action };
  const clusters = action.clusters.map(({ cluster, weight }) => ({ cluster: clusterIndex(cluster), weight }));
  return { ...route, action: { ...action, clusters } };
}

/** A name with several addresses becomes several endpoints. Two names with the same address become one, with the weight of both. */
function resolveEndpoints(cluster: ClusterConfig, addressesOf: AddressesOf): readonly UnnumberedEndpoint[] {
  const byKey = new Map<string, UnnumberedEndpoint>();
  for (const endpoint of cluster.endpoints) {
    for (const resolved of resolveEndpoint(endpoint, addressesOf, serverNameOf(cluster, endpoint))) {
      const former = byKey.get(resolved.key);
      byKey.set(resolved.key, former === undefined ? resolved : both(former, resolved));
    }
  }
  return [...byKey.values()];
}

function resolveEndpoint(
  endpoint: EndpointConfig,
  addressesOf: AddressesOf,
  serverName: string | undefined,
): readonly UnnumberedEndpoint[] {
  return addressesOf(endpoint.address).map((address) => {
    const { name, weight, isBackup } = endpoint;
    return { name, address, key: formatAddress(address), weight, isBackup, serverName };
  });
}

type UnnumberedEndpoint = Omit<EndpointPlan, 'slot'>;

/** Who is also an ordinary endpoint is one. */
function both(endpoint: UnnumberedEndpoint, other: UnnumberedEndpoint): UnnumberedEndpoint {
  const weight = Math.min(WEIGHT_MAX, endpoint.weight + other.weight);
  return { ...endpoint, weight, isBackup: endpoint.isBackup === true && other.isBackup === true };
}
