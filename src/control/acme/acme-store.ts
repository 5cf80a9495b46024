/** What ACME leaves on disk: the key of the account, and for each certificate its key and chain. Private keys are for the user of the process alone. */
import { X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { issuedFiles, namesIn } from '../../config/load-tls.ts';

const PRIVATE_DIRECTORY = 0o700;
const PRIVATE_FILE = 0o600;

export interface IssuedCertificate {
  readonly names: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export class AcmeStore {
  readonly #storage: string;

  constructor(storage: string) {
    this.#storage = storage;
  }

  /** The key of the account with that authority; `make` gives a new one. */
  async accountKey(directory: string, make: () => Promise<Buffer>): Promise<Buffer> {
    const host = new URL(directory).host.replaceAll(/[^a-z0-9.-]/g, '_');
    const file = join(this.#storage, 'accounts', `${host}.pem`);
    const known = await readOrNothing(file);
    if (known !== undefined) return known;
    const key = await make();
    await writeWhole(file, key);
    return key;
  }

  /** What is there for these names; undefined if there is nothing that can be read. */
  async read(names: readonly string[]): Promise<IssuedCertificate | undefined> {
    const { certificate, key } = issuedFiles(this.#storage, names);
    const [text] = await Promise.all([readOrNothing(certificate), readFile(key).catch(() => undefined)]);
    if (text === undefined) return undefined;
    try {
      const leaf = new X509Certificate(text);
      const { validFrom, validTo } = leaf;
      return { names: namesIn(leaf), notBeforeMs: Date.parse(validFrom), notAfterMs: Date.parse(validTo) };
    } catch {
      return undefined;
    }
  }

  /** The key first: who reads in between finds a pair that does not fit, and waits for the next change. */
  async write(names: readonly string[], chain: string, key: string | Buffer): Promise<void> {
    const files = issuedFiles(this.#storage, names);
    await writeWhole(files.key, key);
    await writeWhole(files.certificate, chain);
  }
}

async function readOrNothing(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function writeWhole(file: string, bytes: string | Buffer): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: PRIVATE_DIRECTORY });
  await writeFile(`${file}.new`, bytes, { mode: PRIVATE_FILE });
  await rename(`${file}.new`, file);
}
