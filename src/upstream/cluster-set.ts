import type { ClusterPlan, EndpointPlan, Plan } from '../contract/plan.ts';
import { invariant } from '../core/invariant.ts';
import type { Random } from '../core/random.ts';
import { Cluster } from './cluster.ts';
import { Endpoint, type EndpointContext } from './endpoint.ts';
import { makePolicy } from './policy/make-policy.ts';
import type { Policy } from './policy/policy.ts';

/**
 * The clusters of the current plan. A new plan gets new Cluster objects, so that work in flight ends with those it began with; endpoints that
 * stay keep theirs with their idle connections, and a cluster whose endpoints stay keeps its policy and whose turn it is.
 */
export class ClusterSet {
  readonly #context: EndpointContext;
  readonly #random: Random;
  #clusters: readonly Cluster[] = [];
  #endpointsBySlot = new Map<number, Endpoint>();

  constructor(context: EndpointContext, random: Random) {
    this.#context = context;
    this.#random = random;
  }

  /** The cluster at that index of the current plan. */
  at(index: number): Cluster {
    const cluster = this.#clusters[index];
    invariant(cluster !== undefined, `the plan has no cluster ${index}`);
    return cluster;
  }

  /** Between rounds only. Writes commands: flush afterwards. */
  apply(plan: Plan): void {
    const before = this.#endpointsBySlot;
    const endpoints = new Map<number, Endpoint>();
    const byName = new Map(this.#clusters.map((cluster) => [cluster.plan.name, cluster]));
    this.#clusters = plan.clusters.map((cluster) => this.#build(cluster, endpoints, byName.get(cluster.name)));
    this.#endpointsBySlot = endpoints;
    for (const endpoint of before.values()) {
      if (endpoints.get(endpoint.slot) !== endpoint) endpoint.retire();
    }
  }

  /** Retires every endpoint. Writes commands: flush afterwards. */
  close(): void {
    for (const endpoint of this.#endpointsBySlot.values()) endpoint.retire();
    this.#endpointsBySlot.clear();
  }

  #build(plan: ClusterPlan, endpoints: Map<number, Endpoint>, before: Cluster | undefined): Cluster {
    const own = plan.endpoints.map((endpointPlan) => this.#keepOrMake(endpointPlan, endpoints));
    return new Cluster(plan, own, this.#policyFor(plan, own, before));
  }

  #keepOrMake(plan: EndpointPlan, endpoints: Map<number, Endpoint>): Endpoint {
    const known = endpoints.get(plan.slot) ?? this.#endpointsBySlot.get(plan.slot);
    const endpoint = known?.key === plan.key ? known : new Endpoint(plan, this.#context);
    endpoints.set(plan.slot, endpoint);
    return endpoint;
  }

  #policyFor(plan: ClusterPlan, endpoints: readonly Endpoint[], before: Cluster | undefined): Policy {
    if (before !== undefined && before.plan.policy === plan.policy && hasSameMembers(plan, endpoints, before)) {
      return before.policy;
    }
    const weights = Uint32Array.from(plan.endpoints, (endpoint) => endpoint.weight);
    return makePolicy(plan.policy, endpoints, weights, this.#random);
  }
}

function hasSameMembers(plan: ClusterPlan, endpoints: readonly Endpoint[], before: Cluster): boolean {
  return (
    endpoints.length === before.endpoints.length &&
    endpoints.every(
      (endpoint, index) =>
        endpoint === before.endpoints[index] && plan.endpoints[index]!.weight === before.plan.endpoints[index]!.weight,
    )
  );
}
