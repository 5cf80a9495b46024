import { Board } from '../../src/contract/board.ts';
import { POLICIES } from '../../src/contract/plan.ts';
import { mixHash } from '../../src/core/hash.ts';
import { Random } from '../../src/core/random.ts';
import { Dispatcher } from '../../src/engine/dispatcher.ts';
import { NodeEngine } from '../../src/engine/node-engine.ts';
import { SecureContexts } from '../../src/engine/secure-contexts.ts';
import { TrafficCounters } from '../../src/observe/traffic-counters.ts';
import { Endpoint } from '../../src/upstream/endpoint.ts';
import { makePolicy } from '../../src/upstream/policy/make-policy.ts';
import { TriedEndpoints } from '../../src/upstream/tried-endpoints.ts';
import { type Figure, sample } from './measure.ts';

const RUNS = 50_000;
const COUNTS = [3, 10, 100, 1_000];
const SEED = 1;

/** Picks of an endpoint, in nanoseconds each; `x` is the number of endpoints. */
export function policyPick(): Figure[] {
  const engine = new NodeEngine({ descriptorsMax: 1 });
  const context = {
    dispatcher: new Dispatcher(engine),
    board: Board.create(1),
    shard: 0,
    contexts: new SecureContexts(engine),
    counters: new TrafficCounters(),
  };
  const endpoints = Array.from({ length: Math.max(...COUNTS) }, (_, slot) => {
    const host = `10.0.${slot >> 8}.${slot & 255}`;
    const name = `${host}:80`;
    return new Endpoint({ slot, weight: 1, name, key: name, address: { family: 4, host, port: 80 } }, 'bench', context);
  });
  const tried = new TriedEndpoints();
  return POLICIES.flatMap((policy) =>
    COUNTS.map((count) => {
      const some = endpoints.slice(0, count);
      const weights = new Uint32Array(count).fill(1);
      const made = makePolicy({ policy }, some, weights, new Random(SEED));
      const samples = sample(RUNS, (index) => made.pick(mixHash(index), tried)!.slot + 1);
      return { name: policy, x: count, samples };
    }),
  );
}
