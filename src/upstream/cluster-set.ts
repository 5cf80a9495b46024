import type { ClusterPlan, EndpointPlan, Plan } from '../contract/plan.ts';
import { systemClock } from '../core/clock.ts';
import { invariant } from '../core/invariant.ts';
import type { Random } from '../core/random.ts';
import type { Slices } from '../core/slices.ts';
import { Cluster, type ClusterPolicies } from './cluster.ts';
import { ClusterLimits, type LimitsContext } from './cluster-limits.ts';
import { Endpoint, type EndpointContext, identityOf } from './endpoint.ts';
import { OutlierDetection } from './outlier.ts';
import { makePolicy } from './policy/make-policy.ts';
import type { Policy } from './policy/policy.ts';

/** The clusters of a plan that may not be in force yet. */
export class PlannedClusters {
  readonly #clusters: readonly Cluster[];
  /** From now on these are the clusters of the shard. Between rounds only. Writes commands: flush afterwards. */
  readonly takeOver: () => void;

  constructor(clusters: readonly Cluster[], takeOver: () => void) {
    this.#clusters = clusters;
    this.takeOver = takeOver;
  }

  /** The cluster at that index of the plan. */
  at(index: number): Cluster {
    const cluster = this.#clusters[index];
    invariant(cluster !== undefined, `the plan has no cluster ${index}`);
    return cluster;
  }
}

/**
 * The clusters of the current plan. One that a new plan changes gets a new Cluster object, so that work in flight ends with the one it began with;
 * endpoints that stay keep theirs with their idle connections, and a cluster whose endpoints stay keeps its policy and whose turn it is.
 */
export class ClusterSet {
  readonly #context: EndpointContext;
  readonly #random: Random;
  readonly #limitsContext: LimitsContext;
  #clusters: readonly Cluster[] = [];
  #endpointsBySlot = new Map<number, Endpoint>();
  #sweptEpoch = 0;

  constructor(context: EndpointContext, random: Random) {
    this.#context = context;
    this.#random = random;
    const { board, shard, dispatcher } = context;
    this.#limitsContext = { board, shard, flush: () => dispatcher.commands.flush(), nowMs: () => systemClock.nowMs() };
  }

  /** Builds the clusters of the next plan beside those of the current one; nothing else may be prepared until they take over. */
  *prepare(plan: Plan): Slices<PlannedClusters> {
    const endpoints = new Map<number, Endpoint>();
    const byName = new Map(this.#clusters.map((cluster) => [cluster.plan.name, cluster]));
    const clusters: Cluster[] = [];
    for (const cluster of plan.clusters) {
      clusters.push(this.#build(cluster, endpoints, byName.get(cluster.name)));
      yield;
    }
    return new PlannedClusters(clusters, () => this.#replace(clusters, endpoints));
  }

  #replace(clusters: readonly Cluster[], endpoints: Map<number, Endpoint>): void {
    const before = this.#endpointsBySlot;
    for (const cluster of this.#clusters) cluster.isCurrent = false;
    for (const cluster of clusters) cluster.isCurrent = true;
    this.#clusters = clusters;
    this.#endpointsBySlot = endpoints;
    for (const endpoint of before.values()) {
      if (endpoints.get(endpoint.slot) !== endpoint) endpoint.retire();
    }
  }

  /** Closes idle connections that other shards wait for. Writes commands: flush afterwards. */
  spareIdle(): void {
    for (const { limits } of this.#clusters) limits?.spareIdle();
  }

  /** Closes idle connections to endpoints that take no new work. Writes commands: flush afterwards. */
  closeUnused(): void {
    const { epoch } = this.#context.board;
    if (epoch === this.#sweptEpoch) return;
    this.#sweptEpoch = epoch;
    for (const endpoint of this.#endpointsBySlot.values()) if (!endpoint.isInService) endpoint.pool.closeIdle();
  }

  /** Retires every endpoint. Writes commands: flush afterwards. */
  close(): void {
    for (const endpoint of this.#endpointsBySlot.values()) endpoint.retire();
    this.#endpointsBySlot.clear();
  }

  #build(plan: ClusterPlan, endpoints: Map<number, Endpoint>, before: Cluster | undefined): Cluster {
    const own = plan.endpoints.map((endpointPlan) => this.#keepOrMake(endpointPlan, plan, endpoints));
    if (before?.plan === plan && hasSameMembers(plan, own, before)) return before;
    return new Cluster(plan, own, {
      policies: this.#policiesFor(plan, own, before),
      outlier: this.#outlierFor(plan, own),
      limits: plan.limits && new ClusterLimits(plan.limits, plan.slot, own, this.#limitsContext),
      board: this.#context.board,
      counter: this.#context.counters.clusterCounter(plan.name),
    });
  }

  #outlierFor(plan: ClusterPlan, endpoints: readonly Endpoint[]): OutlierDetection | undefined {
    const { board, warn } = this.#context;
    if (plan.outlier === undefined) return undefined;
    return new OutlierDetection(plan.outlier, board, endpoints, (endpoint, ms) => {
      endpoint.counter.ejections++;
      warn?.(`cluster ${plan.name}: ${endpoint.key} is ejected for ${ms / 1000} s, it failed several times in a row`);
    });
  }

  #keepOrMake(plan: EndpointPlan, { name, tls }: ClusterPlan, endpoints: Map<number, Endpoint>): Endpoint {
    const known = endpoints.get(plan.slot) ?? this.#endpointsBySlot.get(plan.slot);
    const isSame = known?.identity === identityOf(plan, tls);
    const endpoint = isSame ? known : new Endpoint(plan, name, this.#context, tls);
    endpoints.set(plan.slot, endpoint);
    return endpoint;
  }

  /** Those of the plan before, where nothing has changed for them: so they know whose turn it is. */
  #policiesFor(plan: ClusterPlan, endpoints: readonly Endpoint[], before: Cluster | undefined): ClusterPolicies {
    if (before !== undefined && hasSamePolicy(plan, before.plan) && hasSameMembers(plan, endpoints, before)) {
      return before.policies;
    }
    const isBackup = (index: number) => plan.endpoints[index]!.isBackup === true;
    const indexes = [...endpoints.keys()];
    const backups = indexes.filter(isBackup);
    return {
      primaries: this.#policyOver(
        plan,
        endpoints,
        indexes.filter((index) => !isBackup(index)),
      ),
      backups: backups.length === 0 ? undefined : this.#policyOver(plan, endpoints, backups),
    };
  }

  #policyOver(plan: ClusterPlan, endpoints: readonly Endpoint[], indexes: readonly number[]): Policy {
    const weights = Uint32Array.from(indexes, (index) => plan.endpoints[index]!.weight);
    const own = indexes.map((index) => endpoints[index]!);
    return makePolicy(plan, own, weights, this.#random);
  }
}

function hasSamePolicy(plan: ClusterPlan, before: ClusterPlan): boolean {
  return plan.policy === before.policy && plan.boundedLoadFactor === before.boundedLoadFactor;
}

function hasSameMembers(plan: ClusterPlan, endpoints: readonly Endpoint[], before: Cluster): boolean {
  return (
    endpoints.length === before.endpoints.length &&
    endpoints.every((endpoint, index) => {
      const { weight, isBackup } = plan.endpoints[index]!;
      const former = before.plan.endpoints[index]!;
      return endpoint === before.endpoints[index] && weight === former.weight && isBackup === former.isBackup;
    })
  );
}
