/** `fourseven reload`, `upgrade`, `drain`, `disable` and `enable`: commands for a running proxy. */
import { printable } from '../config/quote.ts';
import type { EndpointStatus } from '../control/admin/status.ts';
import type { ReloadOutcome } from '../control/reloader.ts';
import { type AdminTarget, callAdmin, complaintOf } from './admin-client.ts';
import { ExitCode, type ExitCodeValue } from './exit-code.ts';

const UNPROCESSABLE = 422;

/** Lets the proxy read its configuration anew. Prints what is wrong with it; the exit code is 1 then. */
export async function runReload(target: AdminTarget): Promise<ExitCodeValue> {
  const answer = await callAdmin(target, 'POST', '/api/reload');
  if (typeof answer === 'number') return answer;
  if (answer.status !== 200 && answer.status !== UNPROCESSABLE) return complain(complaintOf(answer));
  const { configVersion, rejected } = JSON.parse(answer.text) as ReloadOutcome;
  if (rejected === null) {
    process.stdout.write(`configuration ${configVersion} is in force\n`);
    return ExitCode.FINE;
  }
  for (const problem of rejected.problems) process.stderr.write(`${printable(problem)}\n`);
  process.stderr.write(`fourseven: configuration ${configVersion} stays in force\n`);
  return ExitCode.CONFIG;
}

/** Starts a successor. The exit code is 3 if there is none, and everything as before. */
export async function runUpgrade(target: AdminTarget): Promise<ExitCodeValue> {
  const answer = await callAdmin(target, 'POST', '/api/upgrade');
  if (typeof answer === 'number') return answer;
  if (answer.status !== 200) return complain(complaintOf(answer));
  const { pid } = JSON.parse(answer.text) as { readonly pid: number };
  process.stdout.write(`process ${pid} has taken over, the one before drains\n`);
  return ExitCode.FINE;
}

/** `target`: CLUSTER/ADDRESS. `deadline`: as in `30s`. */
export async function runEndpointAction(
  action: 'drain' | 'disable' | 'enable',
  target: string,
  options: AdminTarget & { readonly deadline?: string },
): Promise<ExitCodeValue> {
  const { deadline } = options;
  const slash = target.indexOf('/');
  if (slash <= 0 || slash === target.length - 1) {
    process.stderr.write(`fourseven: "${printable(target)}" is not CLUSTER/ADDRESS, as in api/10.0.0.1:9000\n`);
    return ExitCode.USAGE;
  }
  const [cluster, address] = [target.slice(0, slash), target.slice(slash + 1)].map(encodeURIComponent);
  const query = deadline === undefined ? '' : `?deadline=${encodeURIComponent(deadline)}`;
  const answer = await callAdmin(options, 'POST', `/api/clusters/${cluster}/endpoints/${address}/${action}${query}`);
  if (typeof answer === 'number') return answer;
  if (answer.status !== 200) return complain(complaintOf(answer));
  const state = JSON.parse(answer.text) as EndpointStatus & { readonly endpoints?: readonly EndpointStatus[] };
  for (const { address: key, admin: now, inFlight } of state.endpoints ?? [state]) {
    process.stdout.write(`${key} is ${now}, ${inFlight} in flight\n`);
  }
  return ExitCode.FINE;
}

function complain(what: string): ExitCodeValue {
  process.stderr.write(`fourseven: ${printable(what)}\n`);
  return ExitCode.FAILED;
}
