/** What an operator does with endpoints: takes them out of service, for a while or at once, and puts them back. */
import { Admin, type AdminValue, type Board } from '../contract/board.ts';
import type { EndpointPlan, Plan } from '../contract/plan.ts';
import type { EventCounters } from '../observe/event-counters.ts';
import type { EndpointDrains } from './endpoint-drains.ts';
import type { EventLog } from './event-log.ts';

/**
 * `drain`: no new work, but what clients that are bound to it by a cookie bring; `disable`: none at all. Work that runs goes on until the
 * deadline. `enable`: as if nothing had been.
 */
export type EndpointAction = 'drain' | 'disable' | 'enable';

const STATES: Readonly<Record<EndpointAction, AdminValue>> = {
  drain: Admin.DRAINING,
  disable: Admin.DISABLED,
  enable: Admin.ENABLED,
};
const DONE: Readonly<Record<EndpointAction, string>> = {
  drain: 'drains',
  disable: 'is disabled',
  enable: 'is enabled',
};

export class EndpointOperator {
  readonly #board: Pick<Board, 'setAdmin'>;
  readonly #drains: EndpointDrains;
  readonly #log: EventLog;
  readonly #counters: EventCounters | undefined;

  constructor(board: Pick<Board, 'setAdmin'>, drains: EndpointDrains, log: EventLog, counters?: EventCounters) {
    this.#board = board;
    this.#drains = drains;
    this.#log = log;
    this.#counters = counters;
  }

  /**
   * `address`: as in the status, or as in the configuration; a host name means all its addresses. `deadlineMs`: undefined for the cluster's own.
   * Returns the endpoints that were meant: none if there is no such cluster or endpoint.
   */
  act(
    plan: Plan,
    action: EndpointAction,
    clusterName: string,
    address: string,
    deadlineMs: number | undefined,
  ): readonly EndpointPlan[] {
    const cluster = plan.clusters.find(({ name }) => name === clusterName);
    const meant = cluster?.endpoints.filter(({ key, name }) => key === address || name === address) ?? [];
    for (const endpoint of meant) {
      this.#counters?.count('fourseven_endpoint_operations_total', { action });
      this.#board.setAdmin(endpoint.slot, STATES[action]);
      const ms = deadlineMs ?? cluster!.drainMs;
      if (action === 'enable') this.#drains.clear(endpoint);
      else if (ms !== undefined) this.#drains.set(endpoint, ms);
      const until = action === 'enable' || ms === undefined ? '' : `; what is left after ${ms / 1000} s is cut`;
      this.#log.info(`cluster ${clusterName}: ${endpoint.key} ${DONE[action]}${until}`);
    }
    return meant;
  }

  /** A plan has taken the place of another: endpoints that it leaves out finish what they have. */
  planChanged(before: Plan, after: Plan): void {
    const kept = new Set(after.clusters.flatMap(({ endpoints }) => endpoints.map(({ slot, key }) => `${slot} ${key}`)));
    for (const { endpoints, drainMs } of before.clusters) {
      if (drainMs === undefined) continue;
      for (const endpoint of endpoints) {
        if (!kept.has(`${endpoint.slot} ${endpoint.key}`)) this.#drains.setIfNone(endpoint, drainMs);
      }
    }
  }
}
