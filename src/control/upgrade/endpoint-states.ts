/** What is known of endpoints and what an operator has said about them outlives the process. */
import { Admin, type AdminValue, type Board, Health, type HealthValue } from '../../contract/board.ts';
import type { Plan } from '../../contract/plan.ts';
import { formatAddress, type SocketAddress } from '../../core/address.ts';
import type { InheritedEndpoint } from './handover.ts';

/** Those that are not as they would be after a start. */
export function inheritedEndpoints(plan: Plan, board: Pick<Board, 'admin' | 'health'>): readonly InheritedEndpoint[] {
  return plan.clusters.flatMap(({ name: cluster, endpoints }) =>
    endpoints.flatMap(({ slot, key: address }) => {
      const [admin, health] = [board.admin(slot), board.health(slot)];
      if (admin === Admin.ENABLED && health === Health.UNKNOWN) return [];
      return [{ cluster, address, admin, health }];
    }),
  );
}

/** Before any shard has begun. Health is taken over where it is still checked: otherwise nobody would ever say otherwise. */
export function restoreEndpoints(
  plan: Plan,
  board: Pick<Board, 'setAdmin' | 'setHealth'>,
  inherited: readonly InheritedEndpoint[],
): void {
  const states = new Map(inherited.map((state) => [`${state.cluster} ${state.address}`, state]));
  for (const { name, endpoints, healthCheck } of plan.clusters) {
    for (const { slot, key } of endpoints) {
      const state = states.get(`${name} ${key}`);
      if (state === undefined) continue;
      if (isOneOf(Admin, state.admin)) board.setAdmin(slot, state.admin as AdminValue);
      if (healthCheck !== undefined && isOneOf(Health, state.health))
        board.setHealth(slot, state.health as HealthValue);
    }
  }
}

function isOneOf(values: Readonly<Record<string, number>>, value: number): boolean {
  return Object.values(values).includes(value);
}

/** Whether a configured address is the one that is bound: any free port is any port. */
export function isSameAddress(configured: SocketAddress, bound: string | undefined): boolean {
  const text = formatAddress(configured);
  if (bound === undefined) return false;
  if (configured.family === 'unix' || configured.port !== 0) return text === bound;
  return text.slice(0, text.lastIndexOf(':')) === bound.slice(0, bound.lastIndexOf(':'));
}
