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
  /** As they were when they were last read. */
  #known: Signatures = new Map();
  #seen: Signatures = new Map();
  #timer: NodeJS.Timeout | undefined;
  #looking = false;

  constructor(onChange: () => void, everyMs = LOOK_EVERY_MS) {
    this.#onChange = onChange;
    this.#everyMs = everyMs;
  }

  /** They are about to be read, whoever asked for it. */
  async note(): Promise<void> {
    this.#known = await signaturesOf(this.#files);
  }

  /** From now on these. Of those from before, a change since they were last read has yet to be noticed. */
  async watch(files: readonly string[]): Promise<void> {
    this.#files = [...new Set(files)];
    const now = await signaturesOf(this.#files);
    const before = this.#known;
    this.#known = new Map([...now].map(([file, signature]) => [file, before.get(file) ?? signature]));
    this.#seen = now;
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
    const now = await signaturesOf(files);
    this.#looking = false;
    if (files !== this.#files) return;
    const hasSettled = areSame(now, this.#seen);
    this.#seen = now;
    if (!hasSettled || areSame(now, this.#known)) return;
    this.#known = now;
    this.#onChange();
  }
}

/** By file: what changes when it does. */
type Signatures = ReadonlyMap<string, string>;

async function signaturesOf(files: readonly string[]): Promise<Signatures> {
  return new Map(await Promise.all(files.map(async (file) => [file, await signatureOf(file)] as const)));
}

async function signatureOf(file: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(file);
    return `${mtimeMs} ${size} ${ino}`;
  } catch (error) {
    return `${(error as NodeJS.ErrnoException).code}`;
  }
}

/** Of the same files. */
function areSame(one: Signatures, other: Signatures): boolean {
  return [...one].every(([file, signature]) => other.get(file) === signature);
}
