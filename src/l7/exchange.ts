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
import { type RequestCounter, STATUS_ABORTED } from '../observe/traffic-counters.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import { PROXY_HEADER_MAX_BYTES, sendProxyHeader } from '../upstream/proxy-header.ts';
import { TriedEndpoints } from '../upstream/tried-endpoints.ts';
import type { DirectResponse } from './direct-response.ts';
import { FORWARDED_SCRATCH_BYTES } from './forwarded.ts';
import { HOST_LINE_MAX_BYTES } from './h1/forward-request.ts';
import { Method, TargetForm } from './h1/request-head.ts';
import { RequestSender } from './h1/request-sender.ts';
import { ResponseReader } from './h1/response-reader.ts';
import type { HttpConnection } from './http-connection.ts';
import type { HttpListener } from './http-listener.ts';
import type { HttpPlan, RouteTarget } from './http-plan.ts';
import { normalizePath, PATH_REFUSED, PATH_UNCHANGED } from './path.ts';

/** The first attempt and two more. */
const ATTEMPTS_MAX = 3;

/** What an exchange writes on the slab's scratch besides its path: a PROXY header, what is said about the client, a size. */
const SCRATCH_MARGIN_BYTES = PROXY_HEADER_MAX_BYTES + FORWARDED_SCRATCH_BYTES + HOST_LINE_MAX_BYTES + 64;

/** Methods that may be sent again after they were sent once (RFC 9110 section 9.2.2). */
const IDEMPOTENT = new Uint8Array(16);
for (const method of [Method.GET, Method.HEAD, Method.PUT, Method.DELETE, Method.OPTIONS, Method.TRACE]) {
  IDEMPOTENT[method] = 1;
}

export class Exchange {
  readonly listener: HttpListener;
  readonly #sender: RequestSender;
  readonly #reader: ResponseReader;
  readonly #tried = new TriedEndpoints();
  #connection: HttpConnection | undefined;
  #counter: RequestCounter | undefined;
  #target: RouteTarget | undefined;
  #endpoint: Endpoint | undefined;
  #attempts = 0;
  #clientHash = 0;
  /** As the client asked: its version, and whether its connection may go on. */
  #clientKeepsAlive = false;
  #clientMinor = 1;
  #method: number = Method.OTHER;
  #responseStatus = 0;
  #closes = false;

  constructor(listener: HttpListener) {
    this.listener = listener;
    this.#sender = new RequestSender(this);
    this.#reader = new ResponseReader(this);
  }

  get method(): number {
    return this.#method;
  }

  get clientMinor(): number {
    return this.#clientMinor;
  }

  get target(): RouteTarget {
    return this.#target!;
  }

  /** Begins with the head in `listener.requestHead`; `slab[restStart, restEnd)` is what came behind it. */
  begin(connection: HttpConnection, restStart: number, restEnd: number): void {
    const { plan } = this.listener;
    const head = this.listener.requestHead;
    this.#connection = connection;
    this.#counter = plan.unrouted;
    this.#target = undefined;
    this.#endpoint = undefined;
    this.#attempts = 0;
    this.#tried.reset();
    this.#method = head.method;
    this.#clientMinor = head.versionMinor;
    this.#clientKeepsAlive = head.keepAlive === 1;
    this.#responseStatus = 0;
    this.#closes = false;
    this.#sender.reset(connection.id, head, restStart, restEnd);
    const isRefused = (head.traits & this.listener.forwarding.refusedTraits) !== 0;
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
    const target = route.targets.next();
    this.#target = target;
    this.#counter = target.counter;
    this.#clientHash = client.hash();
    this.#start(target, connection, client, pathStart, pathEnd);
  }

  #start(
    target: RouteTarget,
    connection: HttpConnection,
    client: ClientAddress,
    pathStart: number,
    pathEnd: number,
  ): void {
    const endpoint = this.#nextEndpoint();
    if (endpoint === undefined) {
      this.fail('no_endpoint');
      return;
    }
    const id = this.#reader.open(endpoint, target);
    if (id < 0) {
      this.fail('no_descriptors');
      return;
    }
    const { proxyProtocol = 'off' } = target.cluster.plan;
    if (proxyProtocol !== 'off') {
      // Waits in the connection until that is made, and is sent first, whichever endpoint it is made to.
      const ends = { source: client, destination: connection.destination, downstream: connection.id };
      sendProxyHeader(this.listener.dispatcher, id, proxyProtocol, ends);
    }
    this.#sender.send(id, connection.client, pathStart, pathEnd, endpoint.key);
  }

  /** The route has an answer of its own. */
  #answer(response: DirectResponse, pathStart: number, pathEnd: number): void {
    const connection = this.#connection!;
    const { dispatcher, requestHead } = this.listener;
    const hasBody = this.#method !== Method.HEAD;
    const ends = this.#endsWithAnswer;
    if (!response.send(dispatcher, connection.id, requestHead, pathStart, pathEnd, ends, hasBody)) {
      this.fail('host_refused');
      return;
    }
    this.#answered(response.status, ends);
  }

  /** Whether an answer of ours is the last one of its connection. HTTP/1.0 takes it for that unless it is told otherwise, which ours do not. */
  get #endsWithAnswer(): boolean {
    const { draining } = this.listener.context;
    return !this.#clientKeepsAlive || this.#clientMinor === 0 || !this.#sender.isComplete || draining;
  }

  /** An answer of ours has been handed over. */
  #answered(status: number, ends: boolean): void {
    const connection = this.#connection!;
    this.#finish(status);
    if (ends) connection.closeLingering();
    else connection.exchangeEnded();
  }

  /** Picks an endpoint that was not tried, and counts this request there. */
  #nextEndpoint(): Endpoint | undefined {
    if (this.#attempts === ATTEMPTS_MAX) return undefined;
    const endpoint = this.#target!.cluster.pick(this.#clientHash, this.#tried);
    if (endpoint === undefined) return undefined;
    this.#attempts++;
    this.#tried.add(endpoint.slot);
    endpoint.enter();
    this.#endpoint = endpoint;
    return endpoint;
  }

  #leaveEndpoint(): void {
    this.#endpoint?.leave();
    this.#endpoint = undefined;
  }

  /** The dial failed: nothing was sent, so another endpoint may get the request. */
  connectFailed(code: ErrorCode): void {
    this.#leaveEndpoint();
    const endpoint = this.#nextEndpoint();
    if (endpoint === undefined) this.fail(code);
    else if (this.#reader.redial(endpoint) < 0) this.fail('no_descriptors');
  }

  /** The endpoint ended a connection that had served before, without a byte of an answer: that request crossed its end on the way. */
  staleConnection(code: ErrorCode): void {
    const mayRepeat = IDEMPOTENT[this.#method] === 1 && this.#sender.isRetained;
    const id = mayRepeat ? this.#reader.reopen(this.#endpoint!) : -1;
    if (id < 0) this.fail(code);
    else this.#sender.movedTo(id);
  }

  // --- What the client does -------------------------------------------------------------------------------------------------------------

  onClientData(start: number, end: number): void {
    if (this.#sender.isComplete || this.#reader.isSwitching) this.#connection!.holdBack(start, end);
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
    if (!this.#sender.isComplete) this.fail('request_timeout');
  }

  clientGone(): void {
    this.#reader.abandon();
    this.#finish(STATUS_ABORTED);
  }

  // --- What the endpoint does -----------------------------------------------------------------------------------------------------------

  get downstreamId(): number {
    return this.#connection!.id;
  }

  /** The final head is about to be forwarded. Returns whether the client's connection ends with this response. */
  responseBegins(status: number, mustClose: boolean): boolean {
    this.#responseStatus = status;
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
    // Lingering: bytes of a pipelined request that nobody reads would make the kernel reset the connection under the answer.
    if (closes) connection.closeLingering();
    else connection.exchangeEnded();
  }

  switchedProtocols(): void {
    this.#responseStatus = 101;
  }

  tunnelClosed(_reason: number): void {
    this.#reader.forget();
    this.#finish(this.#responseStatus);
  }

  // --- Failing --------------------------------------------------------------------------------------------------------------------------

  /** Ends the exchange with what the error table says; if the response has begun, by cutting the connection. */
  fail(code: ErrorCode): void {
    const connection = this.#connection!;
    const { dispatcher, errorResponses } = this.listener;
    this.#reader.abandon();
    if (this.hasBegun) {
      this.#finish(this.#responseStatus);
      connection.reset();
      return;
    }
    const { status, closes } = ERRORS[code];
    const ends = closes || this.#endsWithAnswer;
    errorResponses.send(dispatcher.commands, connection.id, status, ends, this.#method !== Method.HEAD);
    this.#answered(status, ends);
  }

  /** The one exit: counted once, the endpoint given back, the exchange free for the next request. */
  #finish(status: number): void {
    this.#leaveEndpoint();
    this.#counter!.count(status);
    this.#connection = undefined;
    this.listener.putExchange(this);
  }
}
