/** Talks to the admin API of a running proxy. */
import { request } from 'node:http';
import { formatAddress, parseAddress, type SocketAddress } from '../core/address.ts';
import { ExitCode, type ExitCodeValue } from './exit-code.ts';

const TIMEOUT_MS = 5_000;
/** A reload resolves names and waits for the shards. */
const RELOAD_TIMEOUT_MS = 60_000;
const ANSWER_MAX_BYTES = 64 * 1024 * 1024;

/** Where a proxy answers, and what it wants to hear. */
export interface AdminTarget {
  readonly admin: string;
  /** Undefined: FOURSEVEN_ADMIN_TOKEN, where there is one. */
  readonly token?: string | undefined;
}

export interface AdminAnswer {
  readonly status: number;
  readonly text: string;
}

/** Calls the proxy at `admin`, and prints why if it cannot be reached. Returns the answer, or the exit code. */
export async function callAdmin(
  target: AdminTarget,
  method: 'GET' | 'POST',
  path: string,
): Promise<AdminAnswer | ExitCodeValue> {
  const address = addressOf(target);
  if (address === undefined) return ExitCode.USAGE;
  try {
    return await call(address, target, method, path);
  } catch (error) {
    return complainOf(address, error);
  }
}

/**
 * Follows the live stream of the proxy at `admin` until it ends, or until `onMessage` returns false. Prints why if it cannot be reached. Returns the exit
 * code.
 */
export async function followAdmin(
  target: AdminTarget,
  path: string,
  onMessage: (data: string) => boolean,
): Promise<ExitCodeValue> {
  const address = addressOf(target);
  if (address === undefined) return ExitCode.USAGE;
  try {
    return await follow(address, target, path, onMessage);
  } catch (error) {
    return complainOf(address, error);
  }
}

function addressOf({ admin }: AdminTarget): SocketAddress | undefined {
  const address = parseAddress(admin);
  if (typeof address !== 'string' && address.family !== 'name') return address;
  const why = typeof address === 'string' ? address : `"${admin}" is not numeric`;
  process.stderr.write(`fourseven: --admin: ${why}\n`);
  return undefined;
}

function complainOf(address: SocketAddress, error: unknown): ExitCodeValue {
  const reason = error instanceof Error ? error.message : String(error);
  const where = formatAddress(address);
  process.stderr.write(
    `fourseven: no proxy answers at ${where} (${reason}); is it running, and is this its admin address?\n`,
  );
  return ExitCode.FAILED;
}

/** For `node:http`. */
function optionsFor(address: SocketAddress, { token = process.env.FOURSEVEN_ADMIN_TOKEN }: AdminTarget) {
  const where = address.family === 'unix' ? { socketPath: address.path } : { host: address.host, port: address.port };
  const headers = token === undefined || token === '' ? {} : { authorization: `Bearer ${token}` };
  return { ...where, headers, agent: false } as const;
}

function follow(
  address: SocketAddress,
  target: AdminTarget,
  path: string,
  onMessage: (data: string) => boolean,
): Promise<ExitCodeValue> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...optionsFor(address, target), path, timeout: TIMEOUT_MS }, (incoming) => {
      if (incoming.statusCode !== 200) {
        reject(new Error(`the answer has status ${incoming.statusCode}`));
        outgoing.destroy();
        return;
      }
      let text = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (chunk: string) => {
        text += chunk;
        const messages = text.split('\n\n');
        text = messages.pop() ?? '';
        if (text.length > ANSWER_MAX_BYTES) outgoing.destroy(new Error('its answer is too long'));
        for (const message of messages) {
          if (message.startsWith('data: ') && !onMessage(message.slice('data: '.length))) outgoing.destroy();
        }
      });
      incoming.once('close', () => resolve(ExitCode.FINE));
      incoming.once('error', () => resolve(ExitCode.FINE));
    });
    outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    outgoing.once('error', reject);
    outgoing.end();
  });
}

function call(address: SocketAddress, target: AdminTarget, method: 'GET' | 'POST', path: string): Promise<AdminAnswer> {
  const timeoutMs = method === 'GET' ? TIMEOUT_MS : RELOAD_TIMEOUT_MS;
  return new Promise((resolve, reject) => {
    const options = { ...optionsFor(address, target), method, path, timeout: timeoutMs };
    const outgoing = request(options, (incoming) => {
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
