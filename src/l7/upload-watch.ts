/**
 * Watches request bodies that come too slowly. A client that drips a byte now and then never lets the idle deadline pass, and holds a connection to an
 * endpoint for as long as it likes (slow POST). So each window in which anything came must have brought a minimum.
 *
 * Only bodies that are still to come when their head is here are watched, by one timer for all, and only while there are any. A window in which
 * nothing came is the idle deadline's, so that a client that waits for a 100 is left alone; one at whose end the client is not read, because the
 * endpoint takes nothing, is nobody's fault here.
 */
import type { Engine } from '../engine/engine.ts';

/** Also the grace: nobody is judged earlier. */
export const BODY_RATE_WINDOW_MS = 5000;
const LOOK_EVERY_MS = 500;

export interface Upload {
  /** Connection of the client. */
  readonly downstream: number;
  /** Start of the window, and bytes received until then (-1: not known). The watch's. */
  windowStartMs: number;
  windowBytes: number;
  onTooSlow(): void;
}

export class UploadWatch {
  readonly #engine: Pick<Engine, 'progress'>;
  readonly #flush: () => void;
  readonly #nowMs: () => number;
  readonly #uploads = new Set<Upload>();
  #looking: NodeJS.Timeout | undefined;
  /** Least bytes in a second; 0: any will do. Of the current plan. */
  bytesPerSecond = 0;

  /** `flush` runs the commands that are written outside of a round. */
  constructor(engine: Pick<Engine, 'progress'>, flush: () => void, nowMs: () => number) {
    this.#engine = engine;
    this.#flush = flush;
    this.#nowMs = nowMs;
  }

  begin(upload: Upload): void {
    if (this.bytesPerSecond === 0) return;
    this.#open(upload, this.#engine.progress(upload.downstream));
    this.#uploads.add(upload);
    this.#looking ??= setInterval(() => this.look(), LOOK_EVERY_MS).unref();
  }

  /** Also for one that was never begun. */
  end(upload: Upload): void {
    if (!this.#uploads.delete(upload) || this.#uploads.size > 0) return;
    clearInterval(this.#looking);
    this.#looking = undefined;
  }

  #open(upload: Upload, bytes: number): void {
    upload.windowStartMs = this.#nowMs();
    upload.windowBytes = bytes;
  }

  look(): void {
    const nowMs = this.#nowMs();
    for (const upload of this.#uploads) {
      if (nowMs - upload.windowStartMs >= BODY_RATE_WINDOW_MS) this.#judge(upload);
    }
    this.#flush();
  }

  #judge(upload: Upload): void {
    const bytes = this.#engine.progress(upload.downstream);
    const received = bytes < 0 || upload.windowBytes < 0 ? 0 : bytes - upload.windowBytes;
    if (received > 0 && received * 1000 < this.bytesPerSecond * BODY_RATE_WINDOW_MS) upload.onTooSlow();
    else this.#open(upload, bytes);
  }
}
