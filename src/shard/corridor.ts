import type { ListenerPlan } from '../contract/plan.ts';
import type { Slices } from '../core/slices.ts';
import type { ProtocolListener } from '../downstream/protocol-listener.ts';
import { TcpListener } from '../l4/tcp-listener.ts';
import { HttpListener } from '../l7/http-listener.ts';
import type { PlannedClusters } from '../upstream/cluster-set.ts';
import type { ListenerContext } from '../upstream/listener-context.ts';
import { BranchingCorridor } from './branching-corridor.ts';

/** What stands behind the sockets of a listener, and can be told of new plans. */
export interface Corridor extends ProtocolListener {
  /**
   * Makes ready for a plan of its own protocol that leads to `clusters`. What this returns is called between rounds: from then on new
   * connections, and new exchanges on existing ones, use the plan; what is in flight ends with what it began with.
   */
  prepare(plan: ListenerPlan, clusters: PlannedClusters): Slices<() => void>;
}

/** A parameter of the shard, so that a test can put its own there. */
export type MakeCorridor = (
  context: ListenerContext,
  plan: ListenerPlan,
  clusters: PlannedClusters,
) => Slices<Corridor>;

export const makeCorridor: MakeCorridor = function* (context, plan, clusters) {
  const main = yield* makeMain(context, plan, clusters);
  return hasBranches(plan) ? new BranchingCorridor(context, main, plan, clusters) : main;
};

function* makeMain(context: ListenerContext, plan: ListenerPlan, clusters: PlannedClusters): Slices<Corridor> {
  if (plan.protocol === 'tcp') return new TcpListener(context, plan, clusters);
  return yield* HttpListener.make(context, plan, clusters);
}

/** Whether two plans of a listener have the same corridor, which can be told of the next. */
export function isSameCorridor(before: ListenerPlan, after: ListenerPlan): boolean {
  return before.protocol === after.protocol && hasBranches(before) === hasBranches(after);
}

function hasBranches({ tls }: ListenerPlan): boolean {
  return tls !== undefined && tls.passthrough.length > 0;
}
