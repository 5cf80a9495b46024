/** The forms of a line. Hot path of access logs: nothing is allocated but what the clock needs once a second. */
import { type AccessEntry, EntryText, type EntryTextName, NO_TIME } from './access-entry.ts';
import { copyBytes, type LineBuffer, type Piece, pieceOf, putJson, putQuoted, putText } from './line-bytes.ts';

const QUOTE = 0x22;
const LF = 0x0a;
const SPACE = 0x20;
const DASH = 0x2d;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/** Endpoints whose middles are remembered, and of each those of so many statuses and routes. */
const USUAL_MIDDLES_MAX = 1_024;
const MIDDLES_PER_ENDPOINT_MAX = 16;
/** Seconds that are remembered: lines of long and of short exchanges, which began at different times, come one after the other. A power of two. */
const SECONDS_MAX = 16;

/** What stands between two values. */
const Key = {
  port: pieceOf('","port":'),
  method: pieceOf(',"method":"'),
  host: pieceOf(',"host":"'),
  target: pieceOf(',"target":"'),
  bytesSent: pieceOf(',"bytesSent":'),
  durationMs: pieceOf(',"durationMs":'),
  waitMs: pieceOf(',"waitMs":'),
  connectMs: pieceOf(',"connectMs":'),
  firstByteMs: pieceOf(',"firstByteMs":'),
  requestId: pieceOf(',"requestId":"'),
  userAgent: pieceOf(',"userAgent":"'),
  referer: pieceOf(',"referer":"'),
} as const;

const JSON_BEGIN = '{"time":"';
/** Where the milliseconds stand in what a line begins with. */
const JSON_MS_AT = JSON_BEGIN.length + '2026-11-29T21:16:55.'.length;
const JSON_END = pieceOf('}\n');
/** As nginx calls it when the client has left without an answer. */
const STATUS_LEFT = 499;

export type AccessFormat = 'json' | 'combined';

/** Writes the lines of one listener. Its name and those of routes, clusters and endpoints need no escapes: they were checked. */
export class AccessFormatter {
  readonly #listener: string;
  readonly #format: AccessFormat;
  readonly #seconds: Second[] = [];
  /** By endpoint. */
  readonly #usualMiddles = new Map<string, Middle[]>();

  constructor(listener: string, format: AccessFormat) {
    this.#listener = listener;
    this.#format = format;
  }

  /** Writes the line at `line.bytes[at]` and returns its end. `wallMs`: when it began. */
  exchange(line: LineBuffer, at: number, entry: AccessEntry, wallMs: number): number {
    if (this.#format === 'json') return this.#jsonExchange(line, at, entry, wallMs);
    return this.#combinedExchange(line, at, entry, wallMs);
  }

  /** As `exchange`. */
  session(line: LineBuffer, at: number, entry: AccessEntry, wallMs: number): number {
    if (this.#format === 'json') return this.#jsonSession(line, at, entry, wallMs);
    return this.#plainSession(line, at, entry, wallMs);
  }

  #jsonHead(line: LineBuffer, at: number, entry: AccessEntry, wallMs: number): number {
    const second = this.#secondOf(wallMs);
    let next = line.putPiece(at, second.jsonBegin);
    line.putMillisecondZ(at + JSON_MS_AT, Math.floor(wallMs - second.at * 1000));
    next = client(line, next, entry);
    next = line.putPiece(next, Key.port);
    return line.putInteger(next, entry.port);
  }

  #jsonExchange(line: LineBuffer, at: number, entry: AccessEntry, wallMs: number): number {
    let next = this.#jsonHead(line, at, entry, wallMs);
    next = jsonText(line, next, Key.method, entry, EntryText.METHOD);
    next = jsonText(line, next, Key.host, entry, EntryText.HOST);
    next = jsonText(line, next, Key.target, entry, EntryText.TARGET);
    const isUsual = entry.reason === 'ok' && entry.attempts === 1;
    next = isUsual ? line.putPiece(next, this.#usualMiddle(entry)) : putText(line.bytes, next, middleOf(entry));
    next = times(line, next, entry);
    next = time(line, next, Key.firstByteMs, entry.firstByteMs);
    next = jsonText(line, next, Key.requestId, entry, EntryText.REQUEST_ID);
    next = jsonText(line, next, Key.userAgent, entry, EntryText.USER_AGENT);
    next = jsonText(line, next, Key.referer, entry, EntryText.REFERER);
    return line.putPiece(next, JSON_END);
  }

  #jsonSession(line: LineBuffer, at: number, entry: AccessEntry, wallMs: number): number {
    let next = this.#jsonHead(line, at, entry, wallMs);
    next = putText(line.bytes, next, endingOf(entry));
    next = times(line, next, entry);
    return line.putPiece(next, JSON_END);
  }

  /** What most exchanges have between what was asked and what it took: as one piece, of which there are few. */
  #usualMiddle(entry: AccessEntry): Piece {
    let middles = this.#usualMiddles.get(entry.endpoint);
    for (let index = 0; middles !== undefined && index < middles.length; index++) {
      const middle = middles[index]!;
      if (isMiddleOf(middle, entry)) return middle.piece;
    }
    if (this.#usualMiddles.size >= USUAL_MIDDLES_MAX) this.#usualMiddles.clear();
    if (middles === undefined || middles.length >= MIDDLES_PER_ENDPOINT_MAX) middles = [];
    this.#usualMiddles.set(entry.endpoint, middles);
    const { route, cluster, status, versionMinor, isSecure } = entry;
    const piece = pieceOf(middleOf(entry));
    middles.push({ route, cluster, status, versionMinor, isSecure, piece });
    return piece;
  }

  /** As Apache's "combined", which every reader of logs knows; where it asks for what we do not know there is a dash. */
  #combinedExchange(line: LineBuffer, at: number, entry: AccessEntry, wallMs: number): number {
    let next = this.#combinedHead(line, at, entry, wallMs);
    line.bytes[next++] = QUOTE;
    if (entry.endOf(EntryText.METHOD) > entry.startOf(EntryText.METHOD)) {
      next = quoted(line, next, entry, EntryText.METHOD);
      line.bytes[next++] = SPACE;
      next = quoted(line, next, entry, EntryText.TARGET);
      next = putText(line.bytes, next, entry.versionMinor === 0 ? ' HTTP/1.0' : ' HTTP/1.1');
    } else line.bytes[next++] = DASH;
    next = putText(line.bytes, next, '" ');
    next = line.putInteger(next, entry.status === 0 ? STATUS_LEFT : entry.status);
    line.bytes[next++] = SPACE;
    next = line.putInteger(next, entry.responseBytes);
    next = quotedOrDash(line, next, entry, EntryText.REFERER);
    next = quotedOrDash(line, next, entry, EntryText.USER_AGENT);
    line.bytes[next++] = LF;
    return next;
  }

  /** There is no usual form for sessions: in the spirit of the one above, with the names behind. */
  #plainSession(line: LineBuffer, at: number, entry: AccessEntry, wallMs: number): number {
    let next = this.#combinedHead(line, at, entry, wallMs);
    const { cluster, endpoint, reason, endedBy } = entry;
    next = putText(
      line.bytes,
      next,
      `${this.#listener} ${cluster} ${endpoint === '' ? '-' : endpoint} ${reason} ${endedBy} `,
    );
    next = line.putInteger(next, entry.requestBytes);
    line.bytes[next++] = SPACE;
    next = line.putInteger(next, entry.responseBytes);
    line.bytes[next++] = SPACE;
    next = line.putDecimal(next, entry.durationMs);
    line.bytes[next++] = LF;
    return next;
  }

  #combinedHead(line: LineBuffer, at: number, entry: AccessEntry, wallMs: number): number {
    return line.putPiece(client(line, at, entry), this.#secondOf(wallMs).clfTime);
  }

  #secondOf(wallMs: number): Second {
    const at = Math.floor(wallMs / 1000);
    // Not `%`, which of a number beyond 32 bits is a call.
    const index = at & (SECONDS_MAX - 1);
    const known = this.#seconds[index];
    if (known?.at === at) return known;
    const second = this.#makeSecond(at);
    this.#seconds[index] = second;
    return second;
  }

  #makeSecond(at: number): Second {
    const date = new Date(at * 1000);
    const iso = date.toISOString();
    const month = MONTHS[date.getUTCMonth()]!;
    return {
      at,
      jsonBegin: pieceOf(`${JSON_BEGIN}${iso.slice(0, 20)}000Z","listener":"${this.#listener}","client":"`),
      clfTime: pieceOf(` - - [${iso.slice(8, 10)}/${month}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000] `),
    };
  }
}

interface Second {
  /** Since the epoch. */
  readonly at: number;
  /** `{"time":"2026-11-29T21:16:55.000Z","listener":"web","client":"`. */
  readonly jsonBegin: Piece;
  /** ` - - [29/Nov/2026:21:16:55 +0000] `. */
  readonly clfTime: Piece;
}

/** Where most exchanges with an endpoint went, and how they ended. */
interface Middle {
  readonly route: string;
  readonly cluster: string;
  readonly status: number;
  readonly versionMinor: number;
  readonly isSecure: boolean;
  readonly piece: Piece;
}

function isMiddleOf(middle: Middle, entry: AccessEntry): boolean {
  const { route, cluster, status, versionMinor, isSecure } = middle;
  if (status !== entry.status || route !== entry.route || cluster !== entry.cluster) return false;
  return versionMinor === entry.versionMinor && isSecure === entry.isSecure;
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

function times(line: LineBuffer, at: number, entry: AccessEntry): number {
  let next = line.putInteger(at, entry.requestBytes);
  next = line.putPiece(next, Key.bytesSent);
  next = line.putInteger(next, entry.responseBytes);
  next = time(line, next, Key.durationMs, entry.durationMs);
  next = time(line, next, Key.waitMs, entry.waitMs);
  return time(line, next, Key.connectMs, entry.connectMs);
}

/** Left out where there is none. */
function jsonText(line: LineBuffer, at: number, key: Piece, entry: AccessEntry, text: EntryTextName): number {
  const start = entry.startOf(text);
  const end = entry.endOf(text);
  if (end === start) return at;
  const next = putJson(line, line.putPiece(at, key), entry.texts, start, end);
  line.bytes[next] = QUOTE;
  return next + 1;
}

function time(line: LineBuffer, at: number, key: Piece, ms: number): number {
  return ms === NO_TIME ? at : line.putDecimal(line.putPiece(at, key), ms);
}

/** An address needs no escapes. */
function client(line: LineBuffer, at: number, entry: AccessEntry): number {
  return copyBytes(line.view, at, entry.texts.view, entry.startOf(EntryText.CLIENT), entry.endOf(EntryText.CLIENT));
}

function quoted(line: LineBuffer, at: number, entry: AccessEntry, text: EntryTextName): number {
  return putQuoted(line, at, entry.texts, entry.startOf(text), entry.endOf(text));
}

function quotedOrDash(line: LineBuffer, at: number, entry: AccessEntry, text: EntryTextName): number {
  let next = putText(line.bytes, at, ' "');
  if (entry.endOf(text) === entry.startOf(text)) line.bytes[next++] = DASH;
  else next = quoted(line, next, entry, text);
  line.bytes[next++] = QUOTE;
  return next;
}
