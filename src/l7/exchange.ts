/**
 * One request with its response, from the parsed head to the one exit. It decides: which route, which endpoint, what to try again, what to
 * answer when nothing came back. The bytes are moved by RequestSender and ResponseReader.
 *
 *   begin ─▶ (refused) ─────────────────────────────────────────────▶ finish
 *     └─▶ endpoint picked ─▶ sent ─▶ response head ─▶ both complete ─▶ finish
 *               ▲  │                      │
 *               └──┘ next endpoint        └─▶ cut ─────────────────▶ finish
 *
 * Reused for many requests. Hot path: no allocation, no strings, no throw.
 */
import { ERRORS, type ErrorCode } from '../core/errors.ts';
import type { ClientAddress } from '../downstream/client-address.ts';
import { HOLD_MAX_BYTES } from '../engine/protocol.ts';
import type { Phase } from '../observe/access/access-entry.ts';
import { type RequestCounter, STATUS_ABORTED } from '../observe/traffic-counters.ts';
import { Attempts } from '../upstream/attempts.ts';
import type { ClusterLimits, Waiter } from '../upstream/cluster-limits.ts';
import { NO_ROOM } from '../upstream/dialer.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import { PROXY_HEADER_MAX_BYTES, sendProxyHeader } from '../upstream/proxy-header.ts';
import type { DirectResponse } from './direct-response.ts';
import { ExchangeRecord } from './exchange-record.ts';
import { FORWARDED_SCRATCH_BYTES } from './forwarded.ts';
import { HOST_LINE_MAX_BYTES } from './h1/forward-request.ts';
import { hopsLeft } from './h1/max-forwards.ts';
import { Method, TargetForm } from './h1/request-head.ts';
import { parseRequestHead } from './h1/request-parser.ts';
import { RequestSender } from './h1/request-sender.ts';
import { ResponseReader } from './h1/response-reader.ts';
import type { HttpConnection } from './http-connection.ts';
import type { HttpListener } from './http-listener.ts';
import type { HttpPlan, RouteTarget } from './http-plan.ts';
import { normalizePath, PATH_REFUSED, PATH_UNCHANGED } from './path.ts';
import type { Stickiness } from './stickiness.ts';
import { TraceContext, type Tracing } from './tracing.ts';

/** What an exchange writes on the slab's scratch besides its path: a PROXY header, what is said about the client, a size. */
const SCRATCH_MARGIN_BYTES = PROXY_HEADER_MAX_BYTES + FORWARDED_SCRATCH_BYTES + HOST_LINE_MAX_BYTES + 64;

const IDEMPOTENT = new Uint8Array(16);
for (const method of [Method.GET, Method.HEAD, Method.PUT, Method.DELETE, Method.OPTIONS, Method.TRACE]) {
  IDEMPOTENT[method] = 1;
}

/** The exchange's place under the limits of its cluster: none needed yet; waited for; given, while the request is read again; taken. */
const Place = { NONE: 0, WAITING: 1, GIVEN: 2, TAKEN: 3 } as const;

export class Exchange implements Waiter {
  waitDueMs = 0;
  readonly listener: HttpListener;
  readonly #sender: RequestSender;
  readonly #reader: ResponseReader;
  readonly #attempts: Attempts;
  #connection: HttpConnection | undefined;
  #counter: RequestCounter | undefined;
  #target: RouteTarget | undefined;
  /** As the client asked: its version, and whether its connection may go on. */
  #clientKeepsAlive = false;
  #clientMinor = 1;
  #method: number = Method.OTHER;
  /** The endpoint that the client's cookie names. */
  #own: Endpoint | undefined;
  #responseStatus = 0;
  #closes = false;
  #place: number = Place.NONE;
  /** When the head was read, and when the present attempt began. */
  #beganMs = 0.5;
  #attemptMs = 0.5;
  /** Undefined: nobody is told of this exchange. */
  #record: ExchangeRecord | undefined;
  #ownRecord: ExchangeRecord | undefined;
  /** Undefined: nothing is traced. */
  #trace: TraceContext | undefined;
  /** Of an answer of ours, or of what came after an upgrade. */
  #answerBytes = 0.5;
  /** Where the request lies, in the round in which it was read. */
  #headStart = 0;
  #requestEnd = 0;

  constructor(listener: HttpListener) {
    this.listener = listener;
    this.#attempts = new Attempts(listener.context.random, listener.dispatcher);
    this.#sender = new RequestSender(this);
    this.#reader = new ResponseReader(this);
  }

  get method(): number {
    return this.#method;
  }

  /** Whether the request may be sent again after it was sent once (RFC 9110 section 9.2.2). */
  get isIdempotent(): boolean {
    return IDEMPOTENT[this.#method] === 1;
  }

  get clientMinor(): number {
    return this.#clientMinor;
  }

  /** Where it is at work. */
  get endpoint(): Endpoint | undefined {
    return this.#attempts.endpoint;
  }

  get target(): RouteTarget {
    return this.#target!;
  }

  /** Begins with the head in `listener.requestHead`, which began at `headStart`; `slab[restStart, restEnd)` is what came behind it. */
  begin(connection: HttpConnection, headStart: number, restStart: number, restEnd: number): void {
    const head = this.listener.requestHead;
    this.#connection = connection;
    this.#counter = this.listener.plan.unrouted;
    this.#target = undefined;
    this.#method = head.method;
    this.#clientMinor = head.versionMinor;
    this.#clientKeepsAlive = head.keepAlive === 1;
    this.#beganMs = this.listener.dispatcher.nowMs;
    this.#answerBytes = 0;
    if (this.listener.tracing !== undefined) this.#beginTrace(this.listener.tracing, connection);
    const isTold = this.listener.accessLog !== undefined || this.#trace?.isSampled === true;
    this.#record = isTold ? this.#beginRecord(connection) : undefined;
    this.#responseStatus = 0;
    this.#closes = false;
    this.#place = Place.NONE;
    this.waitDueMs = 0;
    this.#read(connection, headStart, restStart, restEnd);
  }

  #beginTrace(tracing: Tracing, connection: HttpConnection): void {
    const { requestHead, dispatcher, forwarding } = this.listener;
    this.#trace ??= new TraceContext();
    tracing.begin(this.#trace, dispatcher.engine.slab, requestHead, forwarding.trusts(connection.client));
  }

  #beginRecord(connection: HttpConnection): ExchangeRecord {
    this.#ownRecord ??= new ExchangeRecord();
    const { requestHead, dispatcher } = this.listener;
    this.#ownRecord.begin(dispatcher.engine.slab, requestHead, connection.client);
    return this.#ownRecord;
  }

  #read(connection: HttpConnection, headStart: number, restStart: number, restEnd: number): void {
    const { plan, requestHead, forwarding } = this.listener;
    this.#headStart = headStart;
    this.#requestEnd = restEnd;
    this.#sender.reset(connection.id, requestHead, restStart, restEnd);
    const isRefused = (requestHead.traits & forwarding.refusedTraits) !== 0;
    const refusal = isRefused ? 'malformed_request' : this.#sender.refusal(plan.bodyMaxBytes);
    if (refusal === undefined) this.#route(plan, connection);
    else this.fail(refusal);
  }

  #route(plan: HttpPlan, connection: HttpConnection): void {
    const head = this.listener.requestHead;
    const { scratch, engine } = this.listener.dispatcher;
    let { pathStart, pathEnd } = head;
    this.listener.dispatcher.reserveScratch(pathEnd - pathStart + plan.scratchBytes + SCRATCH_MARGIN_BYTES);
    if (head.targetForm !== TargetForm.ASTERISK) {
      const offset = scratch.take(pathEnd - pathStart + 1);
      const length = normalizePath(engine.slab, pathStart, pathEnd, scratch.bytes, offset, plan.pathOptions);
      if (length === PATH_REFUSED) {
        this.fail('path_refused');
        return;
      }
      if (length !== PATH_UNCHANGED) {
        pathStart = offset;
        pathEnd = offset + length;
      }
    }
    if (hopsLeft(engine.slab, head) === 0) {
      this.fail(head.method === Method.TRACE ? 'trace_ends_here' : 'options_ends_here');
      return;
    }
    if (plan.hostPolicies?.admits(engine.slab, head, connection.client) === false) {
      this.fail('misdirected');
      return;
    }
    const client = this.listener.forwarding.clientOf(engine.slab, head, connection.client);
    const index = plan.router.match(engine.slab, head, pathStart, pathEnd, client);
    if (index < 0) {
      this.fail('no_route');
      return;
    }
    const route = plan.routes[index]!;
    if (route.targets === undefined) {
      this.#counter = route.counter;
      this.#answer(route.direct, pathStart, pathEnd);
      return;
    }
    // Who has waited stays with the share that it was given.
    const target = this.#target ?? route.targets.next();
    this.#target = target;
    this.#counter = target.counter;
    this.#start(target, connection, client, pathStart, pathEnd);
  }

  #start(
    target: RouteTarget,
    connection: HttpConnection,
    client: ClientAddress,
    pathStart: number,
    pathEnd: number,
  ): void {
    const { cluster } = target;
    if (cluster.limits !== undefined && !this.#takePlace(cluster.limits)) return;
    const { slab } = this.listener.dispatcher.engine;
    const head = this.listener.requestHead;
    const hash = target.hashKey === undefined ? 0 : target.hashKey.hashOf(slab, head, pathStart, pathEnd, client);
    this.#own = target.stickiness?.endpointOf(slab, head);
    const endpoint = this.#attempts.begin(cluster, hash, this.#own);
    if (endpoint === undefined) {
      this.fail('no_endpoint');
      return;
    }
    this.#attempt(endpoint);
    const id = this.#reader.open(endpoint, target);
    if (id === NO_ROOM) {
      this.#waitAgain(cluster.limits!);
      return;
    }
    if (id < 0) {
      this.fail('no_descriptors');
      return;
    }
    const { proxyProtocol = 'off' } = cluster.plan;
    if (proxyProtocol !== 'off') {
      // Waits in the connection until that is made, and is sent first, whichever endpoint it is made to.
      const ends = { source: client, destination: connection.destination, downstream: connection.id };
      sendProxyHeader(this.listener.dispatcher, id, proxyProtocol, ends);
    }
    this.listener.forwarding.trace = this.listener.tracing === undefined ? undefined : this.#trace;
    this.#sender.send(id, connection.client, pathStart, pathEnd, endpoint.key);
    const { requestIdStart, requestIdEnd } = this.listener.forwarding;
    this.#record?.named(slab, requestIdStart, requestIdEnd);
  }

  #attempt(endpoint: Endpoint): void {
    this.#attemptMs = this.listener.dispatcher.nowMs;
    this.#record?.attempt(endpoint.key, this.#attemptMs - this.#beganMs);
  }

  // --- Waiting for room -----------------------------------------------------------------------------------------------------------------

  /** Returns whether the exchange may go on now. If not, it waits or has failed. */
  #takePlace(limits: ClusterLimits): boolean {
    if (this.#place === Place.GIVEN) limits.arrived();
    else if (!limits.tryEnter()) {
      this.#wait(limits);
      return false;
    }
    this.#takenPlace();
    return true;
  }

  #wait(limits: ClusterLimits): void {
    this.#place = Place.NONE;
    if (this.#requestEnd - this.#headStart > HOLD_MAX_BYTES || !limits.wait(this)) {
      this.fail('no_room');
      return;
    }
    this.#place = Place.WAITING;
    if (this.#record !== undefined) this.#record.entry.waitMs = 0;
    this.#connection!.keepRequest(this.#headStart, this.#requestEnd);
  }

  /** Another shard took the connection that was hoped for. */
  #waitAgain(limits: ClusterLimits): void {
    this.#attempts.leave();
    this.#place = Place.NONE;
    limits.leave();
    this.#wait(limits);
  }

  onPlace(): void {
    this.#place = Place.GIVEN;
    this.#connection!.readAgain();
  }

  onNoPlace(): void {
    this.#place = Place.NONE;
    this.fail('no_room');
  }

  /** What was kept while the exchange waited. */
  #readAgain(start: number, end: number): void {
    if (this.#place === Place.WAITING) {
      this.#requestEnd = end;
      this.#connection!.keepRequest(start, end);
      return;
    }
    const { dispatcher, plan, requestHead } = this.listener;
    const { limits } = plan.listener;
    const result = parseRequestHead(dispatcher.engine.slab, start, end, limits, requestHead, plan.isSecure);
    // It was a head before; a plan with smaller limits may have come since.
    if (result > 0) this.#read(this.#connection!, start, start + result, end);
    else this.fail('head_too_large');
  }

  #takenPlace(): void {
    this.#place = Place.TAKEN;
    const entry = this.#record?.entry;
    if (entry?.waitMs === 0) entry.waitMs = this.listener.dispatcher.nowMs - this.#beganMs;
  }

  #leavePlace(): void {
    if (this.#place === Place.NONE) return;
    const limits = this.#target!.cluster.limits!;
    const place = this.#place;
    this.#place = Place.NONE;
    if (place === Place.WAITING) {
      limits.cancel(this);
      return;
    }
    if (place === Place.GIVEN) limits.arrived();
    limits.leave();
  }

  // --- Answers of our own ---------------------------------------------------------------------------------------------------------------

  /** The route has an answer of its own. */
  #answer(response: DirectResponse, pathStart: number, pathEnd: number): void {
    const connection = this.#connection!;
    const { dispatcher, requestHead } = this.listener;
    const hasBody = this.#method !== Method.HEAD;
    const ends = this.#endsWithAnswer;
    const bytes = response.send(dispatcher, connection.id, requestHead, pathStart, pathEnd, ends, hasBody);
    if (bytes < 0) {
      this.fail('host_refused');
      return;
    }
    this.#answerBytes = bytes;
    this.#answered(response.status, ends);
  }

  /** Whether an answer of ours is the last one of its connection. HTTP/1.0 takes it for that unless it is told otherwise, which ours do not. */
  get #endsWithAnswer(): boolean {
    const { draining } = this.listener.context;
    return !this.#clientKeepsAlive || this.#clientMinor === 0 || !this.#sender.isComplete || draining;
  }

  /**
   * Ends the connection behind the answer. Bytes that nobody reads would make the kernel reset it under the answer: so it lingers, unless the client has
   * sent its last request whole and said so (RFC 9112 section 9.6: it must not send more).
   */
  #close(connection: HttpConnection): void {
    if (!this.#clientKeepsAlive && this.#sender.isComplete && !connection.hasHeldRequest) connection.close();
    else connection.closeLingering();
  }

  /** An answer of ours has been handed over. */
  #answered(status: number, ends: boolean): void {
    const connection = this.#connection!;
    this.#finish(status);
    if (ends) this.#close(connection);
    else connection.exchangeEnded();
  }

  /** The dial failed: nothing was sent, so another endpoint may get the request. */
  connectFailed(code: ErrorCode): void {
    this.target.cluster.counter.connectFailures++;
    this.#attempts.failed();
    const endpoint = this.#attempts.next();
    if (endpoint === undefined) {
      this.fail(code);
      return;
    }
    this.#attempt(endpoint);
    if (this.#reader.redial(endpoint, this.#backoffMs(code)) < 0) this.fail('no_descriptors');
  }

  /** Who has waited for a connection in vain has waited long enough. */
  #backoffMs(code: ErrorCode): number {
    return code === 'connect_timeout' ? 0 : this.#attempts.backoffMs();
  }

  /** The endpoint ended a connection that had served before, without a byte of an answer: that request crossed its end on the way. */
  staleConnection(code: ErrorCode): void {
    if (!this.#mayRepeat) {
      this.fail(code);
      return;
    }
    this.target.cluster.counter.retries++;
    this.#reopen(this.#attempts.endpoint, 0, code);
  }

  /** The endpoint ended a connection that was made for this request, without a byte of an answer. */
  lostConnection(code: ErrorCode): void {
    this.#attempts.failed();
    const endpoint = this.#mayRepeat ? this.#attempts.next() : undefined;
    this.#reopen(endpoint, endpoint === undefined ? 0 : this.#attempts.backoffMs(), code);
  }

  get #mayRepeat(): boolean {
    return this.isIdempotent && this.#sender.isRetained && this.#sender.isComplete;
  }

  #reopen(endpoint: Endpoint | undefined, backoffMs: number, code: ErrorCode): void {
    if (endpoint !== undefined) this.#attempt(endpoint);
    const id = endpoint === undefined ? -1 : this.#reader.reopen(endpoint, backoffMs);
    if (id < 0) this.fail(code);
    else this.#sender.movedTo(id);
  }

  // --- What the client does -------------------------------------------------------------------------------------------------------------

  onClientData(start: number, end: number): void {
    if (this.#place === Place.WAITING || this.#place === Place.GIVEN) this.#readAgain(start, end);
    else if (this.#sender.isComplete || this.#reader.isSwitching) this.#connection!.holdBack(start, end);
    else this.#sender.forwardBody(start, end);
  }

  onClientRelayDone(): void {
    this.#sender.relayDone();
  }

  /** Bytes behind the request, which belong to the next one. */
  holdBack(start: number, end: number): void {
    if (end > start) this.#connection!.holdBack(start, end);
  }

  onClientDeadline(): void {
    // Left over from before the request was complete; what is waited for then is the endpoint.
    if (this.#sender.isComplete || this.#place === Place.WAITING) return;
    // The client is not read while the endpoint takes nothing.
    const isStalled = this.listener.dispatcher.engine.progress(this.#connection!.id) < 0;
    this.fail(isStalled ? 'upload_stalled' : 'request_timeout');
  }

  /** The client has ended its connection, or it was ended under it. */
  clientGone(code: ErrorCode = 'client_gone'): void {
    this.#record?.failed(code, this.#phase);
    this.#reader.abandon();
    this.#finish(STATUS_ABORTED);
  }

  // --- What the endpoint does -----------------------------------------------------------------------------------------------------------

  get downstreamId(): number {
    return this.#connection!.id;
  }

  /** Who binds the client to the endpoint that answers, if that is not the one its cookie names already. */
  get newBond(): Stickiness | undefined {
    return this.#attempts.endpoint === this.#own ? undefined : this.target.stickiness;
  }

  /** A connection was made for the request. */
  connected(ms: number): void {
    this.target.cluster.counter.connectTimes.record(ms);
    if (this.#record !== undefined) this.#record.entry.connectMs = ms;
  }

  /** The final head is about to be forwarded. Returns whether the client's connection ends with this response. */
  responseBegins(status: number, mustClose: boolean): boolean {
    this.#responseStatus = status;
    const firstByteMs = this.listener.dispatcher.nowMs - this.#attemptMs;
    this.target.cluster.counter.firstByteTimes.record(firstByteMs);
    if (this.#record !== undefined) this.#record.entry.firstByteMs = firstByteMs;
    this.endpoint?.counter.answered(status);
    if (status >= 500) this.#attempts.faulty();
    else {
      this.#attempts.answered();
      this.#attempts.succeeded();
    }
    // A body that is still to come when the answer is there cannot be waited for.
    this.#closes = mustClose || !this.#clientKeepsAlive || !this.#sender.isComplete || this.listener.context.draining;
    return this.#closes;
  }

  get hasBegun(): boolean {
    return this.#responseStatus !== 0;
  }

  get wantsUpgrade(): boolean {
    return this.#sender.wantsUpgrade;
  }

  get expectsContinue(): boolean {
    return this.#sender.expectsContinue;
  }

  get isRequestComplete(): boolean {
    return this.#sender.isComplete;
  }

  /** The body has been sent: from now on the endpoint is waited for. */
  requestComplete(): void {
    this.#reader.requestComplete();
  }

  /** The response is complete, and handed over. */
  responseComplete(): void {
    const connection = this.#connection!;
    const closes = this.#closes;
    this.#finish(this.#responseStatus);
    if (closes) this.#close(connection);
    else connection.exchangeEnded();
  }

  switchedProtocols(): void {
    this.#attempts.succeeded();
    this.endpoint?.counter.answered(101);
    this.#responseStatus = 101;
  }

  /** `received` and `sent`: bytes from the client and to it. */
  tunnelClosed(failed: 'downstream' | 'upstream' | undefined, sent: number): void {
    if (failed !== undefined) this.#record?.tunnelFailed(failed);
    this.#answerBytes = sent;
    this.#reader.forget();
    this.#finish(this.#responseStatus);
  }

  // --- Failing --------------------------------------------------------------------------------------------------------------------------

  /** Ends the exchange with what the error table says; if the response has begun, by cutting the connection. */
  fail(code: ErrorCode): void {
    const connection = this.#connection!;
    const { dispatcher, errorResponses } = this.listener;
    this.#record?.failed(code, this.#phase);
    if (ERRORS[code].source === 'upstream') this.#attempts.failed();
    this.#reader.abandon();
    if (this.hasBegun) {
      this.#finish(this.#responseStatus);
      connection.reset();
      return;
    }
    const { status, closes } = ERRORS[code];
    const ends = closes || this.#endsWithAnswer;
    const hasBody = this.#method !== Method.HEAD;
    this.#answerBytes = errorResponses.send(dispatcher.commands, connection.id, status, ends, hasBody);
    this.#answered(status, ends);
  }

  get #phase(): Phase {
    return this.#place === Place.WAITING || this.#place === Place.GIVEN ? 'queue' : this.#reader.phase;
  }

  #tell(record: ExchangeRecord, status: number, durationMs: number): void {
    const responseBytes = this.hasBegun ? this.#reader.bodyBytes + this.#answerBytes : this.#answerBytes;
    record.end(this.#counter!, status, durationMs, this.#sender.bodyBytes, responseBytes);
    const { accessLog, tracing } = this.listener;
    accessLog?.exchange(record.entry);
    if (this.#trace?.isSampled) tracing?.end(this.#trace, record.entry, this.listener.plan.listener.name);
    this.#record = undefined;
  }

  /** The one exit: counted once, the endpoint given back, the exchange free for the next request. */
  #finish(status: number): void {
    this.#attempts.leave();
    this.#sender.end();
    this.#counter!.count(status);
    const durationMs = this.listener.dispatcher.nowMs - this.#beganMs;
    this.#counter!.durations.record(durationMs);
    if (this.#record !== undefined) this.#tell(this.#record, status, durationMs);
    this.#connection = undefined;
    this.listener.putExchange(this);
    this.#leavePlace();
  }
}
