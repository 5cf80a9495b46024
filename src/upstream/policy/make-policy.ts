import type { PolicyName } from '../../contract/plan.ts';
import type { Random } from '../../core/random.ts';
import type { Endpoint } from '../endpoint.ts';
import { LeastRequestPolicy } from './least-request.ts';
import { MaglevPolicy } from './maglev.ts';
import type { Policy, Weights } from './policy.ts';
import { RandomPolicy } from './random.ts';
import { RoundRobinPolicy, WeightedRoundRobinPolicy } from './round-robin.ts';
import { SourceHashPolicy } from './source-hash.ts';

/** The policy of that name over these endpoints. `weights` has one entry per endpoint. */
export function makePolicy(name: PolicyName, endpoints: readonly Endpoint[], weights: Weights, random: Random): Policy {
  switch (name) {
    case 'round-robin':
      return weights.every((weight) => weight === weights[0])
        ? new RoundRobinPolicy(endpoints, random)
        : new WeightedRoundRobinPolicy(endpoints, weights);
    case 'random':
      return new RandomPolicy(endpoints, weights, random);
    case 'least-request':
      return new LeastRequestPolicy(endpoints, weights, random);
    case 'source-hash':
      return new SourceHashPolicy(endpoints, weights);
    case 'maglev':
      return new MaglevPolicy(endpoints, weights);
  }
}
