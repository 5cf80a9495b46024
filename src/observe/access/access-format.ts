/** The forms of a line. Hot path of access logs: nothing is allocated but what the clock needs once a second. */
import { asciiBytes } from '../../core/bytes.ts';
import { type AccessEntry, EntryText, type EntryTextName, NO_TIME } from './access-entry.ts';
import { LineWriter } from './line-writer.ts';

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

export type AccessFormat = 'json' | 'combined';

/** A writer of lines for one listener. Its name and those of routes, clusters and endpoints need no escapes: they were checked. */
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

  /** `wallMs`: when it began. */
  exchange(line: LineWriter, entry: AccessEntry, wallMs: number): void {
    this.#lookAtClock(wallMs);
    if (this.#format === 'json') this.#jsonExchange(line, entry, wallMs);
    else this.#combinedExchange(line, entry);
  }

  session(line: LineWriter, entry: AccessEntry, wallMs: number): void {
    this.#lookAtClock(wallMs);
    if (this.#format === 'json') this.#jsonSession(line, entry, wallMs);
    else this.#plainSession(line, entry);
  }

  #jsonHead(line: LineWriter, entry: AccessEntry, wallMs: number): void {
    line.constant(this.#jsonBegin);
    line.threeDigits(Math.floor(wallMs % 1000));
    line.constant(this.#jsonListener);
    copy(line, entry, EntryText.CLIENT);
    line.constant(Key.port);
    line.integer(entry.port);
  }

  #jsonExchange(line: LineWriter, entry: AccessEntry, wallMs: number): void {
    this.#jsonHead(line, entry, wallMs);
    jsonText(line, Key.method, entry, EntryText.METHOD);
    jsonText(line, Key.host, entry, EntryText.HOST);
    jsonText(line, Key.target, entry, EntryText.TARGET);
    line.constant(entry.versionMinor === 0 ? Key.oldProtocol : Key.protocol);
    if (entry.isSecure) line.constant(Key.tls);
    line.constant(Key.status);
    line.integer(entry.status);
    if (entry.reason === 'ok' && entry.attempts === 1) line.constant(this.#usualEnding(entry));
    else {
      name(line, Key.route, entry.route);
      name(line, Key.cluster, entry.cluster);
      name(line, Key.endpoint, entry.endpoint);
      ending(line, entry);
    }
    times(line, entry);
    time(line, Key.firstByteMs, entry.firstByteMs);
    jsonText(line, Key.requestId, entry, EntryText.REQUEST_ID);
    jsonText(line, Key.userAgent, entry, EntryText.USER_AGENT);
    jsonText(line, Key.referer, entry, EntryText.REFERER);
    line.text('}\n');
  }

  #jsonSession(line: LineWriter, entry: AccessEntry, wallMs: number): void {
    this.#jsonHead(line, entry, wallMs);
    name(line, Key.cluster, entry.cluster);
    name(line, Key.endpoint, entry.endpoint);
    ending(line, entry);
    times(line, entry);
    line.text('}\n');
  }

  /** Where most exchanges went, and that they ended well at the first attempt: as one piece, of which there are few. */
  #usualEnding(entry: AccessEntry): Uint8Array {
    const { route, cluster, endpoint } = entry;
    const known = this.#usualEndings.get(endpoint);
    if (known?.route === route && known.cluster === cluster) return known.text;
    if (this.#usualEndings.size >= USUAL_ENDINGS_MAX) this.#usualEndings.clear();
    const line = new LineWriter(new Uint8Array(ENDING_MAX_BYTES));
    name(line, Key.route, route);
    name(line, Key.cluster, cluster);
    name(line, Key.endpoint, endpoint);
    ending(line, entry);
    const text = line.bytes.slice(0, line.at);
    this.#usualEndings.set(endpoint, { route, cluster, text });
    return text;
  }

  /** As Apache's "combined", which every reader of logs knows; where it asks for what we do not know there is a dash. */
  #combinedExchange(line: LineWriter, entry: AccessEntry): void {
    this.#combinedHead(line, entry);
    line.byte(QUOTE);
    if (entry.endOf(EntryText.METHOD) > entry.startOf(EntryText.METHOD)) {
      quoted(line, entry, EntryText.METHOD);
      line.byte(SPACE);
      quoted(line, entry, EntryText.TARGET);
      line.text(entry.versionMinor === 0 ? ' HTTP/1.0' : ' HTTP/1.1');
    } else line.byte(DASH);
    line.text('" ');
    line.integer(entry.status === 0 ? 499 : entry.status);
    line.byte(SPACE);
    line.integer(entry.responseBytes);
    quotedOrDash(line, entry, EntryText.REFERER);
    quotedOrDash(line, entry, EntryText.USER_AGENT);
    line.byte(LF);
  }

  /** There is no usual form for sessions: in the spirit of the one above, with the names behind. */
  #plainSession(line: LineWriter, entry: AccessEntry): void {
    this.#combinedHead(line, entry);
    line.text(this.#listener);
    line.byte(SPACE);
    line.text(entry.cluster);
    line.byte(SPACE);
    line.text(entry.endpoint === '' ? '-' : entry.endpoint);
    line.byte(SPACE);
    line.text(entry.reason);
    line.byte(SPACE);
    line.text(entry.endedBy);
    line.byte(SPACE);
    line.integer(entry.requestBytes);
    line.byte(SPACE);
    line.integer(entry.responseBytes);
    line.byte(SPACE);
    line.decimal(entry.durationMs);
    line.byte(LF);
  }

  #combinedHead(line: LineWriter, entry: AccessEntry): void {
    copy(line, entry, EntryText.CLIENT);
    line.text(' - - ');
    line.text(this.#clfText);
    line.byte(SPACE);
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

function copy(line: LineWriter, entry: AccessEntry, text: EntryTextName): void {
  line.quoted(entry.bytes, entry.startOf(text), entry.endOf(text));
}

/** Left out where there is none. */
function jsonText(line: LineWriter, key: Uint8Array, entry: AccessEntry, text: EntryTextName): void {
  if (entry.endOf(text) === entry.startOf(text)) return;
  line.constant(key);
  line.json(entry.bytes, entry.startOf(text), entry.endOf(text));
  line.byte(QUOTE);
}

function name(line: LineWriter, key: Uint8Array, value: string): void {
  if (value === '') return;
  line.constant(key);
  line.text(value);
  line.byte(QUOTE);
}

function time(line: LineWriter, key: Uint8Array, ms: number): void {
  if (ms === NO_TIME) return;
  line.constant(key);
  line.decimal(ms);
}

function quoted(line: LineWriter, entry: AccessEntry, text: EntryTextName): void {
  line.quoted(entry.bytes, entry.startOf(text), entry.endOf(text));
}

function quotedOrDash(line: LineWriter, entry: AccessEntry, text: EntryTextName): void {
  line.text(' "');
  if (entry.endOf(text) === entry.startOf(text)) line.byte(DASH);
  else quoted(line, entry, text);
  line.byte(QUOTE);
}

function ending(line: LineWriter, entry: AccessEntry): void {
  line.constant(Key.attempts);
  line.integer(entry.attempts);
  if (entry.reason === 'ok') line.constant(Key.endedWell);
  else {
    line.text(',"reason":"');
    line.text(entry.reason);
    line.text('","endedBy":"');
    line.text(entry.endedBy);
    line.text('","phase":"');
    line.text(entry.phase);
    line.byte(QUOTE);
  }
}

function times(line: LineWriter, entry: AccessEntry): void {
  line.constant(Key.bytesReceived);
  line.integer(entry.requestBytes);
  line.constant(Key.bytesSent);
  line.integer(entry.responseBytes);
  time(line, Key.durationMs, entry.durationMs);
  time(line, Key.waitMs, entry.waitMs);
  time(line, Key.connectMs, entry.connectMs);
}
