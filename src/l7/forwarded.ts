/**
 * Who asks, as far as HTTP says it: which words about the client are believed, and which ones an endpoint is told (X-Forwarded-For, -Proto
 * and -Host, Forwarded, X-Request-Id, Via). What a client claims about itself counts only if it is one of the listener's trusted proxies.
 *
 * One per listener and plan. Hot path: no allocation, no strings.
 */
import type { HttpListenerPlan } from '../contract/plan.ts';
import { asciiBytes } from '../core/bytes.ts';
import { readIpAddress } from '../core/ip-address.ts';
import { AddressRanges } from '../downstream/address-ranges.ts';
import { ADDRESS_TEXT_MAX_BYTES, ClientAddress } from '../downstream/client-address.ts';
import type { CommandWriter } from '../engine/command-writer.ts';
import type { Constant, Constants } from '../engine/constants.ts';
import type { Scratch } from '../engine/scratch.ts';
import { CERTIFICATE_LINES_MAX_BYTES, certificateLines } from './client-certificate.ts';
import { COLON, SPACE, TAB } from './h1/characters.ts';
import { HEADER_WORDS, NAME_ID, VALUE_END, VALUE_START } from './h1/head-fields.ts';
import {
  Header,
  TRAIT_CLAIM,
  TRAIT_CLIENT_CERTIFICATE,
  TRAIT_FORWARDED,
  TRAIT_FORWARDED_FOR,
  TRAIT_HOP_BY_HOP,
  TRAIT_LOOKALIKE,
  TRAIT_MAX_FORWARDS,
  TRAIT_REQUEST_ID,
  TRAIT_TRACE,
  TRAIT_UNDERSCORE,
} from './h1/header-names.ts';
import { hopsLeft, MAX_FORWARDS_MAX_DIGITS } from './h1/max-forwards.ts';
import type { RequestHead } from './h1/request-head.ts';
import { writeBytes } from './header-edits.ts';
import { REQUEST_ID_BYTES, RequestIds } from './request-id.ts';
import { TRACEPARENT_BYTES, type TraceContext } from './tracing.ts';

/** Most bytes that `write` takes from the scratch: two addresses, a request id, a count of hops, and a certificate. */
export const FORWARDED_SCRATCH_BYTES =
  2 * ADDRESS_TEXT_MAX_BYTES +
  REQUEST_ID_BYTES +
  TRACEPARENT_BYTES +
  MAX_FORWARDS_MAX_DIGITS +
  CERTIFICATE_LINES_MAX_BYTES;

const COMMA = 0x2c;
const BRACKET_OPEN = 0x5b;
const BRACKET_CLOSE = 0x5d;
const ZERO = 0x30;
const NINE = 0x39;
const PORT_MAX_DIGITS = 5;
const VISIBLE_MIN = 0x21;
const VISIBLE_MAX = 0x7e;
const REQUEST_ID_MAX_BYTES = 128;

export class Forwarding {
  /** Fields with these TRAIT_ bits make a request refused. */
  readonly refusedTraits: number;
  readonly #trusted: AddressRanges | undefined;
  readonly #hasForwarded: boolean;
  readonly #hasRequestId: boolean;
  readonly #underscores: number;
  /** TRAIT_CLIENT_CERTIFICATE where we ask for certificates. */
  readonly #certificates: number;
  readonly #ids: Pick<RequestIds, 'write'>;
  readonly #lines: Lines;
  readonly #via: { readonly modern: Constant; readonly old: Constant } | undefined;
  /** Hops of an X-Forwarded-For, one after the other. */
  #hop = new ClientAddress();
  #nextHop = new ClientAddress();
  /** Where the name of the request lies that was written last, in that round; empty where it has none. */
  requestIdStart = 0;
  requestIdEnd = 0;
  /** Of the request that is forwarded next. */
  trace: TraceContext | undefined;
  /** TRAIT_TRACE where we trace: then our word takes the place of the client's. */
  readonly #traces: number;

  /** `ids`: where the names of requests come from. */
  constructor(plan: HttpListenerPlan, constants: Constants, ids: Pick<RequestIds, 'write'> = new RequestIds()) {
    const { trustedProxies = [], forwardedHeader = false, requestId = false, underscores = 'drop', via } = plan;
    this.#trusted = trustedProxies.length === 0 ? undefined : new AddressRanges(trustedProxies);
    this.#hasForwarded = forwardedHeader;
    this.#hasRequestId = requestId;
    this.#traces = plan.tracing === undefined ? 0 : TRAIT_TRACE;
    this.#ids = ids;
    this.refusedTraits = underscores === 'reject' ? TRAIT_UNDERSCORE : 0;
    this.#underscores = underscores === 'allow' ? 0 : TRAIT_UNDERSCORE;
    const asksClients = plan.tls?.contexts.some(({ clientCertificate }) => clientCertificate !== 'off') === true;
    this.#certificates = asksClients ? TRAIT_CLIENT_CERTIFICATE : 0;
    this.#lines = internLines(constants, plan.tls === undefined ? 'http' : 'https');
    this.#via =
      via === undefined
        ? undefined
        : { modern: constants.intern(`Via: 1.1 ${via}\r\n`), old: constants.intern(`Via: 1.0 ${via}\r\n`) };
  }

  /**
   * Who the client is: `peer`, who connected, unless that is a trusted proxy; then the last address in X-Forwarded-For that is none. Valid
   * until the next call.
   */
  clientOf(bytes: Uint8Array, head: RequestHead, peer: ClientAddress): ClientAddress {
    if (this.#trusted === undefined || (head.traits & TRAIT_FORWARDED_FOR) === 0 || !this.#trusted.has(peer))
      return peer;
    return this.#lastUntrusted(bytes, head, peer, this.#trusted);
  }

  /** From the last hop to the first. Where something stands that is no address, nothing before it can be believed. */
  #lastUntrusted(bytes: Uint8Array, head: RequestHead, peer: ClientAddress, trusted: AddressRanges): ClientAddress {
    const { headers } = head;
    let client = peer;
    for (let word = (head.headerCount - 1) * HEADER_WORDS; word >= 0; word -= HEADER_WORDS) {
      if (headers[word + NAME_ID] !== Header.X_FORWARDED_FOR) continue;
      const start = headers[word + VALUE_START]!;
      let end = headers[word + VALUE_END]!;
      while (end > start) {
        const elementStart = lastElementStart(bytes, start, end);
        const isEmpty = skipBlanks(bytes, elementStart, end) === end;
        if (!isEmpty) {
          const hop = this.#nextHop;
          if (!readHop(bytes, elementStart, end, hop)) return client;
          this.#nextHop = this.#hop;
          this.#hop = hop;
          client = hop;
          if (!trusted.has(hop)) return client;
        }
        end = elementStart - 1;
      }
    }
    return client;
  }

  /** Whether what this client says about requests is believed. */
  trusts(peer: ClientAddress): boolean {
    return this.#trusted?.has(peer) === true;
  }

  /** The TRAIT_ bits of the fields that are not forwarded: the connection's own, claims that do not count, and what `write` says anew. */
  droppedTraits(bytes: Uint8Array, head: RequestHead, peer: ClientAddress): number {
    const counted = hopsLeft(bytes, head) > 0 ? TRAIT_MAX_FORWARDS : 0;
    const always = this.#traces | TRAIT_HOP_BY_HOP | TRAIT_LOOKALIKE | this.#underscores | this.#certificates | counted;
    if (!this.#trusted?.has(peer)) return always | TRAIT_CLAIM | (this.#hasRequestId ? TRAIT_REQUEST_ID : 0);
    const isIdKept = !this.#hasRequestId || hasRequestId(bytes, head);
    return (
      always | TRAIT_FORWARDED_FOR | (this.#hasForwarded ? TRAIT_FORWARDED : 0) | (isIdKept ? 0 : TRAIT_REQUEST_ID)
    );
  }

  /** Adds our own lines to the open SEND. `peer` is who connected; `dropped` are the traits of the fields that were not forwarded. */
  write(commands: CommandWriter, scratch: Scratch, head: RequestHead, peer: ClientAddress, dropped: number): void {
    const lines = this.#lines;
    const isTrusted = (dropped & TRAIT_CLAIM) === 0;
    const address = scratch.take(ADDRESS_TEXT_MAX_BYTES);
    const addressBytes = peer.write(scratch.bytes, address);
    put(commands, lines.forwardedFor);
    if (isTrusted) putValues(commands, head, Header.X_FORWARDED_FOR, TRAIT_FORWARDED_FOR, lines.comma);
    commands.range(address, addressBytes);
    if (!isTrusted || !hasField(head, Header.X_FORWARDED_PROTO)) put(commands, lines.forwardedProto);
    else put(commands, lines.lineEnd);
    if (head.hostIndex >= 0 && (!isTrusted || !hasField(head, Header.X_FORWARDED_HOST))) {
      put(commands, lines.forwardedHost);
      putHost(commands, head);
      put(commands, lines.lineEnd);
    }
    const certificate = peer.secure?.certificate;
    if (certificate !== undefined) writeBytes(commands, scratch, certificateLines(certificate));
    if (this.#hasForwarded) this.#writeForwarded(commands, head, peer, address, addressBytes, isTrusted);
    if (this.#hasRequestId && (!isTrusted || (dropped & TRAIT_REQUEST_ID) !== 0))
      this.#writeRequestId(commands, scratch);
    else this.#findRequestId(head);
    if ((dropped & TRAIT_MAX_FORWARDS) !== 0) this.#writeMaxForwards(commands, scratch, head);
    if (this.trace !== undefined) this.#writeTrace(commands, scratch, this.trace, head, isTrusted);
    if (this.#via !== undefined) put(commands, head.versionMinor === 1 ? this.#via.modern : this.#via.old);
  }

  /** RFC 7239 section 4: elements of one list, oldest first; IPv6 and what has a port in quotes. */
  #writeForwarded(
    commands: CommandWriter,
    head: RequestHead,
    peer: ClientAddress,
    address: number,
    addressBytes: number,
    isTrusted: boolean,
  ): void {
    const lines = this.#lines;
    put(commands, lines.forwarded);
    if (isTrusted) putValues(commands, head, Header.FORWARDED, TRAIT_FORWARDED, lines.comma);
    if (peer.family === 0) put(commands, lines.forUnknown);
    else {
      put(commands, peer.family === 6 ? lines.forIpv6 : lines.forIpv4);
      commands.range(address, addressBytes);
      if (peer.family === 6) put(commands, lines.ipv6End);
    }
    if (head.hostIndex >= 0) {
      put(commands, lines.hostParameter);
      putHost(commands, head);
      put(commands, lines.quote);
    }
    put(commands, lines.protoParameter);
  }

  #writeTrace(
    commands: CommandWriter,
    scratch: Scratch,
    trace: TraceContext,
    head: RequestHead,
    isTrusted: boolean,
  ): void {
    const offset = scratch.take(TRACEPARENT_BYTES);
    scratch.bytes.set(trace.text, offset);
    put(commands, this.#lines.traceparent);
    commands.range(offset, TRACEPARENT_BYTES);
    put(commands, this.#lines.lineEnd);
    // What other systems have said of the same trace goes on with it, and only with it (section 3.3.1.5).
    if (isTrusted && trace.hasParent)
      putFields(commands, head, Header.TRACESTATE, this.#lines.tracestate, this.#lines.lineEnd);
  }

  /** One hop less. Rare: makes strings. */
  #writeMaxForwards(commands: CommandWriter, scratch: Scratch, head: RequestHead): void {
    put(commands, this.#lines.maxForwards);
    writeBytes(commands, scratch, asciiBytes(`${hopsLeft(scratch.bytes, head) - 1}`));
    put(commands, this.#lines.lineEnd);
  }

  #writeRequestId(commands: CommandWriter, scratch: Scratch): void {
    const offset = scratch.take(REQUEST_ID_BYTES);
    this.#ids.write(scratch.bytes, offset);
    put(commands, this.#lines.requestId);
    commands.range(offset, REQUEST_ID_BYTES);
    put(commands, this.#lines.lineEnd);
    this.requestIdStart = offset;
    this.requestIdEnd = offset + REQUEST_ID_BYTES;
  }

  /** The one that came with the request, and goes on with it. */
  #findRequestId(head: RequestHead): void {
    this.requestIdStart = 0;
    this.requestIdEnd = 0;
    if ((head.traits & TRAIT_REQUEST_ID) === 0) return;
    const { headers } = head;
    const words = head.headerCount * HEADER_WORDS;
    for (let word = 0; word < words; word += HEADER_WORDS) {
      if (headers[word + NAME_ID] !== Header.X_REQUEST_ID) continue;
      this.requestIdStart = headers[word + VALUE_START]!;
      this.requestIdEnd = headers[word + VALUE_END]!;
      return;
    }
  }
}

type Lines = ReturnType<typeof internLines>;

function internLines(constants: Constants, scheme: 'http' | 'https') {
  return {
    forwardedFor: constants.intern('X-Forwarded-For: '),
    /** Ends X-Forwarded-For, and says which scheme the client spoke. */
    forwardedProto: constants.intern(`\r\nX-Forwarded-Proto: ${scheme}\r\n`),
    forwardedHost: constants.intern('X-Forwarded-Host: '),
    forwarded: constants.intern('Forwarded: '),
    forIpv4: constants.intern('for='),
    forIpv6: constants.intern('for="['),
    ipv6End: constants.intern(']"'),
    forUnknown: constants.intern('for=unknown'),
    hostParameter: constants.intern(';host="'),
    quote: constants.intern('"'),
    protoParameter: constants.intern(`;proto=${scheme}\r\n`),
    requestId: constants.intern('X-Request-Id: '),
    traceparent: constants.intern('Traceparent: '),
    tracestate: constants.intern('Tracestate: '),
    maxForwards: constants.intern('Max-Forwards: '),
    comma: constants.intern(', '),
    lineEnd: constants.intern('\r\n'),
  };
}

function put(commands: CommandWriter, constant: Constant): void {
  commands.range(constant.offset, constant.length);
}

function putHost(commands: CommandWriter, head: RequestHead): void {
  const word = head.hostIndex * HEADER_WORDS;
  const start = head.headers[word + VALUE_START]!;
  commands.range(start, head.headers[word + VALUE_END]! - start);
}

/** Every value of that name that is not empty, each with `separator` behind it. `trait` is the name's own. */
function putValues(commands: CommandWriter, head: RequestHead, id: number, trait: number, separator: Constant): void {
  if ((head.traits & trait) === 0) return;
  const { headers } = head;
  const words = head.headerCount * HEADER_WORDS;
  for (let word = 0; word < words; word += HEADER_WORDS) {
    const start = headers[word + VALUE_START]!;
    const end = headers[word + VALUE_END]!;
    if (headers[word + NAME_ID] !== id || end === start) continue;
    commands.range(start, end - start);
    put(commands, separator);
  }
}

/** Every field of that name, as a line of its own. */
function putFields(commands: CommandWriter, head: RequestHead, id: number, name: Constant, lineEnd: Constant): void {
  const { headers } = head;
  const words = head.headerCount * HEADER_WORDS;
  for (let word = 0; word < words; word += HEADER_WORDS) {
    if (headers[word + NAME_ID] !== id) continue;
    const start = headers[word + VALUE_START]!;
    put(commands, name);
    commands.range(start, headers[word + VALUE_END]! - start);
    put(commands, lineEnd);
  }
}

/** Whether there is a field of that name, which must be one with TRAIT_CLAIM. */
function hasField(head: RequestHead, id: number): boolean {
  if ((head.traits & TRAIT_CLAIM) === 0) return false;
  const { headers } = head;
  const words = head.headerCount * HEADER_WORDS;
  for (let word = 0; word < words; word += HEADER_WORDS) if (headers[word + NAME_ID] === id) return true;
  return false;
}

/** Whether there is one X-Request-Id, and it is a name: visible, without spaces, not too long. */
function hasRequestId(bytes: Uint8Array, head: RequestHead): boolean {
  if ((head.traits & TRAIT_REQUEST_ID) === 0) return false;
  const { headers } = head;
  const words = head.headerCount * HEADER_WORDS;
  let count = 0;
  for (let word = 0; word < words; word += HEADER_WORDS) {
    if (headers[word + NAME_ID] !== Header.X_REQUEST_ID) continue;
    count++;
    if (!isName(bytes, headers[word + VALUE_START]!, headers[word + VALUE_END]!)) return false;
  }
  return count === 1;
}

function isName(bytes: Uint8Array, start: number, end: number): boolean {
  if (end === start || end - start > REQUEST_ID_MAX_BYTES) return false;
  for (let at = start; at < end; at++) if (bytes[at]! < VISIBLE_MIN || bytes[at]! > VISIBLE_MAX) return false;
  return true;
}

function lastElementStart(bytes: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && bytes[at - 1] !== COMMA) at--;
  return at;
}

function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
  return at;
}

/** An address with or without brackets and a port, as proxies write them. White space around it does not count. */
function readHop(bytes: Uint8Array, elementStart: number, elementEnd: number, hop: ClientAddress): boolean {
  const start = skipBlanks(bytes, elementStart, elementEnd);
  let end = elementEnd;
  while (end > start && (bytes[end - 1] === SPACE || bytes[end - 1] === TAB)) end--;
  hop.port = 0;
  if (bytes[start] === BRACKET_OPEN) {
    let close = start + 1;
    while (close < end && bytes[close] !== BRACKET_CLOSE) close++;
    if (close === end || (close + 1 < end && !isPort(bytes, close + 1, end))) return false;
    return readIpAddress(bytes, start + 1, close, hop) && isIpv6Text(bytes, start + 1, close);
  }
  if (readIpAddress(bytes, start, end, hop)) return true;
  let colon = start;
  while (colon < end && bytes[colon] !== COLON) colon++;
  return isPort(bytes, colon, end) && readIpAddress(bytes, start, colon, hop);
}

function isIpv6Text(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] === COLON) return true;
  return false;
}

/** `":" 1*5DIGIT`. Its value is nobody's business: a port tells two clients of one address apart, which no list does. */
function isPort(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < 2 || end - start > PORT_MAX_DIGITS + 1 || bytes[start] !== COLON) return false;
  for (let at = start + 1; at < end; at++) if (bytes[at]! < ZERO || bytes[at]! > NINE) return false;
  return true;
}
