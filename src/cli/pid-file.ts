import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/** Says which process the proxy is. Written as a whole, so that nobody reads half of a number. */
export class PidFile {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Throws what the file system says. */
  static write(path: string): PidFile {
    const draft = `${path}.${process.pid}`;
    writeFileSync(draft, `${process.pid}\n`);
    renameSync(draft, path);
    return new PidFile(path);
  }

  /** Unless another process has written its own there. */
  remove(): void {
    try {
      if (readFileSync(this.#path, 'utf8').trim() === String(process.pid)) rmSync(this.#path);
    } catch {
      // Gone already, or nobody's business any more.
    }
  }
}
