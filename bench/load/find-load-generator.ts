import type { ChildProcesses } from '../child-processes.ts';
import { findAutocannon } from './autocannon.ts';
import type { LoadGenerator } from './load.ts';
import { findWrk } from './wrk.ts';

/** wrk where installed, else autocannon, which comes with the development dependencies. */
export async function findLoadGenerator(children: ChildProcesses): Promise<LoadGenerator> {
  return (await findWrk(children)) ?? findAutocannon(children);
}
