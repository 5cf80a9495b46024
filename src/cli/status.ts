/** `fourseven status`: asks a running proxy how it is. */
import { request } from 'node:http';
import type { Status } from '../control/admin/status.ts';
import { formatAddress, parseAddress, type SocketAddress } from '../core/address.ts';
import { ExitCode, type ExitCodeValue } from './exit-code.ts';

const TIMEOUT_MS = 5_000;
const ANSWER_MAX_BYTES = 64 * 1024 * 1024;

export interface StatusOptions {
  readonly admin: string;
  readonly json: boolean;
}

/** Prints a table, or the answer as it came. Resolves to the exit code. */
export async function runStatus(options: StatusOptions): Promise<ExitCodeValue> {
  const address = parseAddress(options.admin);
  if (typeof address === 'string' || address.family === 'name') {
    const why = typeof address === 'string' ? address : `"${options.admin}" is not numeric`;
    process.stderr.write(`fourseven: --admin: ${why}\n`);
    return ExitCode.USAGE;
  }
  try {
    const text = await get(address, '/api/status');
    process.stdout.write(options.json ? text : formatStatus(JSON.parse(text) as Status));
    return ExitCode.FINE;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const where = formatAddress(address);
    process.stderr.write(
      `fourseven: no proxy answers at ${where} (${reason}); is it running, and is this its admin address?\n`,
    );
    return ExitCode.FAILED;
  }
}

function get(address: SocketAddress, path: string): Promise<string> {
  const where = address.family === 'unix' ? { socketPath: address.path } : { host: address.host, port: address.port };
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...where, path, timeout: TIMEOUT_MS, agent: false }, (incoming) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      incoming.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > ANSWER_MAX_BYTES) outgoing.destroy(new Error('its answer is too long'));
      });
      incoming.once('error', reject);
      incoming.once('end', () => {
        if (incoming.statusCode === 200) resolve(Buffer.concat(chunks).toString());
        else reject(new Error(`status ${incoming.statusCode}`));
      });
    });
    outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    outgoing.once('error', reject);
    outgoing.end();
  });
}

/** Three tables for people. */
export function formatStatus(status: Status): string {
  const state = status.draining ? 'draining' : 'serving';
  const shards = status.shards.map(({ index, connections, restarts }) => [index, connections, restarts]);
  const listeners = status.listeners.map(({ name, protocol, address, connections }) => [
    name,
    protocol,
    address,
    connections,
  ]);
  const endpoints = status.clusters.flatMap(({ name, policy, endpoints: list }) =>
    list.map(({ address, weight, health, admin, ejectedUntil, inFlight }) => {
      return [name, policy, address, weight, health, ejectedUntil === null ? admin : `${admin}, ejected`, inFlight];
    }),
  );
  return [
    `fourseven ${status.version}, configuration ${status.configVersion}, ${state}\n`,
    table(['SHARD', 'CONNECTIONS', 'RESTARTS'], shards),
    table(['LISTENER', 'PROTOCOL', 'ADDRESS', 'CONNECTIONS'], listeners),
    table(['CLUSTER', 'POLICY', 'ENDPOINT', 'WEIGHT', 'HEALTH', 'STATE', 'IN FLIGHT'], endpoints),
  ].join('\n');
}

function table(heads: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const lines = [heads, ...rows.map((row) => row.map(String))];
  const widths = heads.map((_, column) => lines.reduce((width, line) => Math.max(width, line[column]!.length), 0));
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
