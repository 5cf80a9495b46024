/**
 * A downstream connection that speaks HTTP/1: it takes requests one after the other, hands each to an exchange, and forwards its body.
 *
 *   accepted ─▶ HEAD ─▶ BUSY ─▶ IDLE ─▶ HEAD …        HEAD: bytes of a head have come, or the first is waited for
 *                 │       │      │                     BUSY: an exchange is in flight; what else comes is held back
 *                 └───────┴──────┴──▶ closed           IDLE: between requests
 *
 * Hot path: no allocation per request, no strings, no throw.
 */

import type { EndpointRef } from '../contract/messages.ts';
import type { ErrorCode } from '../core/errors.ts';
import { ERRORS } from '../core/errors.ts';
import type { ClientAddress } from '../downstream/client-address.ts';
import type { ConnectionHandler } from '../engine/connection-handler.ts';
import { TunnelEnd } from '../engine/protocol.ts';
import type { AccessLog } from '../observe/access/access-log.ts';
import type { Exchange } from './exchange.ts';
import { putClient } from './exchange-record.ts';
import { isWorthParsing } from './h1/partial-head.ts';
import { parseRequestHead } from './h1/request-parser.ts';
import { REQUEST_REFUSALS } from './h1/request-refusals.ts';
import type { HttpListener } from './http-listener.ts';

const IDLE = 0;
const HEAD = 1;
const BUSY = 2;

/** How long a client that is told to go may take to read that, before its connection is reset under it (RFC 9112 section 9.6). */
export const LINGER_MS = 2000;

/** How long a listener that ends waits for the first request of a connection: it was accepted with the last ones, or is a probe. */
const FIRST_REQUEST_MS = 500;

export class HttpConnection implements ConnectionHandler {
  readonly id: number;
  /** Who connected, or whom a PROXY header announced. */
  readonly client: ClientAddress;
  /** Where that header said the client meant to connect to. */
  readonly destination: ClientAddress | undefined;
  readonly listener: HttpListener;
  #state: number = HEAD;
  /** Bytes of a partial head that are held, and how many there were when it was last parsed. */
  #heldBytes = 0;
  #parsedBytes = 0;
  #hasHeldRequest = false;
  #exchange: Exchange | undefined;
  /** The round in which the deadline was last replaced: one that passed in the same round is an old one. */
  #deadlineRound = -1;

  constructor(listener: HttpListener, id: number, client: ClientAddress, destination: ClientAddress | undefined) {
    this.listener = listener;
    this.id = id;
    this.client = client;
    this.destination = destination;
  }

  open(): void {
    this.listener.dispatcher.commands.deadline(this.id, this.listener.plan.listener.timeouts.headMs);
  }

  onData(_id: number, offset: number, length: number): void {
    if (this.#state === BUSY) this.#exchange!.onClientData(offset, offset + length);
    else this.#readHead(offset, length);
  }

  #readHead(offset: number, length: number): void {
    const { listener } = this;
    const { slab } = listener.dispatcher.engine;
    const { limits } = listener.plan.listener;
    const end = offset + length;
    this.#hasHeldRequest = false;
    if (!isWorthParsing(slab, offset, end, this.#heldBytes, this.#parsedBytes, limits.headMaxBytes)) {
      this.#holdHead(offset, length);
      return;
    }
    const result = parseRequestHead(slab, offset, end, limits, listener.requestHead, listener.plan.isSecure);
    this.#parsedBytes = length;
    if (result > 0) this.#begin(offset, offset + result, end);
    else if (result === 0) this.#holdHead(offset, length);
    else this.#refuse(REQUEST_REFUSALS[-result]!);
  }

  #holdHead(offset: number, length: number): void {
    const { commands } = this.listener.dispatcher;
    commands.hold(this.id, offset, length);
    this.#heldBytes = length;
    if (this.#state === HEAD) return;
    this.#state = HEAD;
    this.#deadlineRound = this.listener.dispatcher.round;
    commands.deadline(this.id, this.listener.plan.listener.timeouts.headMs);
  }

  #begin(headStart: number, restStart: number, restEnd: number): void {
    this.#state = BUSY;
    this.#deadlineRound = this.listener.dispatcher.round;
    this.#heldBytes = 0;
    const exchange = this.listener.takeExchange();
    this.#exchange = exchange;
    exchange.begin(this, headStart, restStart, restEnd);
  }

  /** A request that never became an exchange. */
  #refuse(code: ErrorCode): void {
    const { listener } = this;
    const { status } = ERRORS[code];
    listener.plan.unrouted.count(status);
    const bytes = listener.errorResponses.send(listener.dispatcher.commands, this.id, status, true, true);
    if (listener.accessLog !== undefined) this.#tellRefusal(listener.accessLog, code, status, bytes);
    this.closeLingering();
  }

  #tellRefusal(log: AccessLog, code: ErrorCode, status: number, bytes: number): void {
    const { entry } = log;
    entry.reset();
    putClient(entry, this.client);
    entry.status = status;
    entry.responseBytes = bytes;
    entry.failed(code, ERRORS[code].source, 'request');
    log.exchange(entry);
  }

  /** Keeps what came after the request, until its exchange has ended. */
  holdBack(start: number, end: number): void {
    const { commands } = this.listener.dispatcher;
    commands.hold(this.id, start, end - start);
    commands.pause(this.id);
    this.#hasHeldRequest = true;
  }

  get hasHeldRequest(): boolean {
    return this.#hasHeldRequest;
  }

  /** Keeps the whole request, head included: its exchange has to wait, and what it has read does not outlive the round. */
  keepRequest(start: number, end: number): void {
    const { commands } = this.listener.dispatcher;
    commands.hold(this.id, start, end - start);
    commands.pause(this.id);
  }

  /** Gives back what `keepRequest` kept, in the next round. */
  readAgain(): void {
    this.listener.dispatcher.commands.resume(this.id);
  }

  /** The exchange is over, its answer handed over. */
  exchangeEnded(): void {
    const { commands, round } = this.listener.dispatcher;
    this.#exchange = undefined;
    this.#state = IDLE;
    this.#parsedBytes = 0;
    this.#deadlineRound = round;
    commands.deadline(this.id, this.listener.plan.listener.timeouts.idleMs);
    if (this.#hasHeldRequest) commands.resumeWhenDrained(this.id);
    else if (this.listener.isEnding) this.closeLingering();
  }

  /** Ends the connection after what was sent has left. */
  close(): void {
    this.#leave();
    this.listener.dispatcher.commands.close(this.id);
  }

  /** As `close`, for a client that may still be sending: it gets to read the answer. */
  closeLingering(): void {
    this.#leave();
    this.listener.dispatcher.commands.closeLingering(this.id, LINGER_MS);
  }

  /** Ends the connection so that the client cannot take what it got for a whole answer. */
  reset(): void {
    this.#leave();
    this.listener.dispatcher.commands.reset(this.id);
  }

  #leave(): void {
    this.#exchange = undefined;
    this.listener.dispatcher.unbind(this.id);
    this.listener.forget(this);
  }

  /** Between requests it is closed; a first request that has not begun to come is waited for a little. */
  closeIfIdle(): void {
    if (this.#state === IDLE && !this.#hasHeldRequest) this.closeLingering();
    else if (this.#state === HEAD && this.#heldBytes === 0) {
      const ms = Math.min(FIRST_REQUEST_MS, this.listener.plan.listener.timeouts.headMs);
      this.listener.dispatcher.commands.deadline(this.id, ms);
    }
  }

  /** Ends the exchange if it is on such an endpoint. Returns whether it was. */
  cutWorkOn(isMeant: (endpoint: EndpointRef) => boolean): boolean {
    const endpoint = this.#exchange?.endpoint;
    if (endpoint === undefined || !isMeant(endpoint)) return false;
    this.#exchange!.fail('endpoint_taken_out');
    return true;
  }

  /** Ends everything now. Returns whether an exchange was cut. */
  cut(): boolean {
    const exchange = this.#exchange;
    if (exchange !== undefined) exchange.clientGone('draining');
    this.reset();
    return exchange !== undefined;
  }

  onRelayDone(): void {
    this.#exchange?.onClientRelayDone();
  }

  onEnd(): void {
    this.#exchange?.clientGone();
    this.close();
  }

  onClosed(): void {
    this.#exchange?.clientGone();
    this.#leave();
  }

  onDeadline(): void {
    if (this.#deadlineRound === this.listener.dispatcher.round) return;
    if (this.#state === BUSY) this.#exchange!.onClientDeadline();
    else if (this.#state === HEAD && this.#heldBytes > 0) this.#refuse('request_timeout');
    else this.close();
  }

  onTunnelClosed(first: number, _second: number, reason: number, _errno: number, forward: number, back: number): void {
    const exchange = this.#exchange;
    const isFirst = first === this.id;
    this.#leave();
    exchange?.tunnelClosed(whoFailed(reason, isFirst), isFirst ? back : forward);
  }

  onConnected(): void {}

  onConnectFailed(): void {}
}

function whoFailed(reason: number, downstreamIsFirst: boolean): 'downstream' | 'upstream' | undefined {
  if (reason === TunnelEnd.FIRST_FAILED) return downstreamIsFirst ? 'downstream' : 'upstream';
  if (reason === TunnelEnd.SECOND_FAILED) return downstreamIsFirst ? 'upstream' : 'downstream';
  return undefined;
}
