import { stat } from 'node:fs/promises';

/** Often enough for who waits for a new certificate, and nothing for the machine. */
const LOOK_EVERY_MS = 1_000;

/**
 * Looks whether files have changed, and calls once they have and have then stayed as they are for a look: a certificate and its key are written
 * one after the other. By looking, not by being told: certificates are often behind links, or on file systems of other machines.
 */
export class CertificateWatch {
  readonly #onChange: () => void;
  readonly #everyMs: number;
  #files: readonly string[] = [];
  #known = '';
  #seen = '';
  #timer: NodeJS.Timeout | undefined;
  #looking = false;

  constructor(onChange: () => void, everyMs = LOOK_EVERY_MS) {
    this.#onChange = onChange;
    this.#everyMs = everyMs;
  }

  /** From now on these, as they are now. */
  async watch(files: readonly string[]): Promise<void> {
    this.#files = [...new Set(files)];
    this.#known = await signatureOf(this.#files);
    this.#seen = this.#known;
    if (this.#files.length === 0) this.stop();
    else this.#timer ??= setInterval(() => void this.#look(), this.#everyMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const files = this.#files;
    const now = await signatureOf(files);
    this.#looking = false;
    if (files !== this.#files) return;
    const hasSettled = now === this.#seen;
    this.#seen = now;
    if (!hasSettled || now === this.#known) return;
    this.#known = now;
    this.#onChange();
  }
}

async function signatureOf(files: readonly string[]): Promise<string> {
  const parts = files.map(async (file) => {
    try {
      const { mtimeMs, size, ino } = await stat(file);
      return `${mtimeMs} ${size} ${ino}`;
    } catch (error) {
      return `${(error as NodeJS.ErrnoException).code}`;
    }
  });
  return (await Promise.all(parts)).join('\n');
}
