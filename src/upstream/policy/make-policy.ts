import type { ClusterPlan } from '../../contract/plan.ts';
import type { Random } from '../../core/random.ts';
import type { Endpoint } from '../endpoint.ts';
import { LeastRequestPolicy } from './least-request.ts';
import { LeastTimePolicy } from './least-time.ts';
import { LoadBound } from './load-bound.ts';
import { MaglevPolicy } from './maglev.ts';
import type { Policy, Weights } from './policy.ts';
import { RandomPolicy } from './random.ts';
import { RingHashPolicy } from './ring-hash.ts';
import { RoundRobinPolicy, WeightedRoundRobinPolicy } from './round-robin.ts';
import { SourceHashPolicy } from './source-hash.ts';

/** The policy that the cluster's plan names, over these endpoints of it. `weights` has one entry per endpoint. */
export function makePolicy(
  plan: Pick<ClusterPlan, 'policy' | 'boundedLoadFactor'>,
  endpoints: readonly Endpoint[],
  weights: Weights,
  random: Random,
): Policy {
  const { boundedLoadFactor: factor } = plan;
  const bound = (over: readonly Endpoint[], by: Weights) =>
    factor === undefined ? undefined : new LoadBound(over, by, factor);
  switch (plan.policy) {
    case 'round-robin':
      return weights.every((weight) => weight === weights[0])
        ? new RoundRobinPolicy(endpoints, random)
        : new WeightedRoundRobinPolicy(endpoints, weights);
    case 'random':
      return new RandomPolicy(endpoints, weights, random);
    case 'least-request':
      return new LeastRequestPolicy(endpoints, weights, random);
    case 'least-time':
      return new LeastTimePolicy(endpoints, weights, random);
    case 'source-hash':
      return new SourceHashPolicy(endpoints, weights, bound(endpoints, weights));
    case 'ring-hash':
      return new RingHashPolicy(endpoints, weights, bound);
    case 'maglev':
      return new MaglevPolicy(endpoints, weights, bound);
  }
}
