/** What one active check does: a fresh connection, one question, one verdict. */
import type { Socket } from 'node:net';
import type { EndpointPlan } from '../../contract/plan.ts';

/** Undefined: the check has passed; otherwise why it has not, for people. */
export type Verdict = string | undefined;

/** Begins a check and returns how to end it, which is called once in any case. `settle` may be called more than once; only the first call counts. */
export type Probe = (target: ProbeTarget, settle: (verdict: Verdict) => void) => () => void;

/** Whom a check asks. */
export type ProbeTarget = Pick<EndpointPlan, 'address' | 'serverName'>;

/**
 * Begins to connect. What a check writes before the connection is made follows what is written here. `protocols`: what is offered where TLS is
 * spoken.
 */
export type OpenConnection = (target: ProbeTarget, protocols: readonly string[]) => Socket;

/** Why a connection failed, in few words. */
export function faultOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'the connection was refused';
  if (code === 'ECONNRESET') return 'the connection was reset';
  return code === undefined ? error.message : `${error.message} (${code})`;
}
