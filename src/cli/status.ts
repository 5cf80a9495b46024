/** `fourseven status`: asks a running proxy how it is. */
import { printable } from '../config/quote.ts';
import type { Status } from '../control/admin/status.ts';
import { callAdmin, complaintOf } from './admin-client.ts';
import { ExitCode, type ExitCodeValue } from './exit-code.ts';

export interface StatusOptions {
  readonly admin: string;
  readonly json: boolean;
}

/** Prints a table, or the answer as it came. Resolves to the exit code. */
export async function runStatus({ admin, json }: StatusOptions): Promise<ExitCodeValue> {
  const answer = await callAdmin(admin, 'GET', '/api/status');
  if (typeof answer === 'number') return answer;
  if (answer.status !== 200) {
    process.stderr.write(`fourseven: ${printable(complaintOf(answer))}\n`);
    return ExitCode.FAILED;
  }
  process.stdout.write(json ? answer.text : formatStatus(JSON.parse(answer.text) as Status));
  return ExitCode.FINE;
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
    ...(status.rejected === null
      ? []
      : [`a configuration was rejected at ${status.rejected.at}:\n${rejectedLines(status)}`]),
    table(['SHARD', 'CONNECTIONS', 'RESTARTS'], shards),
    table(['LISTENER', 'PROTOCOL', 'ADDRESS', 'CONNECTIONS'], listeners),
    table(['CLUSTER', 'POLICY', 'ENDPOINT', 'WEIGHT', 'HEALTH', 'STATE', 'IN FLIGHT'], endpoints),
  ].join('\n');
}

function rejectedLines({ rejected }: Status): string {
  return (rejected?.problems ?? []).map((problem) => `  ${printable(problem)}\n`).join('');
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
