import type { ClientAddress } from '../downstream/client-address.ts';
import type { ConnectionHandler } from '../engine/connection-handler.ts';
import { TunnelEnd } from '../engine/protocol.ts';
import type { Phase } from '../observe/access/access-entry.ts';
import type { AccessLog } from '../observe/access/access-log.ts';
import type { SessionCounter, SessionOutcome } from '../observe/traffic-counters.ts';
import { Attempts } from '../upstream/attempts.ts';
import { type Cluster, goesByHash } from '../upstream/cluster.ts';
import type { ClusterLimits, Waiter } from '../upstream/cluster-limits.ts';
import { NO_ROOM } from '../upstream/dialer.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import type { ListenerContext } from '../upstream/listener-context.ts';
import {
  type Announcement,
  PROXY_HEADER_MAX_BYTES,
  type ProxyVersion,
  sendProxyHeader,
} from '../upstream/proxy-header.ts';
import { SessionRecord } from './session-record.ts';

/** What a listener's plan says about its sessions. One object per plan: a session ends with what it began with. */
export interface SessionPlan {
  readonly cluster: Cluster;
  readonly counter: SessionCounter;
  /** Without a byte in either direction. */
  readonly idleMs: number;
  /** Undefined: nobody is told of sessions. */
  readonly accessLog: AccessLog | undefined;
}

/** Who keeps count of the sessions. */
export interface SessionOwner {
  readonly context: ListenerContext;
  onSessionOver(session: Session): void;
}

/**
 * A TCP session: one downstream connection, one upstream connection, and the bytes between them.
 *
 *     accepted                       CONNECTED                   TUNNEL_CLOSED
 *     ---------> dialing ------------------------> tunneling ------------------> over
 *                |  ^  |                               |                          ^
 *      refused,  +--+  |  no endpoint left,            |  an end failed before    |
 *      late: the next, |  the client left              |  the tunnel had begun    |
 *      after a moment  +-------------------------------+--------------------------+
 *
 * While dialing, nothing that the client sends is read (or what came in the round of the accept is held), so nothing has been sent and
 * another endpoint may be tried. Its FIN is no farewell: a client may half-close and still wait for an answer. While tunneling the engine
 * moves the bytes and this sleeps.
 */
export class Session implements ConnectionHandler, Waiter {
  waitDueMs = 0;
  readonly #owner: SessionOwner;
  readonly #plan: SessionPlan;
  readonly #downstream: number;
  readonly #hash: number;
  /** What the endpoint is told about the client, if the cluster wants to know. */
  readonly #announcement: (Announcement & { readonly version: ProxyVersion }) | undefined;
  readonly #attempts: Attempts;
  #state: 'waiting' | 'dialing' | 'backing-off' | 'tunneling' | 'over' = 'waiting';
  #hasPlace = false;
  /** Id of the connection to the endpoint, or of the last dial that failed; 0 before the first. */
  #upstream = 0;
  #dialedMs = 0.5;
  readonly #record: SessionRecord | undefined;
  /** What to count if no other endpoint is left. */
  #failure: SessionOutcome = 'no_endpoint';

  /** `client` is the caller's; `destination`: where it meant to connect to, if somebody has said so. */
  constructor(
    owner: SessionOwner,
    plan: SessionPlan,
    downstream: number,
    client: ClientAddress,
    destination: ClientAddress | undefined,
  ) {
    this.#owner = owner;
    this.#plan = plan;
    this.#downstream = downstream;
    this.#hash = goesByHash(plan.cluster.plan) ? client.hash() : 0;
    this.#attempts = new Attempts(owner.context.random, owner.context.dispatcher);
    if (plan.accessLog !== undefined) this.#record = new SessionRecord(client, owner.context.dispatcher.nowMs);
    const { proxyProtocol = 'off' } = plan.cluster.plan;
    if (proxyProtocol === 'off') return;
    this.#announcement = { version: proxyProtocol, source: client.clone(), destination, downstream };
  }

  start(): void {
    const { dispatcher } = this.#owner.context;
    dispatcher.bind(this.#downstream, this);
    dispatcher.commands.pause(this.#downstream);
    this.#begin();
  }

  #begin(): void {
    const { cluster } = this.#plan;
    if (cluster.limits !== undefined && !this.#hasPlace) {
      this.#hasPlace = cluster.limits.tryEnter();
      if (!this.#hasPlace) {
        this.#wait(cluster.limits);
        return;
      }
    }
    this.#dial(this.#attempts.begin(cluster, this.#hash, undefined));
  }

  #wait(limits: ClusterLimits): void {
    this.#state = 'waiting';
    if (!limits.wait(this)) this.#abandon('no_room');
  }

  onPlace(): void {
    this.#plan.cluster.limits!.arrived();
    this.#hasPlace = true;
    this.#begin();
  }

  onNoPlace(): void {
    this.#abandon('no_room');
  }

  /** Where it is, or is being connected to. */
  get endpoint(): Endpoint | undefined {
    return this.#attempts.endpoint;
  }

  /** A drain deadline has passed. */
  cut(): void {
    this.#abandon('cut');
  }

  onData(id: number, offset: number, length: number): void {
    // Received in the round of the accept or of the connect. The tunnel begins with it.
    this.#owner.context.dispatcher.commands.hold(id, offset, length);
  }

  onEnd(_id: number): void {
    // The tunnel passes it on.
  }

  onConnected(id: number): void {
    if (this.#state !== 'dialing') return;
    this.#state = 'tunneling';
    this.#attempts.answered();
    const { dispatcher } = this.#owner.context;
    const connectMs = dispatcher.nowMs - this.#dialedMs;
    this.#plan.cluster.counter.connectTimes.record(connectMs);
    this.#record?.connected(connectMs);
    this.endpoint!.counter.sessions++;
    if (this.#announcement !== undefined) {
      dispatcher.reserveScratch(PROXY_HEADER_MAX_BYTES);
      sendProxyHeader(dispatcher, id, this.#announcement.version, this.#announcement);
    }
    dispatcher.commands.tunnel(this.#downstream, id, this.#plan.idleMs);
  }

  onConnectFailed(id: number, _errno: number): void {
    this.endpoint?.secureFailed(id);
    this.#tryNext('connect_failed');
  }

  onDeadline(_id: number): void {
    if (this.#state === 'backing-off') this.#dial(this.#attempts.endpoint);
    else this.#tryNext('connect_timeout');
  }

  /** One end is gone, in the very round in which the tunnel was ordered or before: the other does not know yet. */
  onClosed(id: number): void {
    if (id === this.#upstream) this.#attempts.failed();
    if (id === this.#upstream) this.#abandon('endpoint_reset');
    else this.#abandon(this.#state === 'tunneling' ? 'client_reset' : 'client_gone');
  }

  onRelayDone(_id: number): void {}

  onTunnelClosed(first: number, _second: number, reason: number, _errno: number, forward: number, back: number): void {
    const isForward = first === this.#downstream;
    const outcome = outcomeOf(reason, isForward);
    this.#record?.moved(isForward ? forward : back, isForward ? back : forward);
    // An endpoint that has said something has served; one that resets without a word has not.
    if ((isForward ? back : forward) > 0) this.#attempts.succeeded();
    else if (outcome === 'endpoint_reset') this.#attempts.failed();
    this.#finish(outcome);
  }

  #tryNext(failure: SessionOutcome): void {
    if (this.#state !== 'dialing') return;
    this.#failure = failure;
    this.#plan.cluster.counter.connectFailures++;
    this.#attempts.failed();
    const endpoint = this.#attempts.next();
    // A dial that was late may still succeed, and who has waited that long has waited enough.
    const backoffMs = failure === 'connect_timeout' || endpoint === undefined ? 0 : this.#attempts.backoffMs();
    if (backoffMs === 0) {
      this.#dial(endpoint);
      return;
    }
    this.#state = 'backing-off';
    this.#owner.context.dispatcher.commands.deadline(this.#upstream, backoffMs);
  }

  /** Begins to connect, to the next endpoint where one is refused at once; gives up where none is left. */
  #dial(endpoint: Endpoint | undefined): void {
    this.#state = 'dialing';
    let candidate = endpoint;
    while (candidate !== undefined) {
      const status = this.#open(candidate);
      if (status >= 0) return;
      if (status === NO_ROOM) {
        this.#waitAgain();
        return;
      }
      this.#failure = 'connect_failed';
      this.#plan.cluster.counter.connectFailures++;
      this.#attempts.failed();
      candidate = this.#attempts.next();
    }
    this.#abandon(this.#failure);
  }

  /** Another shard took the connection that was hoped for. */
  #waitAgain(): void {
    const limits = this.#plan.cluster.limits!;
    this.#attempts.leave();
    this.#hasPlace = false;
    limits.leave();
    this.#wait(limits);
  }

  /** Returns -errno if it cannot begin. */
  #open(endpoint: Endpoint): number {
    const { dialer, dispatcher } = this.#owner.context;
    const { connectMs } = this.#plan.cluster.plan;
    this.#plan.cluster.counter.connects++;
    this.#dialedMs = dispatcher.nowMs;
    this.#record?.attempt(endpoint.key);
    if (this.#upstream !== 0) return dialer.redial(this.#upstream, endpoint, connectMs);
    const id = dialer.dial(endpoint, connectMs, this, this.#plan.cluster.limits);
    if (id > 0) this.#upstream = id;
    return id;
  }

  /** Ends both connections by reset: neither may take what it got for the whole. One that is gone already does not mind. */
  #abandon(outcome: SessionOutcome): void {
    if (this.#state === 'over') return;
    this.#reset(this.#downstream);
    if (this.#upstream !== 0) this.#reset(this.#upstream);
    this.#finish(outcome);
  }

  #reset(id: number): void {
    const { dispatcher } = this.#owner.context;
    dispatcher.unbind(id);
    dispatcher.commands.reset(id);
  }

  #tell(record: SessionRecord, outcome: SessionOutcome): void {
    const { cluster, accessLog } = this.#plan;
    const { nowMs } = this.#owner.context.dispatcher;
    if (accessLog !== undefined) record.tell(accessLog, cluster.plan.name, outcome, phaseOf(this.#state), nowMs);
  }

  /** The one exit. Both connections are gone or ordered to be. */
  #finish(outcome: SessionOutcome): void {
    const { limits } = this.#plan.cluster;
    if (this.#state === 'waiting') limits?.cancel(this);
    if (this.#record !== undefined) this.#tell(this.#record, outcome);
    this.#state = 'over';
    this.#attempts.leave();
    this.#plan.counter.count(outcome);
    this.#owner.onSessionOver(this);
    if (this.#hasPlace) limits!.leave();
  }
}

function phaseOf(state: 'waiting' | 'dialing' | 'backing-off' | 'tunneling' | 'over'): Phase {
  if (state === 'waiting') return 'queue';
  return state === 'tunneling' ? 'tunnel' : 'connect';
}

function outcomeOf(reason: number, downstreamIsFirst: boolean): SessionOutcome {
  switch (reason) {
    case TunnelEnd.FIRST_FAILED:
      return downstreamIsFirst ? 'client_reset' : 'endpoint_reset';
    case TunnelEnd.SECOND_FAILED:
      return downstreamIsFirst ? 'endpoint_reset' : 'client_reset';
    case TunnelEnd.IDLE:
      return 'idle_timeout';
    default:
      return 'ok';
  }
}
