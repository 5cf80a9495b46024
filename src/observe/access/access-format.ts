/** The forms of a line. Hot path of access logs: nothing is allocated but what the clock needs once a second. */
import { asciiBytes } from '../../core/bytes.ts';
import { type AccessEntry, EntryText, type EntryTextName, NO_TIME } from './access-entry.ts';
import { putBytes, putDecimal, putInteger, putJson, putQuoted, putText, putThreeDigits } from './line-bytes.ts';

const QUOTE = 0x22;
const LF = 0x0a;
const SPACE = 0x20;
const DASH = 0x2d;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/** An endpoint has its own, unless several routes lead to it. */
const USUAL_ENDINGS_MAX = 1_024;
/** Three names, an address, and what stands between. */
const ENDING_MAX_BYTES = 1_024;

/** What stands between two values. */
const Key = {
  port: asciiBytes('","port":'),
  method: asciiBytes(',"method":"'),
  host: asciiBytes(',"host":"'),
  target: asciiBytes(',"target":"'),
  protocol: asciiBytes(',"protocol":"HTTP/1.1"'),
  oldProtocol: asciiBytes(',"protocol":"HTTP/1.0"'),
  tls: asciiBytes(',"tls":true'),
  status: asciiBytes(',"status":'),
  route: asciiBytes(',"route":"'),
  cluster: asciiBytes(',"cluster":"'),
  endpoint: asciiBytes(',"endpoint":"'),
  attempts: asciiBytes(',"attempts":'),
  endedWell: asciiBytes(',"reason":"ok","endedBy":"-","phase":"done"'),
  bytesReceived: asciiBytes(',"bytesReceived":'),
  bytesSent: asciiBytes(',"bytesSent":'),
  durationMs: asciiBytes(',"durationMs":'),
  waitMs: asciiBytes(',"waitMs":'),
  connectMs: asciiBytes(',"connectMs":'),
  firstByteMs: asciiBytes(',"firstByteMs":'),
  requestId: asciiBytes(',"requestId":"'),
  userAgent: asciiBytes(',"userAgent":"'),
  referer: asciiBytes(',"referer":"'),
} as const;

const JSON_END = asciiBytes('}\n');
/** As nginx calls it when the client has left without an answer. */
const STATUS_LEFT = 499;

export type AccessFormat = 'json' | 'combined';

/** Writes the lines of one listener. Its name and those of routes, clusters and endpoints need no escapes: they were checked. */
export class AccessFormatter {
  readonly #listener: string;
  readonly #format: AccessFormat;
  #second = Number.NaN;
  /** Of that second: `{"time":"2026-11-29T21:16:55.`, and `[29/Nov/2026:21:16:55 +0000]`. */
  #jsonBegin = asciiBytes('');
  #clfText = '';
  readonly #jsonListener: Uint8Array;
  /** By endpoint. */
  readonly #usualEndings = new Map<string, { route: string; cluster: string; text: Uint8Array }>();

  constructor(listener: string, format: AccessFormat) {
    this.#listener = listener;
    this.#format = format;
    this.#jsonListener = asciiBytes(`Z","listener":"${listener}","client":"`);
  }

  /** Writes the line at `bytes[at]` and returns its end. `wallMs`: when it began. */
  exchange(bytes: Uint8Array, at: number, entry: AccessEntry, wallMs: number): number {
    this.#lookAtClock(wallMs);
    if (this.#format === 'json') return this.#jsonExchange(bytes, at, entry, wallMs);
    return this.#combinedExchange(bytes, at, entry);
  }

  /** As `exchange`. */
  session(bytes: Uint8Array, at: number, entry: AccessEntry, wallMs: number): number {
    this.#lookAtClock(wallMs);
    if (this.#format === 'json') return this.#jsonSession(bytes, at, entry, wallMs);
    return this.#plainSession(bytes, at, entry);
  }

  #jsonHead(bytes: Uint8Array, at: number, entry: AccessEntry, wallMs: number): number {
    let next = putBytes(bytes, at, this.#jsonBegin);
    next = putThreeDigits(bytes, next, Math.floor(wallMs - this.#second * 1000));
    next = putBytes(bytes, next, this.#jsonListener);
    next = quoted(bytes, next, entry, EntryText.CLIENT);
    next = putBytes(bytes, next, Key.port);
    return putInteger(bytes, next, entry.port);
  }

  #jsonExchange(bytes: Uint8Array, at: number, entry: AccessEntry, wallMs: number): number {
    let next = this.#jsonHead(bytes, at, entry, wallMs);
    next = jsonText(bytes, next, Key.method, entry, EntryText.METHOD);
    next = jsonText(bytes, next, Key.host, entry, EntryText.HOST);
    next = jsonText(bytes, next, Key.target, entry, EntryText.TARGET);
    next = putBytes(bytes, next, entry.versionMinor === 0 ? Key.oldProtocol : Key.protocol);
    if (entry.isSecure) next = putBytes(bytes, next, Key.tls);
    next = putBytes(bytes, next, Key.status);
    next = putInteger(bytes, next, entry.status);
    if (entry.reason === 'ok' && entry.attempts === 1) next = putBytes(bytes, next, this.#usualEnding(entry));
    else next = ending(bytes, next, entry);
    next = times(bytes, next, entry);
    next = time(bytes, next, Key.firstByteMs, entry.firstByteMs);
    next = jsonText(bytes, next, Key.requestId, entry, EntryText.REQUEST_ID);
    next = jsonText(bytes, next, Key.userAgent, entry, EntryText.USER_AGENT);
    next = jsonText(bytes, next, Key.referer, entry, EntryText.REFERER);
    return putBytes(bytes, next, JSON_END);
  }

  #jsonSession(bytes: Uint8Array, at: number, entry: AccessEntry, wallMs: number): number {
    let next = this.#jsonHead(bytes, at, entry, wallMs);
    next = ending(bytes, next, entry);
    next = times(bytes, next, entry);
    return putBytes(bytes, next, JSON_END);
  }

  /** Where most exchanges went, and that they ended well at the first attempt: as one piece, of which there are few. */
  #usualEnding(entry: AccessEntry): Uint8Array {
    const { route, cluster, endpoint } = entry;
    const known = this.#usualEndings.get(endpoint);
    if (known?.route === route && known.cluster === cluster) return known.text;
    if (this.#usualEndings.size >= USUAL_ENDINGS_MAX) this.#usualEndings.clear();
    const bytes = new Uint8Array(ENDING_MAX_BYTES);
    const text = bytes.slice(0, ending(bytes, 0, entry));
    this.#usualEndings.set(endpoint, { route, cluster, text });
    return text;
  }

  /** As Apache's "combined", which every reader of logs knows; where it asks for what we do not know there is a dash. */
  #combinedExchange(bytes: Uint8Array, at: number, entry: AccessEntry): number {
    let next = this.#combinedHead(bytes, at, entry);
    bytes[next++] = QUOTE;
    if (entry.endOf(EntryText.METHOD) > entry.startOf(EntryText.METHOD)) {
      next = quoted(bytes, next, entry, EntryText.METHOD);
      bytes[next++] = SPACE;
      next = quoted(bytes, next, entry, EntryText.TARGET);
      next = putText(bytes, next, entry.versionMinor === 0 ? ' HTTP/1.0' : ' HTTP/1.1');
    } else bytes[next++] = DASH;
    next = putText(bytes, next, '" ');
    next = putInteger(bytes, next, entry.status === 0 ? STATUS_LEFT : entry.status);
    bytes[next++] = SPACE;
    next = putInteger(bytes, next, entry.responseBytes);
    next = quotedOrDash(bytes, next, entry, EntryText.REFERER);
    next = quotedOrDash(bytes, next, entry, EntryText.USER_AGENT);
    bytes[next++] = LF;
    return next;
  }

  /** There is no usual form for sessions: in the spirit of the one above, with the names behind. */
  #plainSession(bytes: Uint8Array, at: number, entry: AccessEntry): number {
    let next = this.#combinedHead(bytes, at, entry);
    const { cluster, endpoint, reason, endedBy } = entry;
    next = putText(
      bytes,
      next,
      `${this.#listener} ${cluster} ${endpoint === '' ? '-' : endpoint} ${reason} ${endedBy} `,
    );
    next = putInteger(bytes, next, entry.requestBytes);
    bytes[next++] = SPACE;
    next = putInteger(bytes, next, entry.responseBytes);
    bytes[next++] = SPACE;
    next = putDecimal(bytes, next, entry.durationMs);
    bytes[next++] = LF;
    return next;
  }

  #combinedHead(bytes: Uint8Array, at: number, entry: AccessEntry): number {
    let next = quoted(bytes, at, entry, EntryText.CLIENT);
    next = putText(bytes, next, ' - - ');
    next = putText(bytes, next, this.#clfText);
    bytes[next++] = SPACE;
    return next;
  }

  #lookAtClock(wallMs: number): void {
    const second = Math.floor(wallMs / 1000);
    if (second === this.#second) return;
    this.#second = second;
    const date = new Date(second * 1000);
    const iso = date.toISOString();
    this.#jsonBegin = asciiBytes(`{"time":"${iso.slice(0, 20)}`);
    const month = MONTHS[date.getUTCMonth()]!;
    this.#clfText = `[${iso.slice(8, 10)}/${month}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000]`;
  }
}

/** Where it went, and how it ended. */
function ending(bytes: Uint8Array, at: number, entry: AccessEntry): number {
  let next = name(bytes, at, Key.route, entry.route);
  next = name(bytes, next, Key.cluster, entry.cluster);
  next = name(bytes, next, Key.endpoint, entry.endpoint);
  next = putBytes(bytes, next, Key.attempts);
  next = putInteger(bytes, next, entry.attempts);
  if (entry.reason === 'ok') return putBytes(bytes, next, Key.endedWell);
  const { reason, endedBy, phase } = entry;
  return putText(bytes, next, `,"reason":"${reason}","endedBy":"${endedBy}","phase":"${phase}"`);
}

function times(bytes: Uint8Array, at: number, entry: AccessEntry): number {
  let next = putBytes(bytes, at, Key.bytesReceived);
  next = putInteger(bytes, next, entry.requestBytes);
  next = putBytes(bytes, next, Key.bytesSent);
  next = putInteger(bytes, next, entry.responseBytes);
  next = time(bytes, next, Key.durationMs, entry.durationMs);
  next = time(bytes, next, Key.waitMs, entry.waitMs);
  return time(bytes, next, Key.connectMs, entry.connectMs);
}

/** Left out where there is none. */
function jsonText(bytes: Uint8Array, at: number, key: Uint8Array, entry: AccessEntry, text: EntryTextName): number {
  const start = entry.startOf(text);
  const end = entry.endOf(text);
  if (end === start) return at;
  const next = putJson(bytes, putBytes(bytes, at, key), entry.bytes, start, end);
  bytes[next] = QUOTE;
  return next + 1;
}

function name(bytes: Uint8Array, at: number, key: Uint8Array, value: string): number {
  if (value === '') return at;
  const next = putText(bytes, putBytes(bytes, at, key), value);
  bytes[next] = QUOTE;
  return next + 1;
}

function time(bytes: Uint8Array, at: number, key: Uint8Array, ms: number): number {
  return ms === NO_TIME ? at : putDecimal(bytes, putBytes(bytes, at, key), ms);
}

function quoted(bytes: Uint8Array, at: number, entry: AccessEntry, text: EntryTextName): number {
  return putQuoted(bytes, at, entry.bytes, entry.startOf(text), entry.endOf(text));
}

function quotedOrDash(bytes: Uint8Array, at: number, entry: AccessEntry, text: EntryTextName): number {
  let next = putText(bytes, at, ' "');
  if (entry.endOf(text) === entry.startOf(text)) bytes[next++] = DASH;
  else next = quoted(bytes, next, entry, text);
  bytes[next++] = QUOTE;
  return next;
}
