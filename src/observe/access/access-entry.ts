/**
 * What is told of one exchange or session: filled in while it runs, written when it is over. Reused. What a client has sent is copied here while its
 * bytes are on the slab, cut at a length of its own. Hot path where a listener has an access log; elsewhere there is none.
 */
import { copyBytes, viewOf } from '../../core/bytes.ts';
import { textLength, textPlace, textWord } from './line-protocol.ts';

/** Texts of an entry, and the most bytes that are kept of each. */
export const EntryText = {
  METHOD: 0,
  TARGET: 1,
  HOST: 2,
  REFERER: 3,
  USER_AGENT: 4,
  REQUEST_ID: 5,
  CLIENT: 6,
} as const;
export type EntryTextName = (typeof EntryText)[keyof typeof EntryText];
const TEXT_MAX_BYTES = [32, 2048, 256, 512, 512, 128, 48] as const;
/** Most bytes of all texts of an entry. */
export const TEXTS_MAX_BYTES = TEXT_MAX_BYTES.reduce((sum, size) => sum + size, 0);
const TEXTS = TEXT_MAX_BYTES.length;

/** How far an exchange or session had come when it ended. */
export const PHASES = [
  /** It ended as it should. */
  'done',
  /** The request itself: its head, its route. */
  'request',
  /** It waited for room under the limits of its cluster. */
  'queue',
  'connect',
  'request-body',
  'response-head',
  'response-body',
  /** After an upgrade, or a session that was connected. */
  'tunnel',
] as const;
export type Phase = (typeof PHASES)[number];

/** Nothing to tell of this time: that never began. */
export const NO_TIME = -1;

export class AccessEntry {
  /** The texts, one behind the other: what is told of a request is mostly short, and so lies together. */
  readonly bytes = new Uint8Array(TEXTS_MAX_BYTES);
  readonly view = new DataView(this.bytes.buffer);
  #used = 0;
  /** Of each text: its word in a line, but of no kind yet; 0 if there is none. */
  readonly #words = new Int32Array(TEXTS);
  versionMinor = 1;
  status = 0;
  route = '';
  cluster = '';
  endpoint = '';
  port = 0;
  isSecure = false;
  attempts = 0;
  requestBytes = 0.5;
  responseBytes = 0.5;
  /** Milliseconds, or NO_TIME. */
  waitMs = NO_TIME + 0.5;
  connectMs = NO_TIME + 0.5;
  firstByteMs = NO_TIME + 0.5;
  /** From the beginning to that of the last attempt. */
  attemptMs = NO_TIME + 0.5;
  durationMs = 0.5;
  /** `ok`, or why it ended otherwise. */
  reason = 'ok';
  /** Whose doing that was: downstream, upstream, internal; or `-`. */
  endedBy = '-';
  phase: Phase = 'done';

  reset(): void {
    this.#used = 0;
    for (let text = 0; text < TEXTS; text++) this.#words[text] = 0;
    this.versionMinor = 1;
    this.status = 0;
    this.route = '';
    this.cluster = '';
    this.endpoint = '';
    this.port = 0;
    this.isSecure = false;
    this.attempts = 0;
    this.requestBytes = 0;
    this.responseBytes = 0;
    this.waitMs = NO_TIME;
    this.connectMs = NO_TIME;
    this.firstByteMs = NO_TIME;
    this.attemptMs = NO_TIME;
    this.durationMs = 0;
    this.reason = 'ok';
    this.endedBy = '-';
    this.phase = 'done';
  }

  /** Keeps a copy of `source[start, end)`, cut at what there is room for. Put again, it takes the place of the one before. */
  put(text: EntryTextName, source: Uint8Array, start: number, end: number): void {
    const length = Math.min(end - start, TEXT_MAX_BYTES[text], TEXTS_MAX_BYTES - this.#used);
    copyBytes(this.view, this.#used, viewOf(source), start, start + length);
    this.wrote(text, length);
  }

  /** Where the texts end: there somebody else may write one of up to its most bytes; `wrote` has to follow. */
  get room(): number {
    return this.#used;
  }

  /** How many bytes of the text were written at `room`. */
  wrote(text: EntryTextName, length: number): void {
    if (length === 0) return;
    this.#words[text] = textWord(0, length, this.#used);
    this.#used += length;
  }

  /** As `textWord` has it, of no kind; 0 if there is no such text. */
  wordOf(text: EntryTextName): number {
    return this.#words[text]!;
  }

  /** Its bytes as a string: allocates. */
  textOf(text: EntryTextName): string {
    const word = this.#words[text]!;
    return Buffer.from(this.bytes.buffer, textPlace(word), textLength(word)).toString('latin1');
  }

  /** Ends otherwise than it should. */
  failed(reason: string, endedBy: string, phase: Phase): void {
    this.reason = reason;
    this.endedBy = endedBy;
    this.phase = phase;
  }
}
