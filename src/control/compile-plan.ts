/** Turns the configuration, and what its host names resolve to, into the plan that every shard carries out. */
import type { ClusterConfig, Config, EndpointConfig, ListenerConfig } from '../config/config.ts';
import type { RouteConfig } from '../config/route-config.ts';
import { CLUSTER_SLOTS_MAX, ClusterCount, type ClusterCountName, ENDPOINT_SLOTS_MAX } from '../contract/board.ts';
import type { ClusterPlan, EndpointPlan, ListenerPlan, Plan, RoutePlan } from '../contract/plan.ts';
import { type EndpointAddress, formatAddress, type SocketAddress } from '../core/address.ts';
import { ProxyError } from '../core/errors.ts';
import { invariant } from '../core/invariant.ts';
import { LISTENERS_MAX } from '../engine/protocol.ts';
import { SlotRegistry } from './slot-registry.ts';

const WEIGHT_MAX = 1000;

/** Where an endpoint can be reached now; numeric addresses are their own answer. At least one. */
export type AddressesOf = (address: EndpointAddress) => readonly SocketAddress[];

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

  /** Throws ProxyError `config_invalid` if there are more listeners or endpoints than slots; then the former plan stays as it is. */
  compile(config: Config, addressesOf: AddressesOf): Plan {
    const clusterIndexes = new Map(config.clusters.map((cluster, index) => [cluster.name, index]));
    const clusterIndex = (name: string) => {
      const index = clusterIndexes.get(name);
      invariant(index !== undefined, `the configuration was checked, but cluster ${name} is missing`);
      return index;
    };
    const listenerSlots = assign(this.#listenerSlots, config.listeners.map(listenerKey), 'listeners').slots;
    const clusters = this.#compileClusters(config.clusters, addressesOf);
    this.#version += 1;
    return {
      version: this.#version,
      listeners: config.listeners.map((listener) =>
        compileListener(listener, listenerSlots.get(listenerKey(listener))!, clusterIndex),
      ),
      clusters,
    };
  }

  #compileClusters(clusters: readonly ClusterConfig[], addressesOf: AddressesOf): readonly ClusterPlan[] {
    const unnumbered = clusters.map((cluster) => ({ cluster, endpoints: resolveEndpoints(cluster, addressesOf) }));
    const keys = unnumbered.flatMap(({ cluster, endpoints }) => endpoints.map(({ key }) => slotKey(cluster.name, key)));
    const { slots, added } = assign(this.#endpointSlots, keys, 'endpoints');
    for (const slot of added) this.#board.clearEndpoint(slot);
    const names = clusters.map(({ name }) => name);
    const clusterSlots = assign(this.#clusterSlots, names, 'clusters');
    for (const slot of clusterSlots.added) this.#board.clearCluster(slot);
    return unnumbered.map(({ cluster, endpoints }) => ({
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
      drainMs: cluster.drainMs,
    }));
  }
}

function isAtWork(board: BoardSlots, slot: number): boolean {
  return Object.values(ClusterCount).some((count) => board.clusterCount(slot, count) !== 0);
}

function assign(registry: SlotRegistry, keys: readonly string[], what: string) {
  const assigned = registry.assign(keys);
  if (assigned === undefined)
    throw new ProxyError('config_invalid', `${keys.length} ${what} are more than there is room for`);
  return assigned;
}

/** Names have no space in them, so that two names and an address never run into each other. */
function slotKey(clusterName: string, endpointKey: string): string {
  return `${clusterName} ${endpointKey}`;
}

function listenerKey(listener: ListenerConfig): string {
  return `${listener.name} ${formatAddress(listener.address)}`;
}

/** `clusterIndex`: of the cluster with that name, in the plan. */
export function compileListener(
  listener: ListenerConfig,
  slot: number,
  clusterIndex: (name: string) => number,
): ListenerPlan {
  const base = {
    slot,
    name: listener.name,
    address: formatAddress(listener.address),
    trustedProxies: listener.trustedProxies,
    proxyProtocol: listener.proxyProtocol,
    connectionsMaxCount: listener.limits.connectionsMaxCount,
  };
  if (listener.protocol === 'tcp') {
    return { ...base, protocol: 'tcp', cluster: clusterIndex(listener.cluster), idleMs: listener.timeouts.idleMs };
  }
  const { paths, timeouts, limits, forwardedHeader, requestId, via, underscores } = listener;
  const routes = listener.routes.map((route) => compileRoute(route, clusterIndex));
  return { ...base, protocol: 'http', routes, paths, timeouts, limits, forwardedHeader, requestId, via, underscores };
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
    for (const resolved of resolveEndpoint(endpoint, addressesOf)) {
      const former = byKey.get(resolved.key);
      byKey.set(resolved.key, former === undefined ? resolved : both(former, resolved));
    }
  }
  return [...byKey.values()];
}

function resolveEndpoint(endpoint: EndpointConfig, addressesOf: AddressesOf): readonly UnnumberedEndpoint[] {
  return addressesOf(endpoint.address).map((address) => {
    const { name, weight, isBackup } = endpoint;
    return { name, address, key: formatAddress(address), weight, isBackup };
  });
}

type UnnumberedEndpoint = Omit<EndpointPlan, 'slot'>;

/** Who is also an ordinary endpoint is one. */
function both(endpoint: UnnumberedEndpoint, other: UnnumberedEndpoint): UnnumberedEndpoint {
  const weight = Math.min(WEIGHT_MAX, endpoint.weight + other.weight);
  return { ...endpoint, weight, isBackup: endpoint.isBackup === true && other.isBackup === true };
}
