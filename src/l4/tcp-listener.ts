import type { EndpointRef } from '../contract/messages.ts';
import type { ListenerPlan, TcpListenerPlan } from '../contract/plan.ts';
import { invariant } from '../core/invariant.ts';
import type { Slices } from '../core/slices.ts';
import { ClientAddress } from '../downstream/client-address.ts';
import type { ProtocolListener } from '../downstream/protocol-listener.ts';
import type { PlannedClusters } from '../upstream/cluster-set.ts';
import type { ListenerContext } from '../upstream/listener-context.ts';
import { Session, type SessionOwner, type SessionPlan } from './session.ts';

/** Takes the connections of a `protocol: tcp` listener and makes each a session. */
export class TcpListener implements ProtocolListener, SessionOwner {
  readonly context: ListenerContext;
  onConnectionOver: (() => void) | undefined;
  readonly #sessions = new Set<Session>();
  /** Of the connection being accepted. */
  readonly #client = new ClientAddress();
  #plan: SessionPlan;

  constructor(context: ListenerContext, plan: TcpListenerPlan, clusters: PlannedClusters) {
    this.context = context;
    this.#plan = this.#sessionPlan(plan, clusters);
  }

  *prepare(plan: ListenerPlan, clusters: PlannedClusters): Slices<() => void> {
    invariant(plan.protocol === 'tcp', `listener ${plan.name} changed its protocol in place`);
    const next = this.#sessionPlan(plan, clusters);
    return () => {
      this.#plan = next;
    };
  }

  get activeCount(): number {
    return this.#sessions.size;
  }

  get connectionCount(): number {
    return this.#sessions.size;
  }

  onAccepted(id: number, family: number, port: number, addressOffset: number): void {
    this.#client.read(family, port, this.context.dispatcher.engine.events, addressOffset);
    this.#begin(id, this.#client, undefined);
  }

  adopt(id: number, client: ClientAddress, destination: ClientAddress | undefined): void {
    this.#begin(id, client, destination);
  }

  #begin(id: number, client: ClientAddress, destination: ClientAddress | undefined): void {
    const session = new Session(this, this.#plan, id, client, destination);
    this.#sessions.add(session);
    session.start();
  }

  onSessionOver(session: Session): void {
    this.#sessions.delete(session);
    this.onConnectionOver?.();
  }

  closeIdle(): void {
    // A session is in flight from accept to close, however quiet it is.
  }

  cutWorkOn(isMeant: (endpoint: EndpointRef) => boolean): number {
    const meant = [...this.#sessions].filter(({ endpoint }) => endpoint !== undefined && isMeant(endpoint));
    for (const session of meant) session.cut();
    return meant.length;
  }

  cutAll(): number {
    const count = this.#sessions.size;
    for (const session of this.#sessions) session.cut();
    return count;
  }

  #sessionPlan(plan: TcpListenerPlan, clusters: PlannedClusters): SessionPlan {
    const cluster = clusters.at(plan.cluster);
    return {
      cluster,
      counter: this.context.counters.sessionCounter(plan.name, cluster.plan.name),
      idleMs: plan.idleMs,
      accessLog: this.context.accessLogs.logOf(plan.name, plan.accessLog),
    };
  }
}
