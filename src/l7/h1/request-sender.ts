/**
 * Sends the request of an exchange to its upstream connection: the head, and the body as it comes. Hot path: no allocation.
 */
import type { ErrorCode } from '../../core/errors.ts';
import type { ClientAddress } from '../../downstream/client-address.ts';
import { SEND_RETAIN } from '../../engine/protocol.ts';
import type { Exchange } from '../exchange.ts';
import type { Upload } from '../upload-watch.ts';
import { ChunkForwarder, Forwarded } from './chunk-forwarder.ts';
import { forwardRequestHead } from './forward-request.ts';
import { BodyKind } from './head-fields.ts';
import type { RequestHead } from './request-head.ts';

export class RequestSender implements Upload {
  windowStartMs = 0.5;
  windowBytes = 0.5;
  readonly #exchange: Exchange;
  #chunks: ChunkForwarder | undefined;
  #downstream = 0;
  #upstream = 0;
  #bodyKind: number = BodyKind.NONE;
  /** Of a body with a length: bytes that are not yet on their way. */
  #remaining = 0.5;
  #lengthBytes = 0.5;
  #restStart = 0;
  #restEnd = 0;
  isComplete = false;
  /** Whether what has been sent is kept, to be sent again. */
  isRetained = false;
  wantsUpgrade = false;
  expectsContinue = false;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** A new request: its head, and the bytes that came behind it. What belongs to the next request is held back at once. */
  reset(downstream: number, head: RequestHead, restStart: number, restEnd: number): void {
    this.#downstream = downstream;
    this.#upstream = 0;
    this.#bodyKind = head.bodyKind;
    this.wantsUpgrade = head.wantsUpgrade === 1;
    this.expectsContinue = head.expectsContinue === 1;
    this.isRetained = false;
    this.#restStart = restStart;
    this.#restEnd = restEnd;
    this.#remaining = 0;
    this.#lengthBytes = head.bodyKind === BodyKind.LENGTH ? head.contentLength : 0;
    this.isComplete = head.bodyKind === BodyKind.NONE;
    if (head.bodyKind === BodyKind.LENGTH) {
      const here = Math.min(restEnd - restStart, head.contentLength);
      this.#restEnd = restStart + here;
      this.#remaining = head.contentLength - here;
      this.isComplete = this.#remaining === 0;
    } else if (this.isComplete) this.#restEnd = restStart;
    if (this.isComplete) this.#exchange.holdBack(this.#restEnd, restEnd);
  }

  /** Why the body that was announced is refused, as far as it is here: no endpoint is to see such a request. */
  refusal(bodyMaxBytes: number): ErrorCode | undefined {
    if (this.#bodyKind === BodyKind.LENGTH) {
      return this.#exchange.listener.requestHead.contentLength > bodyMaxBytes ? 'body_too_large' : undefined;
    }
    if (this.#bodyKind === BodyKind.NONE) return undefined;
    switch (this.#requestChunks().preview(this.#restStart, this.#restEnd, bodyMaxBytes)) {
      case Forwarded.FAILED:
        return 'malformed_body';
      case Forwarded.TOO_LARGE:
        return 'body_too_large';
      default:
        return undefined;
    }
  }

  #requestChunks(): ChunkForwarder {
    const { dispatcher, prepared } = this.#exchange.listener;
    this.#chunks ??= new ChunkForwarder(dispatcher, prepared, 'request');
    return this.#chunks;
  }

  /** `peer` is who connected. Sends the head, with as much of the body as is here. */
  send(upstream: number, peer: ClientAddress, pathStart: number, pathEnd: number, endpointKey: string): void {
    const { dispatcher, prepared, requestHead, forwarding } = this.#exchange.listener;
    const { requestChanges } = this.#exchange.target;
    const { commands, scratch } = dispatcher;
    this.#upstream = upstream;
    this.isRetained = this.isComplete || this.#isWorthRetaining;
    if (!this.isComplete) {
      commands.idleDeadline(this.#downstream, this.#exchange.listener.plan.listener.timeouts.bodyMs);
      this.#exchange.listener.uploads.begin(this);
    }
    // A client that has said everything is read on while the endpoint is slow to connect: so its end is seen.
    commands.beginSend(upstream, this.isComplete ? 0 : this.#downstream, this.isRetained ? SEND_RETAIN : 0);
    forwardRequestHead(
      commands,
      scratch,
      prepared,
      requestHead,
      forwarding,
      requestChanges,
      peer,
      pathStart,
      pathEnd,
      endpointKey,
    );
    if (this.#bodyKind === BodyKind.CHUNKED) {
      this.#startChunks();
      return;
    }
    commands.range(this.#restStart, this.#restEnd - this.#restStart);
    commands.endSend();
    if (!this.isComplete && !this.isRetained) commands.relay(this.#downstream, upstream, this.#remaining);
  }

  /** A small body that is still to come is read here instead of relayed, so that it can be sent again where that is allowed at all. */
  get #isWorthRetaining(): boolean {
    if (this.#bodyKind !== BodyKind.LENGTH || !this.#exchange.isIdempotent) return false;
    const { retry } = this.#exchange.target.cluster.plan;
    return retry !== undefined && this.#exchange.listener.requestHead.contentLength <= retry.bodyMaxBytes;
  }

  #startChunks(): void {
    this.#requestChunks().start(this.#downstream, this.#upstream, true, this.#exchange.listener.plan.bodyMaxBytes);
    this.#forwardChunks(this.#restStart, this.#restEnd);
  }

  /** More bytes of a body that is not relayed. */
  forwardBody(start: number, end: number): void {
    if (this.#bodyKind === BodyKind.LENGTH) this.#forwardRetained(start, end);
    else this.#forwardMoreChunks(start, end);
  }

  #forwardRetained(start: number, end: number): void {
    const length = Math.min(end - start, this.#remaining);
    this.#exchange.listener.dispatcher.commands.send(this.#upstream, this.#downstream, SEND_RETAIN, start, length);
    this.#remaining -= length;
    if (this.#remaining > 0) return;
    this.#complete();
    this.#exchange.holdBack(start + length, end);
  }

  #forwardMoreChunks(start: number, end: number): void {
    this.#exchange.listener.dispatcher.commands.beginSend(this.#upstream, this.#downstream, 0);
    this.#forwardChunks(start, end);
  }

  #forwardChunks(start: number, end: number): void {
    const chunks = this.#chunks!;
    switch (chunks.forward(start, end)) {
      case Forwarded.DONE:
        this.#complete();
        this.#exchange.holdBack(chunks.consumed, end);
        return;
      case Forwarded.FAILED:
        this.#exchange.fail('malformed_body');
        return;
      case Forwarded.TOO_LARGE:
        this.#exchange.fail('body_too_large');
        return;
    }
  }

  relayDone(): void {
    if (this.#bodyKind === BodyKind.CHUNKED) this.#chunks!.relayDone();
    else this.#complete();
  }

  /** Of the body, as far as it has been announced or has come. */
  get bodyBytes(): number {
    return this.#bodyKind === BodyKind.CHUNKED ? (this.#chunks?.bodyBytes ?? 0) : this.#lengthBytes;
  }

  get downstream(): number {
    return this.#downstream;
  }

  onTooSlow(): void {
    this.#exchange.fail('request_timeout');
  }

  /** The exchange is over. */
  end(): void {
    if (!this.isComplete) this.#exchange.listener.uploads.end(this);
  }

  #complete(): void {
    this.#exchange.listener.uploads.end(this);
    this.isComplete = true;
    this.#exchange.listener.dispatcher.commands.clearDeadline(this.#downstream);
    this.#exchange.requestComplete();
  }

  /** The retained request was sent to another connection. */
  movedTo(upstream: number): void {
    this.#upstream = upstream;
  }
}
