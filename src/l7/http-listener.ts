import type { EndpointRef } from '../contract/messages.ts';
import type { HttpListenerPlan, ListenerPlan } from '../contract/plan.ts';
import { systemClock } from '../core/clock.ts';
import { invariant } from '../core/invariant.ts';
import type { Slices } from '../core/slices.ts';
import { ClientAddress } from '../downstream/client-address.ts';
import type { ProtocolListener } from '../downstream/protocol-listener.ts';
import type { Dispatcher } from '../engine/dispatcher.ts';
import type { AccessLog } from '../observe/access/access-log.ts';
import type { PlannedClusters } from '../upstream/cluster-set.ts';
import type { ListenerContext } from '../upstream/listener-context.ts';
import { ErrorResponses } from './error-response.ts';
import { Exchange } from './exchange.ts';
import { Forwarding } from './forwarded.ts';
import { RequestHead } from './h1/request-head.ts';
import { ResponseHead } from './h1/response-head.ts';
import { HttpConnection } from './http-connection.ts';
import { HttpPlan } from './http-plan.ts';
import { Prepared } from './prepared.ts';
import { Tracing } from './tracing.ts';
import { UploadWatch } from './upload-watch.ts';

/** Most exchanges kept for reuse when they are idle. */
const IDLE_EXCHANGES_MAX = 1024;
/** Fields a response may have; its other limits are those of requests by default. */
const RESPONSE_HEADERS_MAX_COUNT = 256;

/** Corridor 2: an HTTP listener of one shard, and what its connections share. */
export class HttpListener implements ProtocolListener {
  readonly context: ListenerContext;
  readonly dispatcher: Dispatcher;
  readonly prepared: Prepared;
  readonly errorResponses: ErrorResponses;
  /** Heads are parsed into these two, one at a time. */
  requestHead: RequestHead;
  readonly uploads: UploadWatch;
  /** Undefined: there is none. */
  accessLog: AccessLog | undefined;
  /** Undefined: nothing is traced. */
  tracing: Tracing | undefined;
  readonly responseHead = new ResponseHead(RESPONSE_HEADERS_MAX_COUNT);
  plan: HttpPlan;
  /** Of the current plan. */
  forwarding: Forwarding;
  onConnectionOver: (() => void) | undefined;
  /** No more connections come, and those that become idle are closed. */
  isEnding = false;
  readonly #connections = new Set<HttpConnection>();
  readonly #idleExchanges: Exchange[] = [];
  #activeCount = 0;

  private constructor(context: ListenerContext, plan: HttpPlan) {
    const { listener } = plan;
    this.context = context;
    this.dispatcher = context.dispatcher;
    this.prepared = new Prepared(context.dispatcher.constants);
    this.errorResponses = new ErrorResponses(context.dispatcher.constants);
    this.plan = plan;
    this.forwarding = new Forwarding(listener, context.dispatcher.constants);
    this.requestHead = new RequestHead(listener.limits.headersMaxCount);
    const { engine, commands } = context.dispatcher;
    this.uploads = new UploadWatch(
      engine,
      () => commands.flush(),
      () => systemClock.nowMs(),
    );
    this.uploads.bytesPerSecond = listener.limits.bodyBytesPerSecond ?? 0;
    this.accessLog = context.accessLogs.logOf(listener.name, listener.accessLog);
    this.tracing = listener.tracing && new Tracing(listener.tracing.sample, context.spans);
  }

  static *make(context: ListenerContext, plan: HttpListenerPlan, clusters: PlannedClusters): Slices<HttpListener> {
    return new HttpListener(context, yield* HttpPlan.compile(plan, clusters, context));
  }

  *prepare(plan: ListenerPlan, clusters: PlannedClusters): Slices<() => void> {
    invariant(plan.protocol === 'http', `listener ${plan.name} changed its protocol in place`);
    const next = yield* HttpPlan.compile(plan, clusters, this.context, this.plan);
    return () => this.#apply(next);
  }

  #apply(plan: HttpPlan): void {
    const { listener } = plan;
    this.plan = plan;
    this.forwarding = new Forwarding(listener, this.dispatcher.constants);
    this.requestHead = new RequestHead(listener.limits.headersMaxCount);
    this.uploads.bytesPerSecond = listener.limits.bodyBytesPerSecond ?? 0;
    this.accessLog = this.context.accessLogs.logOf(listener.name, listener.accessLog);
    this.tracing = listener.tracing && new Tracing(listener.tracing.sample, this.context.spans);
  }

  get activeCount(): number {
    return this.#activeCount;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Monotonic whole milliseconds, of the round. */
  get nowMs(): number {
    return Math.floor(this.dispatcher.nowMs);
  }

  onAccepted(id: number, family: number, port: number, addressOffset: number): void {
    const client = new ClientAddress();
    client.read(family, port, this.dispatcher.engine.events, addressOffset);
    this.adopt(id, client, undefined);
  }

  adopt(id: number, client: ClientAddress, destination: ClientAddress | undefined): void {
    const connection = new HttpConnection(this, id, client, destination);
    this.#connections.add(connection);
    this.dispatcher.bind(id, connection);
    connection.open();
  }

  closeIdle(): void {
    this.isEnding = true;
    for (const connection of this.#connections) connection.closeIfIdle();
  }

  cutWorkOn(isMeant: (endpoint: EndpointRef) => boolean): number {
    let count = 0;
    for (const connection of this.#connections) count += connection.cutWorkOn(isMeant) ? 1 : 0;
    return count;
  }

  cutAll(): number {
    let count = 0;
    for (const connection of this.#connections) count += connection.cut() ? 1 : 0;
    return count;
  }

  /** The connection has been closed, or is gone. */
  forget(connection: HttpConnection): void {
    if (this.#connections.delete(connection)) this.onConnectionOver?.();
  }

  takeExchange(): Exchange {
    this.#activeCount++;
    return this.#idleExchanges.pop() ?? new Exchange(this);
  }

  putExchange(exchange: Exchange): void {
    this.#activeCount--;
    if (this.#idleExchanges.length < IDLE_EXCHANGES_MAX) this.#idleExchanges.push(exchange);
  }
}
