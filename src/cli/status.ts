/** `fourseven status`: asks a running proxy how it is. */
import { printable } from '../config/quote.ts';
import type { Status } from '../control/admin/status.ts';
import { type AdminTarget, callAdmin, complaintOf } from './admin-client.ts';
import { ExitCode, type ExitCodeValue } from './exit-code.ts';
import { table } from './table.ts';
import { watchStatus } from './watch-status.ts';

export interface StatusOptions extends AdminTarget {
  readonly json: boolean;
  /** Goes on, with rates and latencies. */
  readonly watch?: boolean;
}

/** Prints a table, or the answer as it came. Resolves to the exit code. */
export async function runStatus(options: StatusOptions): Promise<ExitCodeValue> {
  const { json, watch = false } = options;
  if (watch) return watchStatus(options);
  const answer = await callAdmin(options, 'GET', '/api/status');
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
