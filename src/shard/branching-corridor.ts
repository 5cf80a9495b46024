import type { EndpointRef } from '../contract/messages.ts';
import type { ListenerPlan, TcpListenerPlan } from '../contract/plan.ts';
import type { Slices } from '../core/slices.ts';
import type { ClientAddress } from '../downstream/client-address.ts';
import { TcpListener } from '../l4/tcp-listener.ts';
import type { PlannedClusters } from '../upstream/cluster-set.ts';
import type { ListenerContext } from '../upstream/listener-context.ts';
import type { Corridor } from './corridor.ts';

/** As the usual `timeouts.idle` of a tcp listener: what is passed through an http listener says nothing of its own. */
const PASSED_IDLE_MS = 3_600_000;

/** A corridor with others beside it, for the connections that TLS rules pass on untouched: one for each rule. */
export class BranchingCorridor implements Corridor {
  readonly #context: ListenerContext;
  readonly #main: Corridor;
  #branches: readonly TcpListener[];
  /** Of rules that are no longer there: their sessions go on. */
  #leaving: readonly TcpListener[] = [];
  #onConnectionOver: (() => void) | undefined;

  constructor(context: ListenerContext, main: Corridor, plan: ListenerPlan, clusters: PlannedClusters) {
    this.#context = context;
    this.#main = main;
    this.#branches = branchPlans(plan).map((branch) => new TcpListener(context, branch, clusters));
  }

  *prepare(plan: ListenerPlan, clusters: PlannedClusters): Slices<() => void> {
    const steps = [yield* this.#main.prepare(plan, clusters)];
    const before = this.#branches;
    const branches: TcpListener[] = [];
    for (const [index, branchPlan] of branchPlans(plan).entries()) {
      const known = before[index];
      if (known !== undefined) steps.push(yield* known.prepare(branchPlan, clusters));
      branches.push(known ?? new TcpListener(this.#context, branchPlan, clusters));
    }
    return () => {
      for (const step of steps) step();
      this.#branches = branches;
      this.#leaving = [...this.#leaving, ...before.slice(branches.length)].filter(({ activeCount }) => activeCount > 0);
      this.onConnectionOver = this.#onConnectionOver;
    };
  }

  get branches(): readonly TcpListener[] {
    return this.#branches;
  }

  get #all(): readonly Corridor[] {
    return [this.#main, ...this.#branches, ...this.#leaving];
  }

  get activeCount(): number {
    return this.#all.reduce((sum, { activeCount }) => sum + activeCount, 0);
  }

  get connectionCount(): number {
    return this.#all.reduce((sum, { connectionCount }) => sum + connectionCount, 0);
  }

  get onConnectionOver(): (() => void) | undefined {
    return this.#onConnectionOver;
  }

  set onConnectionOver(call: (() => void) | undefined) {
    this.#onConnectionOver = call;
    for (const corridor of this.#all) corridor.onConnectionOver = call;
  }

  onAccepted(id: number, family: number, port: number, addressOffset: number): void {
    this.#main.onAccepted(id, family, port, addressOffset);
  }

  adopt(id: number, client: ClientAddress, destination: ClientAddress | undefined): void {
    this.#main.adopt(id, client, destination);
  }

  closeIdle(): void {
    for (const corridor of this.#all) corridor.closeIdle();
  }

  cutWorkOn(isMeant: (endpoint: EndpointRef) => boolean): number {
    return this.#all.reduce((sum, corridor) => sum + corridor.cutWorkOn(isMeant), 0);
  }

  cutAll(): number {
    return this.#all.reduce((sum, corridor) => sum + corridor.cutAll(), 0);
  }
}

/** Each rule as a listener of its own. */
function branchPlans(plan: ListenerPlan): readonly TcpListenerPlan[] {
  const { slot, name, address, accessLog } = plan;
  const idleMs = plan.protocol === 'tcp' ? plan.idleMs : PASSED_IDLE_MS;
  return (plan.tls?.passthrough ?? []).map(({ cluster }) => ({
    slot,
    name,
    address,
    protocol: 'tcp',
    cluster,
    idleMs,
    accessLog,
  }));
}
