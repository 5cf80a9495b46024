import { type Board, boardTick, TICK_MS } from '../contract/board.ts';
import type { ClusterPlan } from '../contract/plan.ts';
import type { ClusterCounter } from '../observe/traffic-counters.ts';
import type { ClusterLimits } from './cluster-limits.ts';
import type { Endpoint } from './endpoint.ts';
import type { OutlierDetection } from './outlier.ts';
import type { Policy } from './policy/policy.ts';
import { RetryBudget } from './retry-budget.ts';
import { Selection } from './selection.ts';
import { admitsRamping } from './slow-start.ts';
import type { TriedEndpoints } from './tried-endpoints.ts';

const HASH_POLICIES: ReadonlySet<string> = new Set(['source-hash', 'ring-hash', 'maglev']);

/** Whether the cluster's policy goes by a hash, so that the same client comes to the same endpoint. */
export function goesByHash({ policy }: ClusterPlan): boolean {
  return HASH_POLICIES.has(policy);
}

/** What picks among the endpoints of a cluster. `backups`: undefined where there are none. */
export interface ClusterPolicies {
  readonly primaries: Policy;
  readonly backups: Policy | undefined;
}

export interface ClusterParts {
  readonly policies: ClusterPolicies;
  readonly outlier: OutlierDetection | undefined;
  readonly limits: ClusterLimits | undefined;
  readonly board: Board;
  readonly counter: ClusterCounter;
}

/** A named group of interchangeable endpoints and the policy that picks among them. Belongs to one plan, and to the next as long as nothing in it changes. */
export class Cluster {
  readonly plan: ClusterPlan;
  /** In the order of the plan. */
  readonly endpoints: readonly Endpoint[];
  readonly policies: ClusterPolicies;
  /** Undefined: live traffic is not judged. */
  readonly outlier: OutlierDetection | undefined;
  /** Undefined: none. */
  readonly limits: ClusterLimits | undefined;
  readonly counter: ClusterCounter;
  /** Undefined: nothing is tried again. */
  readonly budget: RetryBudget | undefined;
  /** False once a newer plan has taken over: then that one's cluster derives what may be selected. */
  isCurrent = true;
  /** Whether the policy goes by how long endpoints take. */
  readonly measuresTime: boolean;
  readonly #selection: Selection;
  /** 0: no slow start. */
  readonly #slowStartTicks: number;

  constructor(plan: ClusterPlan, endpoints: readonly Endpoint[], parts: ClusterParts) {
    const { board } = parts;
    this.plan = plan;
    this.endpoints = endpoints;
    this.measuresTime = plan.policy === 'least-time';
    this.policies = parts.policies;
    this.outlier = parts.outlier;
    this.limits = parts.limits;
    this.counter = parts.counter;
    this.budget = plan.retry && new RetryBudget(board.budgetWords(plan.slot), plan.retry.budgetPercent);
    this.#slowStartTicks = goesByHash(plan) ? 0 : Math.ceil((plan.slowStartMs ?? 0) / TICK_MS);
    const backups = endpoints.filter((_, index) => plan.endpoints[index]!.isBackup === true);
    const primaries = endpoints.filter((endpoint) => !backups.includes(endpoint));
    this.#selection = new Selection(board, primaries, backups, this.#slowStartTicks);
  }

  /**
   * An endpoint to try, or undefined if none is left. `hash`: unsigned 32 bits, of what the cluster hashes on. The caller adds the endpoint to
   * `tried` and enters it. Hot path: no allocation.
   */
  pick(hash: number, tried: TriedEndpoints): Endpoint | undefined {
    if (this.isCurrent) this.#selection.look();
    const endpoint = this.#ask(hash, tried);
    if (endpoint === undefined || endpoint.rampStartTick === 0) return endpoint;
    return admitsRamping(endpoint, this.#slowStartTicks) ? endpoint : this.#anotherThan(endpoint, hash, tried);
  }

  #ask(hash: number, tried: TriedEndpoints): Endpoint | undefined {
    return this.policies.primaries.pick(hash, tried) ?? this.policies.backups?.pick(hash, tried);
  }

  /** `endpoint` itself only where there is no other. */
  #anotherThan(endpoint: Endpoint, hash: number, tried: TriedEndpoints): Endpoint {
    endpoint.isSelectable = false;
    const other = this.#ask(hash, tried);
    endpoint.isSelectable = true;
    return other ?? endpoint;
  }

  /** Whether work that belongs to this endpoint may go there: it serves, if only those who know it, and is well. */
  mayStay(endpoint: Endpoint): boolean {
    return endpoint.isServing && endpoint.isWell(boardTick());
  }
}
