/**
 * Traces (W3C Trace Context, level 1): which trace a request belongs to, whether it is told, and what the endpoint hears of it. Made where tracing is
 * configured; elsewhere an exchange asks once whether there is any, and `traceparent` passes like any other field.
 */
import { ADDRESS_TEXT_MAX_BYTES } from '../downstream/client-address.ts';
import { type AccessEntry, EntryText } from '../observe/access/access-entry.ts';
import type { SpanRecord, Spans } from '../observe/spans.ts';
import { HEADER_WORDS, NAME_ID, VALUE_END, VALUE_START } from './h1/head-fields.ts';
import { Header, TRAIT_TRACE } from './h1/header-names.ts';
import type { RequestHead } from './h1/request-head.ts';
import { REQUEST_ID_BYTES, RequestIds } from './request-id.ts';

/** `00-` trace `-` span `-` flags. */
export const TRACEPARENT_BYTES = 55;
const TRACE_START = 3;
const TRACE_END = 35;
const SPAN_START = 36;
const SPAN_END = 52;
const FLAGS_START = 53;
const DASH = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const LOWER_A = 0x61;
const LOWER_F = 0x66;
const SAMPLED_BIT = 1;

/** What an exchange knows of its trace. Reused. */
export class TraceContext {
  /** As it is sent to the endpoint: its span is our request to it. */
  readonly text = new Uint8Array(TRACEPARENT_BYTES);
  /** Of the span before ours; all zeros: ours is the first. */
  readonly parent = new Uint8Array(SPAN_END - SPAN_START);
  /** Of our own span. */
  readonly own = new Uint8Array(SPAN_END - SPAN_START);
  isSampled = false;
  hasParent = false;
}

export class Tracing {
  readonly #sample: number;
  readonly #spans: Spans;
  readonly #ids: Pick<RequestIds, 'write'>;
  readonly #random: () => number;
  readonly #fresh = new Uint8Array(REQUEST_ID_BYTES);

  /** `sample`: share of the traces that begin here and are told, 0 to 1. */
  constructor(sample: number, spans: Spans, ids: Pick<RequestIds, 'write'> = new RequestIds(), random = Math.random) {
    this.#sample = sample;
    this.#spans = spans;
    this.#ids = ids;
    this.#random = random;
  }

  /** A request begins. `isTrusted`: what it says of its trace is believed, and so is whether that is told. */
  begin(trace: TraceContext, bytes: Uint8Array, head: RequestHead, isTrusted: boolean): void {
    trace.text[0] = ZERO;
    trace.text[1] = ZERO;
    trace.text[2] = DASH;
    trace.text[TRACE_END] = DASH;
    trace.text[SPAN_END] = DASH;
    const at = isTrusted && (head.traits & TRAIT_TRACE) !== 0 ? parentOf(bytes, head) : -1;
    trace.hasParent = at >= 0;
    this.#ids.write(this.#fresh, 0);
    if (at >= 0) {
      copy(bytes, at + TRACE_START, trace.text, TRACE_START, TRACE_END - TRACE_START);
      copy(bytes, at + SPAN_START, trace.parent, 0, trace.parent.length);
      trace.isSampled = (digitOf(bytes[at + FLAGS_START + 1]!) & SAMPLED_BIT) !== 0;
    } else {
      copy(this.#fresh, 0, trace.text, TRACE_START, TRACE_END - TRACE_START);
      trace.isSampled = this.#sample >= 1 || this.#random() < this.#sample;
      this.#ids.write(this.#fresh, 0);
    }
    copy(this.#fresh, 0, trace.own, 0, trace.own.length);
    copy(this.#fresh, trace.own.length, trace.text, SPAN_START, SPAN_END - SPAN_START);
    trace.text[FLAGS_START] = ZERO;
    trace.text[FLAGS_START + 1] = trace.isSampled ? ZERO + 1 : ZERO;
  }

  /** The exchange is over, and its trace is told. `listener`: its name. Makes strings: for those that are told alone. */
  end(trace: TraceContext, entry: AccessEntry, listener: string): void {
    const record: SpanRecord = {
      traceId: asciiText(trace.text, TRACE_START, TRACE_END),
      spanId: asciiText(trace.own, 0, trace.own.length),
      parentSpanId: trace.hasParent ? asciiText(trace.parent, 0, trace.parent.length) : undefined,
      upstreamSpanId: asciiText(trace.text, SPAN_START, SPAN_END),
      endMs: Date.now(),
      durationMs: entry.durationMs,
      attemptMs: entry.attemptMs,
      listener,
      route: entry.route,
      cluster: entry.cluster,
      endpoint: entry.endpoint,
      attempts: entry.attempts,
      method: entry.textOf(EntryText.METHOD),
      target: entry.textOf(EntryText.TARGET),
      host: entry.textOf(EntryText.HOST),
      userAgent: entry.textOf(EntryText.USER_AGENT),
      client: entry.textOf(EntryText.CLIENT).slice(0, ADDRESS_TEXT_MAX_BYTES),
      port: entry.port,
      isSecure: entry.isSecure,
      status: entry.status,
      reason: entry.reason,
      requestBytes: entry.requestBytes,
      responseBytes: entry.responseBytes,
    };
    this.#spans.add(record);
  }
}

/** Where a `traceparent` begins that is valid, or -1. Two of them are none (section 3.2). */
function parentOf(bytes: Uint8Array, head: RequestHead): number {
  const { headers } = head;
  const words = head.headerCount * HEADER_WORDS;
  let found = -1;
  for (let word = 0; word < words; word += HEADER_WORDS) {
    if (headers[word + NAME_ID] !== Header.TRACEPARENT) continue;
    if (found >= 0) return -1;
    found = headers[word + VALUE_START]!;
    if (!isTraceparent(bytes, found, headers[word + VALUE_END]!)) return -1;
  }
  return found;
}

/** Section 3.2.2: lower case; neither id is all zeros; version `ff` is none; later versions may be longer, behind a dash. */
function isTraceparent(bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (length < TRACEPARENT_BYTES || (length > TRACEPARENT_BYTES && bytes[start + TRACEPARENT_BYTES] !== DASH))
    return false;
  const isVersion0 = bytes[start] === ZERO && bytes[start + 1] === ZERO;
  if (isVersion0 && length !== TRACEPARENT_BYTES) return false;
  if (bytes[start] === LOWER_F && bytes[start + 1] === LOWER_F) return false;
  let traceBits = 0;
  let spanBits = 0;
  for (let index = 0; index < TRACEPARENT_BYTES; index++) {
    const byte = bytes[start + index]!;
    if (index === TRACE_START - 1 || index === TRACE_END || index === SPAN_END) {
      if (byte !== DASH) return false;
      continue;
    }
    const digit = digitOf(byte);
    if (digit < 0) return false;
    if (index >= TRACE_START && index < TRACE_END) traceBits |= digit;
    else if (index >= SPAN_START && index < SPAN_END) spanBits |= digit;
  }
  return traceBits !== 0 && spanBits !== 0;
}

function digitOf(byte: number): number {
  if (byte >= ZERO && byte <= NINE) return byte - ZERO;
  return byte >= LOWER_A && byte <= LOWER_F ? byte - LOWER_A + 10 : -1;
}

function copy(from: Uint8Array, start: number, to: Uint8Array, at: number, length: number): void {
  for (let index = 0; index < length; index++) to[at + index] = from[start + index]!;
}

function asciiText(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, end));
}
