/** Talks to the admin API of a running proxy. */
import { request } from 'node:http';
import { formatAddress, parseAddress, type SocketAddress } from '../core/address.ts';
import { ExitCode, type ExitCodeValue } from './exit-code.ts';

const TIMEOUT_MS = 5_000;
/** A reload resolves names and waits for the shards. */
const RELOAD_TIMEOUT_MS = 60_000;
const ANSWER_MAX_BYTES = 64 * 1024 * 1024;

export interface AdminAnswer {
  readonly status: number;
  readonly text: string;
}

/** Calls the proxy at `admin`, and prints why if it cannot be reached. Returns the answer, or the exit code. */
export async function callAdmin(
  admin: string,
  method: 'GET' | 'POST',
  path: string,
): Promise<AdminAnswer | ExitCodeValue> {
  const address = parseAddress(admin);
  if (typeof address === 'string' || address.family === 'name') {
    const why = typeof address === 'string' ? address : `"${admin}" is not numeric`;
    process.stderr.write(`fourseven: --admin: ${why}\n`);
    return ExitCode.USAGE;
  }
  try {
    return await call(address, method, path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const where = formatAddress(address);
    process.stderr.write(
      `fourseven: no proxy answers at ${where} (${reason}); is it running, and is this its admin address?\n`,
    );
    return ExitCode.FAILED;
  }
}

function call(address: SocketAddress, method: 'GET' | 'POST', path: string): Promise<AdminAnswer> {
  const where = address.family === 'unix' ? { socketPath: address.path } : { host: address.host, port: address.port };
  const timeoutMs = method === 'GET' ? TIMEOUT_MS : RELOAD_TIMEOUT_MS;
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...where, method, path, timeout: timeoutMs, agent: false }, (incoming) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      incoming.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > ANSWER_MAX_BYTES) outgoing.destroy(new Error('its answer is too long'));
      });
      incoming.once('error', reject);
      incoming.once('end', () => resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    });
    outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    outgoing.once('error', reject);
    outgoing.end();
  });
}

/** What an answer says that is not the one that was wanted. */
export function complaintOf({ status, text }: AdminAnswer): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    if (typeof error === 'string') return error;
  } catch {
    // Not ours, then.
  }
  return `the answer has status ${status}`;
}
