/** Spans of exchanges on their way from a shard to whoever exports them: in batches, and bounded. */

/** What there may be between two flushes: a sample that large tells nothing more. */
export const SPANS_MAX = 1_024;

/** One exchange as a trace tells it. Times in milliseconds, since the Unix epoch where they end in `AtMs` or are `endMs`. */
export interface SpanRecord {
  /** Hexadecimal, as in W3C Trace Context. */
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  /** Of the request to the endpoint. */
  readonly upstreamSpanId: string;
  readonly endMs: number;
  readonly durationMs: number;
  /** From the beginning of the exchange to that of its last attempt; below 0: there was none. */
  readonly attemptMs: number;
  readonly listener: string;
  readonly route: string;
  readonly cluster: string;
  readonly endpoint: string;
  readonly attempts: number;
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly userAgent: string;
  readonly client: string;
  readonly port: number;
  readonly isSecure: boolean;
  /** 0: it ended without an answer. */
  readonly status: number;
  readonly reason: string;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

export class Spans {
  readonly #post: (spans: readonly SpanRecord[]) => void;
  #waiting: SpanRecord[] = [];
  dropped = 0;

  constructor(post: (spans: readonly SpanRecord[]) => void) {
    this.#post = post;
  }

  add(span: SpanRecord): void {
    if (this.#waiting.length < SPANS_MAX) this.#waiting.push(span);
    else this.dropped++;
  }

  flush(): void {
    if (this.#waiting.length === 0) return;
    this.#post(this.#waiting);
    this.#waiting = [];
  }
}
