/**
 * Forwards a chunked body from one connection to another, chunk by chunk, with sizes of our own: nothing of the sender's framing travels on.
 * The rest of a large chunk is relayed by the engine without being shown. Hot path: no allocation, no strings.
 */
import type { Dispatcher } from '../../engine/dispatcher.ts';
import type { Prepared } from '../prepared.ts';
import { writeHex } from './chunk-size.ts';
import { Chunked, ChunkedDecoder, type ChunkedLimits } from './chunked-decoder.ts';

/** A rest of a chunk from here on is worth a relay of its own. */
const RELAY_MIN_BYTES = 16 * 1024;
/** Hex digits of a size, and CR LF. */
const SIZE_LINE_MAX_BYTES = 16;

export const Forwarded = { MORE: 0, DONE: 1, FAILED: 2, TOO_LARGE: 3 } as const;

const REQUEST_LIMITS: ChunkedLimits = { trailersMaxBytes: 8192, trailersMaxCount: 100, dropsUnderscores: true };
const RESPONSE_LIMITS: ChunkedLimits = { trailersMaxBytes: 8192, trailersMaxCount: 100, dropsUnderscores: false };

export class ChunkForwarder {
  readonly #dispatcher: Dispatcher;
  readonly #prepared: Prepared;
  readonly #limits: ChunkedLimits;
  readonly #decoder: ChunkedDecoder;
  #source = 0;
  #sink = 0;
  #isChunkedOut = true;
  #hasTrailers = false;
  #bodyMaxBytes = 0.5;

  constructor(dispatcher: Dispatcher, prepared: Prepared, direction: 'request' | 'response') {
    this.#dispatcher = dispatcher;
    this.#prepared = prepared;
    this.#limits = direction === 'request' ? REQUEST_LIMITS : RESPONSE_LIMITS;
    this.#decoder = new ChunkedDecoder(this.#limits);
  }

  /** `isChunkedOut` false sends the bare bytes, for a client of HTTP/1.0. `bodyMaxBytes` Infinity: no limit. */
  start(source: number, sink: number, isChunkedOut: boolean, bodyMaxBytes: number): void {
    this.#source = source;
    this.#sink = sink;
    this.#isChunkedOut = isChunkedOut;
    this.#hasTrailers = false;
    this.#bodyMaxBytes = bodyMaxBytes;
    this.#decoder.reset(this.#limits);
  }

  /** What `forward` would make of `slab[at, end)` at the start of a body: nothing is forwarded. To be called before `start`. */
  preview(at: number, end: number, bodyMaxBytes: number): number {
    const decoder = this.#decoder;
    const slab = this.#dispatcher.engine.slab;
    decoder.reset(this.#limits);
    for (let from = at; ; from = decoder.consumed) {
      switch (decoder.next(slab, from, end)) {
        case Chunked.CHUNK_START:
          if (decoder.bodyBytes > bodyMaxBytes) return Forwarded.TOO_LARGE;
          break;
        case Chunked.NEED_MORE:
          return Forwarded.MORE;
        case Chunked.DONE:
          return Forwarded.DONE;
        case Chunked.ERROR:
          return Forwarded.FAILED;
      }
    }
  }

  /** Of the body, as far as its chunks have begun. */
  get bodyBytes(): number {
    return this.#decoder.bodyBytes;
  }

  /** Where the bytes after the body begin, once DONE. */
  get consumed(): number {
    return this.#decoder.consumed;
  }

  /**
   * Forwards `slab[at, end)`. The caller has opened a SEND to the sink (with a head in it, perhaps); it is closed here. Returns a Forwarded.
   * After MORE the source's next bytes, or its RELAY_DONE, come here.
   */
  forward(at: number, end: number): number {
    const { commands } = this.#dispatcher;
    const decoder = this.#decoder;
    const slab = this.#dispatcher.engine.slab;
    let from = at;
    for (;;) {
      const found = decoder.next(slab, from, end);
      from = decoder.consumed;
      switch (found) {
        case Chunked.CHUNK_START:
          if (decoder.bodyBytes > this.#bodyMaxBytes) return this.#end(Forwarded.TOO_LARGE);
          if (this.#isChunkedOut) this.#sizeLine(decoder.size);
          break;
        case Chunked.DATA:
          commands.range(decoder.dataStart, decoder.dataEnd - decoder.dataStart);
          if (decoder.remaining === 0) this.#chunkEnd();
          else if (decoder.remaining >= RELAY_MIN_BYTES) {
            commands.endSend();
            commands.relay(this.#source, this.#sink, decoder.remaining);
            return Forwarded.MORE;
          }
          break;
        case Chunked.TRAILERS:
          this.#trailers(decoder.trailersStart, decoder.trailersEnd);
          break;
        case Chunked.NEED_MORE:
          commands.endSend();
          if (decoder.heldFrom >= 0) commands.hold(this.#source, decoder.heldFrom, end - decoder.heldFrom);
          return Forwarded.MORE;
        case Chunked.DONE:
          this.#lastChunk();
          return this.#end(Forwarded.DONE);
        default:
          return this.#end(Forwarded.FAILED);
      }
    }
  }

  /** The relay of a chunk's rest is over. */
  relayDone(): void {
    this.#decoder.skipped(this.#decoder.remaining);
    if (!this.#isChunkedOut) return;
    const { lineEnd } = this.#prepared;
    this.#dispatcher.commands.send(this.#sink, this.#source, 0, lineEnd.offset, lineEnd.length);
  }

  #end(result: number): number {
    this.#dispatcher.commands.endSend();
    return result;
  }

  #sizeLine(size: number): void {
    const { commands, scratch } = this.#dispatcher;
    if (scratch.room < SIZE_LINE_MAX_BYTES) {
      // A flood of tiny chunks: the open SEND is closed, so that what was written so far can go and make room.
      commands.endSend();
      this.#dispatcher.reserveScratch(SIZE_LINE_MAX_BYTES);
      commands.beginSend(this.#sink, this.#source, 0);
    }
    const offset = scratch.take(SIZE_LINE_MAX_BYTES);
    commands.range(offset, writeHex(scratch.bytes, offset, size));
  }

  #chunkEnd(): void {
    const { lineEnd } = this.#prepared;
    if (this.#isChunkedOut) this.#dispatcher.commands.range(lineEnd.offset, lineEnd.length);
  }

  #trailers(start: number, end: number): void {
    if (!this.#isChunkedOut) return;
    const { commands } = this.#dispatcher;
    const { lastChunkSize } = this.#prepared;
    if (!this.#hasTrailers) commands.range(lastChunkSize.offset, lastChunkSize.length);
    this.#hasTrailers = true;
    commands.range(start, end - start);
  }

  #lastChunk(): void {
    if (!this.#isChunkedOut) return;
    const end = this.#hasTrailers ? this.#prepared.lineEnd : this.#prepared.lastChunk;
    this.#dispatcher.commands.range(end.offset, end.length);
  }
}
