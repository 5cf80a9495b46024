import { Board } from '../../../src/contract/board.ts';
import type { ClusterPlan, EndpointPlan, Plan, PolicyName } from '../../../src/contract/plan.ts';
import { finish } from '../../../src/core/slices.ts';
import { Dispatcher } from '../../../src/engine/dispatcher.ts';
import { SecureContexts } from '../../../src/engine/secure-contexts.ts';
import { TrafficCounters } from '../../../src/observe/traffic-counters.ts';
import type { ClusterSet, PlannedClusters } from '../../../src/upstream/cluster-set.ts';
import { Endpoint } from '../../../src/upstream/endpoint.ts';
import { FakeEngine } from './fake-engine.ts';

export function endpointPlan(slot: number, weight = 1): EndpointPlan {
  const host = `10.0.${slot >> 8}.${slot & 255}`;
  return {
    slot,
    weight,
    name: `${host}:9000`,
    key: `${host}:9000`,
    address: { family: 4, host, port: 9000 },
  };
}

/** As by default. */
const RETRY = { attempts: 2, budgetPercent: 20, bodyMaxBytes: 65_536 };

export function clusterPlan(endpoints: readonly EndpointPlan[], policy: PolicyName = 'round-robin'): ClusterPlan {
  return { slot: 0, name: 'origin', policy, endpoints, connectMs: 500, poolIdleMs: 4000, retry: RETRY };
}

/** Prepares the plan and puts it in force. */
export function takeOver(clusters: ClusterSet, plan: Plan): PlannedClusters {
  const planned = finish(clusters.prepare(plan));
  planned.takeOver();
  return planned;
}

/** A board, an engine without sockets, and endpoints on both. */
export class UpstreamFixture {
  readonly engine = new FakeEngine();
  readonly dispatcher = new Dispatcher(this.engine);
  readonly board = Board.create(2);
  readonly contexts = new SecureContexts(this.engine);
  readonly counters = new TrafficCounters();
  readonly context = {
    dispatcher: this.dispatcher,
    board: this.board,
    shard: 0,
    contexts: this.contexts,
    counters: this.counters,
  };

  constructor() {
    this.dispatcher.start();
  }

  /** `count` endpoints with slots from 0. */
  endpoints(count: number): Endpoint[] {
    return Array.from({ length: count }, (_, slot) => new Endpoint(endpointPlan(slot), 'api', this.context));
  }

  /** Runs what was written outside a round and returns it. */
  orders(): string[] {
    this.dispatcher.commands.flush();
    return this.engine.takeOrders();
  }
}
