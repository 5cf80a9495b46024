/**
 * The chunked coding (RFC 9112 section 7.1), decoded step by step, in both directions. Chunk extensions are checked and dropped: the
 * sizes that are forwarded are written anew, so nothing of an origin's or a client's framing travels on.
 *
 *   SIZE ─▶ EXTENSION… ─▶ SIZE_LF ─▶ DATA ─▶ DATA_CR ─▶ DATA_LF ─▶ SIZE
 *                             └ size 0 ─▶ TRAILERS ─▶ EMIT ─▶ DONE          anything unexpected ─▶ FAILED
 *
 * Every byte but those of the trailer section is consumed for good, however the bytes are cut. Hot path: no allocation, no strings,
 * no throw.
 */
import { CHARACTERS, COLON, CR, HEX_VALUES, LF, NOT_HEX, SPACE, TAB, TOKEN, UNDERSCORE, VALUE } from './characters.ts';
import { findHeader, HEADER_TRAITS, TRAIT_NOT_IN_TRAILERS } from './header-names.ts';

/** What `next` found. */
export const Chunked = {
  /** Everything up to `consumed` is done with; the caller must hold the rest, which is not empty only within the trailer section. */
  NEED_MORE: 0,
  /** A chunk of `size` bytes begins; at least one. */
  CHUNK_START: 1,
  /** `dataStart` to `dataEnd` are bytes of the chunk; `remaining` more are to come. */
  DATA: 2,
  /** `trailersStart` to `trailersEnd` are whole field lines to forward. May come more than once. */
  TRAILERS: 3,
  /** The body is over; the next message begins at `consumed`. */
  DONE: 4,
  /** The body is malformed or breaks a limit. The decoder stays in this state. */
  ERROR: 5,
} as const;

export interface ChunkedLimits {
  /** Whole trailer section, its empty line included. */
  readonly trailersMaxBytes: number;
  readonly trailersMaxCount: number;
  /** Whether trailers with `_` in their names are left out, as in request heads. */
  readonly dropsUnderscores: boolean;
}

/** 13 hex digits are below 2^52: a size is always an exact number. */
const SIZE_MAX_DIGITS = 13;
const EXTENSION_MAX_BYTES = 256;
/** All extensions of a body together: this many bytes, or this share of the body (CVE-2024-22019). */
const EXTENSIONS_MAX_BYTES = 16 * 1024;
const EXTENSIONS_BODY_DIVISOR = 4;

const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

// States. The extension's own grammar: *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ).
const SIZE = 0;
const SIZE_LF = 1;
const DATA = 2;
const DATA_CR = 3;
const DATA_LF = 4;
const BEFORE_SEMICOLON = 5;
const BEFORE_NAME = 6;
const NAME = 7;
const AFTER_NAME = 8;
const BEFORE_VALUE = 9;
const TOKEN_VALUE = 10;
const QUOTED = 11;
const QUOTED_PAIR = 12;
const AFTER_QUOTED = 13;
const TRAILERS = 14;
const EMIT = 15;
const DONE = 16;
const FAILED = 17;

export class ChunkedDecoder {
  /** Offset after what is done with; set by every `next`. */
  consumed = 0;
  /** Where the bytes to hold begin, after a NEED_MORE within the trailer section; else -1. */
  heldFrom = -1;
  size = 0.5;
  remaining = 0.5;
  dataStart = 0;
  dataEnd = 0;
  trailersStart = 0;
  trailersEnd = 0;
  /** Sizes announced so far: compare it with a limit at each CHUNK_START. */
  bodyBytes = 0.5;

  #state = SIZE;
  #digits = 0;
  #extensionBytes = 0;
  #extensionsBytes = 0;
  #limits: ChunkedLimits;
  // Within the trailer section, relative to its start: what was looked at, where the line in hand begins; how many lines there are.
  #scanned = 0;
  #line = 0;
  #trailerCount = 0;

  constructor(limits: ChunkedLimits) {
    this.#limits = limits;
    this.reset(limits);
  }

  /** Makes it ready for another body. */
  reset(limits: ChunkedLimits): void {
    this.#limits = limits;
    this.#state = SIZE;
    this.#digits = 0;
    this.#extensionBytes = 0;
    this.#extensionsBytes = 0;
    this.#scanned = 0;
    this.#line = 0;
    this.#trailerCount = 0;
    this.size = 0;
    this.remaining = 0;
    this.bodyBytes = 0;
    this.heldFrom = -1;
  }

  /**
   * Goes on at `at`: the last `consumed`, or where the bytes that followed it are now. Returns a Chunked; `end` is the end of what is
   * there. After NEED_MORE, `at` must be where the held bytes begin.
   */
  next(bytes: Uint8Array, at: number, end: number): number {
    this.heldFrom = -1;
    if (this.#state === DATA) return this.#takeData(at, end);
    if (this.#state < TRAILERS) return this.#scanFraming(bytes, at, end);
    if (this.#state === TRAILERS) return this.#scanTrailers(bytes, at, end);
    if (this.#state === EMIT) return this.#emitTrailers(bytes, at);
    this.consumed = at;
    return this.#state === DONE ? Chunked.DONE : Chunked.ERROR;
  }

  /** The caller has moved `count` (at most `remaining`) bytes of the chunk itself, without showing them. */
  skipped(count: number): void {
    this.remaining -= count;
    if (this.remaining === 0) this.#state = DATA_CR;
  }

  #takeData(at: number, end: number): number {
    if (at >= end) {
      this.consumed = at;
      return Chunked.NEED_MORE;
    }
    this.dataStart = at;
    this.dataEnd = end - at > this.remaining ? at + this.remaining : end;
    this.consumed = this.dataEnd;
    this.skipped(this.dataEnd - at);
    return Chunked.DATA;
  }

  #fail(at: number): number {
    this.#state = FAILED;
    this.consumed = at;
    return Chunked.ERROR;
  }

  /** Everything between two chunks' data, byte by byte. */
  #scanFraming(bytes: Uint8Array, from: number, end: number): number {
    for (let at = from; at < end; at++) {
      const byte = bytes[at]!;
      switch (this.#state) {
        case SIZE:
          if (HEX_VALUES[byte] !== NOT_HEX) {
            if (++this.#digits > SIZE_MAX_DIGITS) return this.#fail(at);
            this.size = this.size * 16 + HEX_VALUES[byte]!;
            break;
          }
          if (this.#digits === 0) return this.#fail(at);
          if (byte === CR) this.#state = SIZE_LF;
          else if (!this.#enterExtension(byte)) return this.#fail(at);
          break;
        case SIZE_LF:
          if (byte !== LF || !this.#acceptsExtensions()) return this.#fail(at);
          this.consumed = at + 1;
          if (this.size === 0) {
            this.#state = TRAILERS;
            return this.#scanTrailers(bytes, at + 1, end);
          }
          return this.#startChunk();
        case DATA_CR:
          if (byte !== CR) return this.#fail(at);
          this.#state = DATA_LF;
          break;
        case DATA_LF:
          if (byte !== LF) return this.#fail(at);
          this.#state = SIZE;
          this.#digits = 0;
          this.#extensionBytes = 0;
          this.size = 0;
          break;
        default:
          if (!this.#stepExtension(byte)) return this.#fail(at);
      }
    }
    this.consumed = end;
    return Chunked.NEED_MORE;
  }

  #startChunk(): number {
    this.remaining = this.size;
    this.bodyBytes += this.size;
    this.#state = DATA;
    return Chunked.CHUNK_START;
  }

  #acceptsExtensions(): boolean {
    this.#extensionsBytes += this.#extensionBytes;
    return (
      this.#extensionsBytes <= EXTENSIONS_MAX_BYTES || this.#extensionsBytes <= this.bodyBytes / EXTENSIONS_BODY_DIVISOR
    );
  }

  #enterExtension(byte: number): boolean {
    this.#state = BEFORE_SEMICOLON;
    return this.#stepExtension(byte);
  }

  /** One byte of a chunk extension. Returns whether it may stand there. */
  #stepExtension(byte: number): boolean {
    // The CR that ends the line is not the extension's.
    const next = extensionState(this.#state, byte);
    if (next < 0) return false;
    this.#state = next;
    return next === SIZE_LF || ++this.#extensionBytes <= EXTENSION_MAX_BYTES;
  }

  /** Looks for the end of the trailer section, and checks each line once it is whole. */
  #scanTrailers(bytes: Uint8Array, section: number, end: number): number {
    const maxBytes = this.#limits.trailersMaxBytes;
    const limit = end - section > maxBytes ? section + maxBytes : end;
    for (let at = section + this.#scanned; at < limit; at++) {
      if (bytes[at] !== LF) continue;
      const line = section + this.#line;
      if (at === line || bytes[at - 1] !== CR) return this.#fail(at);
      this.#line = at + 1 - section;
      if (at - 1 === line) {
        this.#state = EMIT;
        this.#line = 0;
        return this.#emitTrailers(bytes, section);
      }
      if (++this.#trailerCount > this.#limits.trailersMaxCount) return this.#fail(at);
      if (!isTrailer(bytes, line, at - 1)) return this.#fail(at);
    }
    if (end - section >= maxBytes) return this.#fail(limit);
    this.#scanned = end - section;
    this.consumed = section;
    this.heldFrom = end > section ? section : -1;
    return Chunked.NEED_MORE;
  }

  /** Hands out runs of lines to forward; `line` is where the rest of the section, which is whole and checked, begins. */
  #emitTrailers(bytes: Uint8Array, line: number): number {
    let at = line;
    const drops = this.#limits.dropsUnderscores;
    while (drops && bytes[at] !== CR && hasUnderscore(bytes, at)) at = nextLine(bytes, at);
    this.trailersStart = at;
    while (bytes[at] !== CR && !(drops && hasUnderscore(bytes, at))) at = nextLine(bytes, at);
    this.trailersEnd = at;
    if (at > this.trailersStart) {
      this.consumed = at;
      return Chunked.TRAILERS;
    }
    this.#state = DONE;
    this.consumed = at + 2;
    return Chunked.DONE;
  }
}

/** The state after `byte` within an extension, or -1. */
function extensionState(state: number, byte: number): number {
  const isBlank = byte === SPACE || byte === TAB;
  const isToken = (CHARACTERS[byte]! & TOKEN) !== 0;
  switch (state) {
    case BEFORE_SEMICOLON:
      if (isBlank) return state;
      return byte === SEMICOLON ? BEFORE_NAME : -1;
    case BEFORE_NAME:
      if (isBlank) return state;
      return isToken ? NAME : -1;
    case NAME:
      if (isToken) return state;
      if (isBlank) return AFTER_NAME;
      return byte === EQUALS ? BEFORE_VALUE : afterElement(byte);
    case AFTER_NAME:
      if (isBlank) return state;
      if (byte === EQUALS) return BEFORE_VALUE;
      return byte === SEMICOLON ? BEFORE_NAME : -1;
    case BEFORE_VALUE:
      if (isBlank) return state;
      if (byte === QUOTE) return QUOTED;
      return isToken ? TOKEN_VALUE : -1;
    case TOKEN_VALUE:
      if (isToken) return state;
      return isBlank ? BEFORE_SEMICOLON : afterElement(byte);
    case QUOTED:
      if (byte === QUOTE) return AFTER_QUOTED;
      if (byte === BACKSLASH) return QUOTED_PAIR;
      return (CHARACTERS[byte]! & VALUE) !== 0 ? state : -1;
    case QUOTED_PAIR:
      return (CHARACTERS[byte]! & VALUE) !== 0 ? QUOTED : -1;
    default:
      return isBlank ? BEFORE_SEMICOLON : afterElement(byte);
  }
}

function afterElement(byte: number): number {
  if (byte === SEMICOLON) return BEFORE_NAME;
  return byte === CR ? SIZE_LF : -1;
}

/** Whether the line `bytes[start, end)`, without its CR LF, is a field that may stand in a trailer section. */
function isTrailer(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end && (CHARACTERS[bytes[at]!]! & TOKEN) !== 0) at++;
  if (at === start || at === end || bytes[at] !== COLON) return false;
  if ((HEADER_TRAITS[findHeader(bytes, start, at)]! & TRAIT_NOT_IN_TRAILERS) !== 0) return false;
  for (at++; at < end; at++) if ((CHARACTERS[bytes[at]!]! & VALUE) === 0) return false;
  return true;
}

function hasUnderscore(bytes: Uint8Array, line: number): boolean {
  for (let at = line; bytes[at] !== COLON; at++) if ((CHARACTERS[bytes[at]!]! & UNDERSCORE) !== 0) return true;
  return false;
}

function nextLine(bytes: Uint8Array, line: number): number {
  let at = line;
  while (bytes[at] !== LF) at++;
  return at + 1;
}
