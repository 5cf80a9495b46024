/**
 * Gives an endpoint that has come back a growing part of its share: its caches are cold and its code is not yet compiled. Linear from RAMP_FLOOR
 * to the whole, over the time that the cluster says. It thins out what the policy would have sent, so that it works under every policy
 * whose choice is free; the hash policies keep to their hash.
 */
import { boardTick } from '../contract/board.ts';
import type { Endpoint } from './endpoint.ts';

/** Part of its share that an endpoint gets as soon as it is back. */
const RAMP_FLOOR = 0.1;

/** Whether an endpoint with `rampStartTick` may have this one: exactly as often as its part says, and evenly. Hot path. */
export function admitsRamping(endpoint: Endpoint, slowStartTicks: number): boolean {
  const passed = (boardTick() - endpoint.rampStartTick) / slowStartTicks;
  if (passed >= 1) {
    endpoint.rampStartTick = 0;
    return true;
  }
  endpoint.rampCredit += Math.max(RAMP_FLOOR, passed);
  if (endpoint.rampCredit < 1) return false;
  endpoint.rampCredit -= 1;
  return true;
}
