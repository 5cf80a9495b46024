/** The forms of a line: which parts it has. Hot path of access logs: nothing is allocated but what the clock needs once a second. */
import { type AccessEntry, EntryText, NO_TIME } from './access-entry.ts';
import { type LineParts, type LinePieces, PIECES_BYTES, type Piece } from './line-parts.ts';
import { LinePart } from './line-protocol.ts';

const QUOTE = 0x22;
const LF = 0x0a;
const SPACE = 0x20;
const DASH = 0x2d;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/** Once there are so many pieces, no more middles are added to them: the rest is for seconds. */
const USUAL_MIDDLES_MAX_BYTES = PIECES_BYTES / 2;
/** Seconds that are remembered: lines of long and of short exchanges, which began at different times, come one after the other. A power of two. */
const SECONDS_MAX = 16;
/** As nginx calls it when the client has left without an answer. */
const STATUS_LEFT = 499;

export type AccessFormat = 'json' | 'combined';

/** Says of which parts the lines of one listener consist. Its name and those of routes, clusters and endpoints need no escapes: they were checked. */
export class AccessFormatter {
  readonly #listener: string;
  readonly #format: AccessFormat;
  readonly #pieces: LinePieces;
  readonly #keys: Keys;
  readonly #seconds: Second[] = [];
  /** By endpoint. */
  readonly #usualMiddles = new Map<string, Middle[]>();
  #lastMiddle: Middle | undefined;

  /** `pieces`: of this formatter alone, and empty. */
  constructor(listener: string, format: AccessFormat, pieces: LinePieces) {
    this.#listener = listener;
    this.#format = format;
    this.#pieces = pieces;
    this.#keys = makeKeys(listener, pieces);
  }

  /** Adds a line. `wallMs`: when it began. */
  exchange(parts: LineParts, entry: AccessEntry, wallMs: number): void {
    if (this.#format === 'json') this.#jsonExchange(parts, entry, wallMs);
    else this.#combinedExchange(parts, entry, wallMs);
  }

  /** As `exchange`. */
  session(parts: LineParts, entry: AccessEntry, wallMs: number): void {
    if (this.#format === 'json') this.#jsonSession(parts, entry, wallMs);
    else this.#plainSession(parts, entry, wallMs);
  }

  #jsonHead(parts: LineParts, entry: AccessEntry, wallMs: number, shift: number): number {
    const second = this.#secondOf(wallMs);
    let next = parts.piece(parts.start, second.iso);
    next = parts.threeDigits(next, Math.floor(wallMs - second.at * 1000));
    next = parts.piece(next, this.#keys.client);
    next = parts.text(next, LinePart.PLAIN, entry.wordOf(EntryText.CLIENT) + shift);
    next = parts.piece(next, this.#keys.port);
    return parts.integer(next, entry.port);
  }

  #jsonExchange(parts: LineParts, entry: AccessEntry, wallMs: number): void {
    const keys = this.#keys;
    const shift = parts.keepTexts(entry);
    let next = this.#jsonHead(parts, entry, wallMs, shift);
    next = jsonText(parts, next, keys.method, entry.wordOf(EntryText.METHOD), shift);
    next = jsonText(parts, next, keys.host, entry.wordOf(EntryText.HOST), shift);
    next = jsonText(parts, next, keys.target, entry.wordOf(EntryText.TARGET), shift);
    next = this.#middle(parts, next, entry);
    next = this.#times(parts, next, entry);
    next = time(parts, next, keys.firstByteMs, entry.firstByteMs);
    next = jsonText(parts, next, keys.requestId, entry.wordOf(EntryText.REQUEST_ID), shift);
    next = jsonText(parts, next, keys.userAgent, entry.wordOf(EntryText.USER_AGENT), shift);
    next = jsonText(parts, next, keys.referer, entry.wordOf(EntryText.REFERER), shift);
    parts.end(parts.piece(next, keys.end));
  }

  #jsonSession(parts: LineParts, entry: AccessEntry, wallMs: number): void {
    let next = this.#jsonHead(parts, entry, wallMs, parts.keepTexts(entry));
    next = parts.own(next, endingOf(entry));
    next = this.#times(parts, next, entry);
    parts.end(parts.piece(next, this.#keys.end));
  }

  #times(parts: LineParts, at: number, entry: AccessEntry): number {
    const keys = this.#keys;
    let next = parts.integer(at, entry.requestBytes);
    next = parts.piece(next, keys.bytesSent);
    next = parts.integer(next, entry.responseBytes);
    next = time(parts, next, keys.durationMs, entry.durationMs);
    next = time(parts, next, keys.waitMs, entry.waitMs);
    return time(parts, next, keys.connectMs, entry.connectMs);
  }

  /** What stands between what was asked and what it took: for most exchanges one piece, of which there are few. */
  #middle(parts: LineParts, at: number, entry: AccessEntry): number {
    const isUsual = entry.reason === 'ok' && entry.attempts === 1;
    const piece = isUsual ? this.#usualMiddle(entry) : undefined;
    return piece === undefined ? parts.own(at, middleOf(entry)) : parts.piece(at, piece);
  }

  #usualMiddle(entry: AccessEntry): Piece | undefined {
    if (this.#lastMiddle !== undefined && isMiddleOf(this.#lastMiddle, entry)) return this.#lastMiddle.piece;
    const middle = this.#knownMiddle(entry) ?? this.#makeMiddle(entry);
    this.#lastMiddle = middle;
    return middle?.piece;
  }

  #knownMiddle(entry: AccessEntry): Middle | undefined {
    const middles = this.#usualMiddles.get(entry.endpoint);
    for (let index = 0; middles !== undefined && index < middles.length; index++) {
      if (isMiddleOf(middles[index]!, entry)) return middles[index];
    }
    return undefined;
  }

  /** Undefined where there are so many that they are told word by word. */
  #makeMiddle(entry: AccessEntry): Middle | undefined {
    if (this.#pieces.used > USUAL_MIDDLES_MAX_BYTES) return undefined;
    const { route, cluster, endpoint, status, versionMinor, isSecure } = entry;
    const piece = this.#pieces.keep(middleOf(entry));
    const middle = { route, cluster, endpoint, status, versionMinor, isSecure, piece };
    const middles = this.#usualMiddles.get(endpoint);
    if (middles === undefined) this.#usualMiddles.set(endpoint, [middle]);
    else middles.push(middle);
    return middle;
  }

  /** As Apache's "combined", which every reader of logs knows; where it asks for what we do not know there is a dash. */
  #combinedExchange(parts: LineParts, entry: AccessEntry, wallMs: number): void {
    const shift = parts.keepTexts(entry);
    let next = this.#combinedHead(parts, entry, wallMs, shift);
    next = parts.byte(next, QUOTE);
    const method = entry.wordOf(EntryText.METHOD);
    if (method === 0) next = parts.byte(next, DASH);
    else {
      next = parts.text(next, LinePart.QUOTED, method + shift);
      next = parts.byte(next, SPACE);
      next = parts.text(next, LinePart.QUOTED, entry.wordOf(EntryText.TARGET) + shift);
      next = parts.piece(next, entry.versionMinor === 0 ? this.#keys.http10 : this.#keys.http11);
    }
    next = parts.piece(next, this.#keys.quoted);
    next = parts.integer(next, entry.status === 0 ? STATUS_LEFT : entry.status);
    next = parts.byte(next, SPACE);
    next = parts.integer(next, entry.responseBytes);
    next = quotedOrDash(parts, next, entry.wordOf(EntryText.REFERER), shift);
    next = quotedOrDash(parts, next, entry.wordOf(EntryText.USER_AGENT), shift);
    parts.end(parts.byte(next, LF));
  }

  /** There is no usual form for sessions: in the spirit of the one above, with the names behind. */
  #plainSession(parts: LineParts, entry: AccessEntry, wallMs: number): void {
    let next = this.#combinedHead(parts, entry, wallMs, parts.keepTexts(entry));
    const { cluster, endpoint, reason, endedBy } = entry;
    next = parts.own(next, `${this.#listener} ${cluster} ${endpoint === '' ? '-' : endpoint} ${reason} ${endedBy} `);
    next = parts.integer(next, entry.requestBytes);
    next = parts.byte(next, SPACE);
    next = parts.integer(next, entry.responseBytes);
    next = parts.byte(next, SPACE);
    next = parts.decimal(next, entry.durationMs);
    parts.end(parts.byte(next, LF));
  }

  #combinedHead(parts: LineParts, entry: AccessEntry, wallMs: number, shift: number): number {
    const next = parts.text(parts.start, LinePart.PLAIN, entry.wordOf(EntryText.CLIENT) + shift);
    return parts.piece(next, this.#secondOf(wallMs).clf);
  }

  #secondOf(wallMs: number): Second {
    const at = Math.floor(wallMs / 1000);
    // Not `%`, which of a number beyond 32 bits is a call.
    const index = at & (SECONDS_MAX - 1);
    const known = this.#seconds[index];
    if (known?.at === at) return known;
    const second = makeSecond(at, this.#pieces);
    this.#seconds[index] = second;
    return second;
  }
}

/** What stands between two values. */
type Keys = ReturnType<typeof makeKeys>;

function makeKeys(listener: string, pieces: LinePieces) {
  return {
    client: pieces.keep(`Z","listener":"${listener}","client":"`),
    port: pieces.keep('","port":'),
    method: pieces.keep(',"method":'),
    host: pieces.keep(',"host":'),
    target: pieces.keep(',"target":'),
    bytesSent: pieces.keep(',"bytesSent":'),
    durationMs: pieces.keep(',"durationMs":'),
    waitMs: pieces.keep(',"waitMs":'),
    connectMs: pieces.keep(',"connectMs":'),
    firstByteMs: pieces.keep(',"firstByteMs":'),
    requestId: pieces.keep(',"requestId":'),
    userAgent: pieces.keep(',"userAgent":'),
    referer: pieces.keep(',"referer":'),
    end: pieces.keep('}\n'),
    http10: pieces.keep(' HTTP/1.0'),
    http11: pieces.keep(' HTTP/1.1'),
    quoted: pieces.keep('" '),
  };
}

interface Second {
  /** Since the epoch. */
  readonly at: number;
  /** `{"time":"2026-11-29T21:16:55.`. */
  readonly iso: Piece;
  /** ` - - [29/Nov/2026:21:16:55 +0000] `. */
  readonly clf: Piece;
}

function makeSecond(at: number, pieces: LinePieces): Second {
  const date = new Date(at * 1000);
  const iso = date.toISOString();
  const month = MONTHS[date.getUTCMonth()]!;
  return {
    at,
    iso: pieces.keep(`{"time":"${iso.slice(0, 20)}`),
    clf: pieces.keep(` - - [${iso.slice(8, 10)}/${month}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000] `),
  };
}

/** Where most exchanges with an endpoint went, and how they ended. */
interface Middle {
  readonly route: string;
  readonly cluster: string;
  readonly endpoint: string;
  readonly status: number;
  readonly versionMinor: number;
  readonly isSecure: boolean;
  readonly piece: Piece;
}

function isMiddleOf(middle: Middle, entry: AccessEntry): boolean {
  const { route, cluster, endpoint, status, versionMinor, isSecure } = middle;
  if (status !== entry.status || versionMinor !== entry.versionMinor || isSecure !== entry.isSecure) return false;
  return endpoint === entry.endpoint && route === entry.route && cluster === entry.cluster;
}

function middleOf(entry: AccessEntry): string {
  const tls = entry.isSecure ? ',"tls":true' : '';
  return `,"protocol":"HTTP/1.${entry.versionMinor}"${tls},"status":${entry.status}${endingOf(entry)}`;
}

/** Where it went, and how it ended; up to the first of the figures. */
function endingOf({ route, cluster, endpoint, attempts, reason, endedBy, phase }: AccessEntry): string {
  const to = nameOf('route', route) + nameOf('cluster', cluster) + nameOf('endpoint', endpoint);
  return `${to},"attempts":${attempts},"reason":"${reason}","endedBy":"${endedBy}","phase":"${phase}","bytesReceived":`;
}

/** Left out where there is none. */
function nameOf(key: string, value: string): string {
  return value === '' ? '' : `,"${key}":"${value}"`;
}

/** Left out where there is none. */
function jsonText(parts: LineParts, at: number, key: Piece, word: number, shift: number): number {
  return word === 0 ? at : parts.text(parts.piece(at, key), LinePart.JSON, word + shift);
}

function time(parts: LineParts, at: number, key: Piece, ms: number): number {
  return ms === NO_TIME ? at : parts.decimal(parts.piece(at, key), ms);
}

function quotedOrDash(parts: LineParts, at: number, word: number, shift: number): number {
  const next = parts.byte(parts.byte(at, SPACE), QUOTE);
  const end = word === 0 ? parts.byte(next, DASH) : parts.text(next, LinePart.QUOTED, word + shift);
  return parts.byte(end, QUOTE);
}
