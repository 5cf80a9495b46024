/**
 * Owns the upstream connection of an exchange: dials it or takes a pooled one, reads the response, forwards it, and gives the connection
 * back if both messages are complete.
 *
 *   CLOSED ─▶ CONNECTING ──────▶ AWAITING ─▶ LENGTH | CHUNKED | UNTIL_CLOSE ─▶ COMPLETE ─▶ CLOSED
 *      │           ▲ ▼              ▲  └────▶ SWITCHED (a tunnel)
 *      │       BACKING_OFF          │
 *      └─────── pooled ─────────────┘
 *
 * Hot path: no allocation, no strings, no throw.
 */
import type { ErrorCode } from '../../core/errors.ts';
import type { ConnectionHandler } from '../../engine/connection-handler.ts';
import { DEADLINE_TICK_MS, RELAY_UNTIL_END } from '../../engine/protocol.ts';
import type { Phase } from '../../observe/access/access-entry.ts';
import type { ClusterLimits } from '../../upstream/cluster-limits.ts';
import type { Endpoint } from '../../upstream/endpoint.ts';
import type { Exchange } from '../exchange.ts';
import type { RouteTarget } from '../http-plan.ts';
import { ChunkForwarder, Forwarded } from './chunk-forwarder.ts';
import { writeHex } from './chunk-size.ts';
import { forwardResponseHead, Persistence } from './forward-response.ts';
import { BodyKind, type HeadLimits } from './head-fields.ts';
import { isWorthParsing } from './partial-head.ts';
import type { ResponseHead } from './response-head.ts';
import { parseResponseHead } from './response-parser.ts';

const CLOSED = 0;
const CONNECTING = 1;
const AWAITING = 2;
const LENGTH = 3;
const CHUNKED = 4;
const UNTIL_CLOSE = 5;
const COMPLETE = 6;
const SWITCHED = 7;
const BACKING_OFF = 8;

const LIMITS: HeadLimits = { headMaxBytes: 64 * 1024, headersMaxCount: 256, lineMaxBytes: 16 * 1024 };
/** Interim responses of one exchange; more are a fault of the endpoint. */
const INTERIM_MAX_COUNT = 16;
const SIZE_LINE_MAX_BYTES = 16;
/** Bodies of responses may be as long as they like. */
const NO_LIMIT = Number.POSITIVE_INFINITY;
/** How long both sides of an upgraded connection may be silent. */
const SWITCHED_IDLE_MS = 3_600_000;
/** A wait before another attempt that is shorter than half a tick of the engine's deadlines is none. */
const BACKOFF_MIN_MS = DEADLINE_TICK_MS / 2;
/** A pooled connection is given up this long before the endpoint said it would end it. */
const KEEP_ALIVE_MARGIN_MS = 1000;

export class ResponseReader implements ConnectionHandler {
  readonly #exchange: Exchange;
  #chunks: ChunkForwarder | undefined;
  #state: number = CLOSED;
  #id = 0;
  #endpoint: Endpoint | undefined;
  #timeoutMs = 0;
  #connectMs = 0;
  /** When the head of the response is due: counted from the end of the request, other attempts included. */
  #headDueMs = 0.5;
  #isReused = false;
  /** When the dial began. */
  #dialedMs = 0.5;
  #openedRound = 0;
  /** The round in which the deadline was last replaced: one that passed in the same round is an old one. */
  #deadlineRound = -1;
  #hasBytes = false;
  /** Bytes of a partial head that are held, and how many there were when it was last parsed. */
  #heldBytes = 0;
  #parsedBytes = 0;
  #interimCount = 0;
  #hasContinued = false;
  /** Whether the connection may serve another exchange, as far as this response says. */
  #isReusable = false;
  #poolIdleMs = 0;
  #isPooled = true;
  /** Of the body: its length where it has one, what was forwarded otherwise. */
  #bodyBytes = 0.5;
  #isChunkedOut = false;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** True from the 101 on, and while one is hoped for: what the client sends is kept for the other protocol. */
  get isSwitching(): boolean {
    return this.#state === SWITCHED;
  }

  /** Bytes of the body; of one that ends with its connection and goes to an HTTP/1.0 client, those that came with the head. */
  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /** What is waited for. */
  get phase(): Phase {
    switch (this.#state) {
      case CLOSED:
        return 'request';
      case CONNECTING:
      case BACKING_OFF:
        return 'connect';
      case AWAITING:
        return this.#exchange.isRequestComplete ? 'response-head' : 'request-body';
      case SWITCHED:
        return 'tunnel';
      default:
        return 'response-body';
    }
  }

  /** Takes a pooled connection or dials. Returns its id, NO_ROOM, or -errno. */
  open(endpoint: Endpoint, target: RouteTarget): number {
    this.#timeoutMs = target.plan.timeoutMs;
    this.#connectMs = target.cluster.plan.connectMs;
    this.#headDueMs = this.#exchange.listener.nowMs + this.#timeoutMs;
    this.#poolIdleMs = target.cluster.plan.poolIdleMs;
    this.#endpoint = endpoint;
    this.#hasBytes = false;
    this.#heldBytes = 0;
    this.#interimCount = 0;
    this.#hasContinued = false;
    this.#isReusable = false;
    this.#bodyBytes = 0;
    const { dispatcher } = this.#exchange.listener;
    // A connection with a PROXY header belongs to one client, so that none is kept.
    this.#isPooled = (target.cluster.plan.proxyProtocol ?? 'off') === 'off';
    const pooled = this.#isPooled ? endpoint.pool.take() : 0;
    if (pooled === 0) return this.#dial(endpoint, target.cluster.limits);
    target.cluster.counter.poolHits++;
    this.#id = pooled;
    this.#isReused = true;
    this.#openedRound = dispatcher.round;
    this.#state = AWAITING;
    dispatcher.bind(pooled, this);
    this.#awaitHead();
    return pooled;
  }

  /** Never 0, which would mean no deadline. */
  get #msUntilDue(): number {
    return Math.max(1, this.#headDueMs - this.#exchange.listener.nowMs);
  }

  /** While the client is still sending, its own deadline runs instead. */
  #awaitHead(): void {
    const { commands, round } = this.#exchange.listener.dispatcher;
    this.#deadlineRound = round;
    if (this.#exchange.isRequestComplete) commands.deadline(this.#id, this.#msUntilDue);
    else commands.clearDeadline(this.#id);
  }

  requestComplete(): void {
    this.#headDueMs = this.#exchange.listener.nowMs + this.#timeoutMs;
    if (this.#state === AWAITING) this.#awaitHead();
  }

  #dial(endpoint: Endpoint, limits: ClusterLimits | undefined): number {
    const connectMs = Math.min(this.#connectMs, this.#msUntilDue);
    return this.#dialed(this.#exchange.listener.context.dialer.dial(endpoint, connectMs, this, limits));
  }

  #dialed(id: number): number {
    this.#exchange.target.cluster.counter.connects++;
    this.#dialedMs = this.#exchange.listener.dispatcher.nowMs;
    this.#isReused = false;
    this.#id = Math.max(id, 0);
    this.#state = id > 0 ? CONNECTING : CLOSED;
    return id;
  }

  /** Another endpoint, after `backoffMs`, for a dial that failed; what was sent waits in the connection. Returns 0 or -errno. */
  redial(endpoint: Endpoint, backoffMs: number): number {
    this.#endpoint = endpoint;
    if (backoffMs < BACKOFF_MIN_MS) return this.#redialNow();
    this.#state = BACKING_OFF;
    this.#deadlineRound = this.#exchange.listener.dispatcher.round;
    this.#exchange.listener.dispatcher.commands.deadline(this.#id, Math.min(backoffMs, this.#msUntilDue));
    return 0;
  }

  #redialNow(): number {
    this.#state = CONNECTING;
    this.#exchange.target.cluster.counter.connects++;
    this.#dialedMs = this.#exchange.listener.dispatcher.nowMs;
    const connectMs = Math.min(this.#connectMs, this.#msUntilDue);
    return this.#exchange.listener.context.dialer.redial(this.#id, this.#endpoint!, connectMs);
  }

  /** A fresh connection, after `backoffMs`, and what was sent, in place of one that turned out to be dead. Returns its id, or -errno. */
  reopen(endpoint: Endpoint, backoffMs: number): number {
    const dead = this.#id;
    const { dispatcher, context } = this.#exchange.listener;
    const waits = backoffMs >= BACKOFF_MIN_MS;
    const connectMs = Math.min(this.#connectMs, this.#msUntilDue);
    const id = waits
      ? context.dialer.reserveAfter(dead, this)
      : context.dialer.dialAfter(dead, endpoint, connectMs, this);
    this.#dialed(id);
    // First the replay: a connection that is closed has forgotten what it retained.
    if (id > 0) dispatcher.commands.replay(dead, id);
    dispatcher.unbind(dead);
    dispatcher.commands.close(dead);
    if (waits && id > 0) this.redial(endpoint, backoffMs);
    else this.#endpoint = endpoint;
    return id;
  }

  onConnected(): void {
    this.#exchange.connected(this.#exchange.listener.dispatcher.nowMs - this.#dialedMs);
    this.#state = AWAITING;
    this.#awaitHead();
  }

  onConnectFailed(id: number): void {
    this.#exchange.endpoint?.secureFailed(id);
    this.#exchange.connectFailed('connect_refused');
  }

  onDeadline(): void {
    if (this.#deadlineRound === this.#exchange.listener.dispatcher.round) return;
    if (this.#state === BACKING_OFF) this.#backedOff();
    else if (this.#state === CONNECTING && this.#msUntilDue > 1) this.#exchange.connectFailed('connect_timeout');
    else if (this.#state === CONNECTING) this.#exchange.fail('connect_timeout');
    else this.#exchange.fail('response_timeout');
  }

  #backedOff(): void {
    if (this.#msUntilDue <= 1) this.#exchange.fail('connect_timeout');
    else if (this.#redialNow() < 0) this.#exchange.fail('no_descriptors');
  }

  onData(_id: number, offset: number, length: number): void {
    const end = offset + length;
    this.#exchange.listener.dispatcher.reserveScratch(SIZE_LINE_MAX_BYTES);
    switch (this.#state) {
      case AWAITING:
        if (this.#isReused && this.#exchange.listener.dispatcher.round === this.#openedRound)
          this.#broke('upstream_closed');
        else if (this.#isWorthParsing(offset, end)) this.#readHead(offset, end);
        else this.#holdHead(offset, end);
        return;
      case CHUNKED:
        this.#exchange.listener.dispatcher.commands.beginSend(this.#exchange.downstreamId, this.#id, 0);
        this.#forwardChunks(offset, end);
        return;
      case UNTIL_CLOSE:
        this.#exchange.listener.dispatcher.commands.beginSend(this.#exchange.downstreamId, this.#id, 0);
        this.#forwardUntilClose(offset, end);
        return;
      default:
        // Bytes behind the response: nobody asked for them, so nothing that follows on this connection can be trusted.
        this.#isReusable = false;
    }
  }

  #isWorthParsing(start: number, end: number): boolean {
    const { slab } = this.#exchange.listener.dispatcher.engine;
    return isWorthParsing(slab, start, end, this.#heldBytes, this.#parsedBytes, LIMITS.headMaxBytes);
  }

  #holdHead(start: number, end: number): void {
    this.#heldBytes = end - start;
    this.#exchange.listener.dispatcher.commands.hold(this.#id, start, this.#heldBytes);
  }

  #readHead(start: number, end: number): void {
    const { responseHead, dispatcher } = this.#exchange.listener;
    this.#hasBytes = true;
    let at = start;
    while (at < end) {
      const result = parseResponseHead(dispatcher.engine.slab, at, end, LIMITS, responseHead, this.#exchange.method);
      if (result < 0) {
        this.#exchange.fail('malformed_response');
        return;
      }
      if (result === 0) break;
      at += result;
      if (responseHead.status >= 200) {
        this.#begin(responseHead, at, end);
        return;
      }
      if (responseHead.status === 101) {
        this.#switch(responseHead, at, end);
        return;
      }
      if (++this.#interimCount > INTERIM_MAX_COUNT) {
        this.#exchange.fail('malformed_response');
        return;
      }
      this.#forwardInterim(responseHead);
    }
    this.#parsedBytes = end - at;
    if (at < end) this.#holdHead(at, end);
    else this.#heldBytes = 0;
  }

  /** 100 is for who asked for it, once; HTTP/1.0 knows none of them (RFC 9110 section 15.2). */
  #forwardInterim(head: ResponseHead): void {
    const exchange = this.#exchange;
    if (exchange.clientMinor === 0) return;
    if (head.status === 100) {
      if (!exchange.expectsContinue || this.#hasContinued) return;
      this.#hasContinued = true;
    }
    const { dispatcher, prepared } = exchange.listener;
    dispatcher.commands.beginSend(exchange.downstreamId, this.#id, 0);
    forwardResponseHead(dispatcher.commands, dispatcher.scratch, prepared, head, Persistence.UNSAID, false, undefined);
    dispatcher.commands.endSend();
  }

  /** The final head, and what came with it, in one SEND. */
  #begin(head: ResponseHead, at: number, end: number): void {
    const exchange = this.#exchange;
    const { dispatcher, prepared } = exchange.listener;
    if (head.bodyKind === BodyKind.CHUNKED && this.#bodyChunks().preview(at, end, NO_LIMIT) === Forwarded.FAILED) {
      exchange.fail('malformed_response');
      return;
    }
    this.#deadlineRound = dispatcher.round;
    const isModern = exchange.clientMinor === 1;
    const hasOpenEnd = head.bodyKind === BodyKind.CHUNKED || head.bodyKind === BodyKind.UNTIL_CLOSE;
    this.#isChunkedOut = hasOpenEnd && isModern;
    this.#isReusable = head.keepAlive === 1;
    if (head.keepAliveTimeoutS >= 0) {
      this.#poolIdleMs = Math.min(this.#poolIdleMs, head.keepAliveTimeoutS * 1000 - KEEP_ALIVE_MARGIN_MS);
    }
    const closes = exchange.responseBegins(head.status, hasOpenEnd && !isModern);
    // Before the SEND is opened: no other command may stand in it.
    if (hasOpenEnd) dispatcher.commands.idleDeadline(this.#id, this.#timeoutMs);
    const persistence = closes ? Persistence.CLOSE : isModern ? Persistence.UNSAID : Persistence.KEEP_ALIVE;
    const edits = exchange.target.responseEdits;
    const bond = exchange.newBond;
    if (edits !== undefined || bond !== undefined) {
      dispatcher.reserveScratch((edits?.scratchBytes ?? 0) + (bond?.scratchBytes ?? 0) + SIZE_LINE_MAX_BYTES);
    }
    dispatcher.commands.beginSend(exchange.downstreamId, this.#id, 0);
    const { commands, scratch } = dispatcher;
    forwardResponseHead(
      commands,
      scratch,
      prepared,
      head,
      persistence,
      this.#isChunkedOut,
      edits,
      bond,
      this.#endpoint,
    );
    this.#beginBody(head, at, end);
  }

  #bodyChunks(): ChunkForwarder {
    const { dispatcher, prepared } = this.#exchange.listener;
    this.#chunks ??= new ChunkForwarder(dispatcher, prepared, 'response');
    return this.#chunks;
  }

  #beginBody(head: ResponseHead, at: number, end: number): void {
    const exchange = this.#exchange;
    const { commands } = exchange.listener.dispatcher;
    switch (head.bodyKind) {
      case BodyKind.NONE:
        commands.endSend();
        this.#complete(at, end);
        return;
      case BodyKind.LENGTH: {
        this.#bodyBytes = head.contentLength;
        const bodyEnd = Math.min(end, at + head.contentLength);
        commands.range(at, bodyEnd - at);
        commands.endSend();
        const remaining = head.contentLength - (bodyEnd - at);
        if (remaining === 0) {
          this.#complete(bodyEnd, end);
          return;
        }
        this.#state = LENGTH;
        commands.relay(this.#id, exchange.downstreamId, remaining);
        commands.idleDeadline(this.#id, this.#timeoutMs);
        return;
      }
      case BodyKind.CHUNKED:
        this.#state = CHUNKED;
        this.#bodyChunks().start(this.#id, exchange.downstreamId, this.#isChunkedOut, NO_LIMIT);
        this.#forwardChunks(at, end);
        return;
      default:
        this.#state = UNTIL_CLOSE;
        this.#forwardUntilClose(at, end);
    }
  }

  #forwardChunks(start: number, end: number): void {
    const chunks = this.#chunks!;
    const forwarded = chunks.forward(start, end);
    this.#bodyBytes = chunks.bodyBytes;
    switch (forwarded) {
      case Forwarded.DONE:
        this.#complete(chunks.consumed, end);
        return;
      case Forwarded.FAILED:
        this.#exchange.fail('malformed_response');
        return;
    }
  }

  /** A body that ends with its connection: in chunks, so that its end can be told from an accident; or bare, for HTTP/1.0. */
  #forwardUntilClose(start: number, end: number): void {
    const { dispatcher, prepared } = this.#exchange.listener;
    const { commands, scratch } = dispatcher;
    this.#bodyBytes += end - start;
    if (!this.#isChunkedOut) {
      commands.range(start, end - start);
      commands.endSend();
      commands.relay(this.#id, this.#exchange.downstreamId, RELAY_UNTIL_END);
      return;
    }
    if (end > start) {
      const offset = scratch.take(SIZE_LINE_MAX_BYTES);
      commands.range(offset, writeHex(scratch.bytes, offset, end - start));
      commands.range(start, end - start);
      commands.range(prepared.lineEnd.offset, prepared.lineEnd.length);
    }
    commands.endSend();
  }

  onRelayDone(): void {
    if (this.#state === LENGTH) this.#complete(0, 0);
    else if (this.#state === CHUNKED) this.#chunks!.relayDone();
  }

  onEnd(): void {
    if (this.#state === UNTIL_CLOSE) this.#ended();
    else this.#broke('upstream_closed');
  }

  onClosed(): void {
    this.#broke('upstream_reset');
  }

  /** The end of the connection is the end of the body. */
  #ended(): void {
    if (this.#isChunkedOut) {
      const { lastChunk } = this.#exchange.listener.prepared;
      const { commands } = this.#exchange.listener.dispatcher;
      commands.send(this.#exchange.downstreamId, this.#id, 0, lastChunk.offset, lastChunk.length);
    }
    this.#complete(0, 0);
  }

  /** The connection has ended where it must not. */
  #broke(code: ErrorCode): void {
    if (this.#state !== AWAITING) this.#exchange.fail('response_cut');
    else if (this.#hasBytes) this.#exchange.fail('malformed_response');
    else if (this.#isReused) this.#exchange.staleConnection(code);
    else this.#exchange.lostConnection(code);
  }

  /** `slab[at, end)` is what came behind the response: nobody asked for it. */
  #complete(at: number, end: number): void {
    const exchange = this.#exchange;
    const endpoint = this.#endpoint!;
    const id = this.#id;
    this.#state = COMPLETE;
    if (this.#isReusable && this.#isPooled && at === end && exchange.isRequestComplete && !this.#isWantedElsewhere) {
      this.forget();
      endpoint.pool.put(id, this.#poolIdleMs);
    } else this.abandon();
    exchange.responseComplete();
  }

  get #isWantedElsewhere(): boolean {
    const { limits } = this.#exchange.target.cluster;
    return limits?.othersWait === true;
  }

  /** Closes the connection, whatever it is doing. */
  abandon(): void {
    const id = this.#id;
    if (id === 0) return;
    const { dispatcher } = this.#exchange.listener;
    this.forget();
    dispatcher.unbind(id);
    dispatcher.commands.close(id);
  }

  /** The connection is somebody else's, or gone. */
  forget(): void {
    this.#id = 0;
    this.#endpoint = undefined;
    this.#state = CLOSED;
  }

  /** 101: from here on both connections speak something else (RFC 9110 section 7.8). Only now: never before the endpoint agreed. */
  #switch(head: ResponseHead, at: number, end: number): void {
    const exchange = this.#exchange;
    if (!exchange.wantsUpgrade || !exchange.isRequestComplete || head.upgradeIndex < 0) {
      exchange.fail('malformed_response');
      return;
    }
    const { dispatcher, prepared } = exchange.listener;
    const { commands } = dispatcher;
    commands.beginSend(exchange.downstreamId, this.#id, 0);
    forwardResponseHead(commands, dispatcher.scratch, prepared, head, Persistence.UPGRADE, false, undefined);
    commands.endSend();
    commands.hold(this.#id, at, end - at);
    commands.clearDeadline(this.#id);
    commands.tunnel(exchange.downstreamId, this.#id, SWITCHED_IDLE_MS);
    this.#state = SWITCHED;
    exchange.switchedProtocols();
  }

  onTunnelClosed(): void {}
}
