import { mkdir, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { readHostPattern } from '../config/host-pattern.ts';
import { isFault } from '../config/reading.ts';
import { makeSelfSigned } from '../config/self-signed.ts';
import { ExitCode, type ExitCodeValue } from './exit-code.ts';

const LOCAL_NAMES = ['localhost', '*.localhost', '127.0.0.1', '::1'] as const;
const DAYS_MAX = 3_650;
const PRIVATE_MODE = 0o600;

export interface CertOptions {
  /** As written. */
  readonly days: string;
  /** A directory; without it the pair is printed. */
  readonly out?: string;
}

interface CertIo {
  readonly cwd: string;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** Makes a self-signed pair for `names` (without any: for this machine). Resolves to the exit code. */
export async function runCert(
  names: readonly string[],
  { days, out }: CertOptions,
  io: CertIo,
): Promise<ExitCodeValue> {
  const problem = problemOf(names, days);
  if (problem !== undefined) {
    io.stderr.write(`fourseven: ${problem}\n`);
    return ExitCode.USAGE;
  }
  const { certificate, key } = await makeSelfSigned(names.length === 0 ? LOCAL_NAMES : names, Number(days));
  if (out === undefined) {
    io.stdout.write(certificate + key);
    return ExitCode.FINE;
  }
  const directory = resolve(io.cwd, out);
  try {
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'cert.pem'), certificate);
    await writeFile(join(directory, 'key.pem'), key, { mode: PRIVATE_MODE });
  } catch (error) {
    io.stderr.write(`fourseven: ${(error as Error).message}\n`);
    return ExitCode.FAILED;
  }
  io.stdout.write(`${join(out, 'cert.pem')} and ${join(out, 'key.pem')} are for this machine, and for nobody else\n`);
  return ExitCode.FINE;
}

function problemOf(names: readonly string[], days: string): string | undefined {
  const wrong = names.find((name) => isIP(name) === 0 && isFault(readHostPattern(name)));
  if (wrong !== undefined) return `${JSON.stringify(wrong)} is neither a host name nor an address`;
  if (/^[0-9]{1,4}$/.test(days) && Number(days) >= 1 && Number(days) <= DAYS_MAX) return undefined;
  return `${JSON.stringify(days)} is not a number of days from 1 to ${DAYS_MAX}`;
}
