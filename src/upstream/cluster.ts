import type { ClusterPlan } from '../contract/plan.ts';
import type { Endpoint } from './endpoint.ts';
import type { Policy } from './policy/policy.ts';
import type { TriedEndpoints } from './tried-endpoints.ts';

/** A named group of interchangeable endpoints and the policy that picks among them. Belongs to one plan. */
export class Cluster {
  readonly plan: ClusterPlan;
  readonly endpoints: readonly Endpoint[];
  readonly policy: Policy;

  constructor(plan: ClusterPlan, endpoints: readonly Endpoint[], policy: Policy) {
    this.plan = plan;
    this.endpoints = endpoints;
    this.policy = policy;
  }

  /**
   * An endpoint to try, or undefined if none is left. `hash`: unsigned 32 bits, see `ClientAddress.hash`. The caller adds the endpoint to
   * `tried` and enters it. Hot path: no allocation.
   */
  pick(hash: number, tried: TriedEndpoints): Endpoint | undefined {
    return this.policy.pick(hash, tried);
  }
}
