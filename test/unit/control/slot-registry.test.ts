import { describe, expect, it } from 'vitest';
import { SlotRegistry } from '../../../src/control/slot-registry.ts';

function slotsOf(registry: SlotRegistry, keys: readonly string[]): Record<string, number> {
  return Object.fromEntries(registry.assign(keys)!.slots);
}

describe('slots', () => {
  it('stay with their keys while others come and go', () => {
    const registry = new SlotRegistry(10);
    expect(slotsOf(registry, ['a', 'b', 'c'])).toEqual({ a: 0, b: 1, c: 2 });
    expect(slotsOf(registry, ['c', 'd', 'a'])).toEqual({ a: 0, c: 2, d: 3 });
  });

  it('are told apart: only those with a new owner are new', () => {
    const registry = new SlotRegistry(10);
    expect(registry.assign(['a', 'b'])!.added).toEqual([0, 1]);
    expect(registry.assign(['b', 'c'])!.added).toEqual([2]);
    expect(registry.assign(['b', 'c'])!.added).toEqual([]);
  });

  it('are reused, the longest free first, once there are no unused ones', () => {
    const registry = new SlotRegistry(3);
    registry.assign(['a', 'b', 'c']);
    registry.assign(['a', 'c']);
    registry.assign(['a']);
    expect(slotsOf(registry, ['a', 'd'])).toEqual({ a: 0, d: 1 });
    expect(slotsOf(registry, ['a', 'd', 'e'])).toEqual({ a: 0, d: 1, e: 2 });
  });

  it('are not reused while work of their former owner runs', () => {
    const busy = new Set<number>();
    const registry = new SlotRegistry(2, (slot) => busy.has(slot));
    registry.assign(['a', 'b']);
    registry.assign([]);
    busy.add(0);
    expect(slotsOf(registry, ['c'])).toEqual({ c: 1 });
    expect(registry.assign(['c', 'd'])).toBeUndefined();
    busy.clear();
    expect(slotsOf(registry, ['c', 'd'])).toEqual({ c: 1, d: 0 });
  });

  it('change nothing if there are not enough', () => {
    const registry = new SlotRegistry(2);
    registry.assign(['a', 'b']);
    expect(registry.assign(['b', 'c', 'd'])).toBeUndefined();
    expect(slotsOf(registry, ['a', 'b'])).toEqual({ a: 0, b: 1 });
  });
});
