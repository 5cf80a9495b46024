/**
 * The table of Maglev hashing (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, section 3.4): each
 * slot names an endpoint, a hash names a slot. Endpoints take turns to claim the next free slot of their own permutation, so that each gets
 * its share to the slot, and few slots change hands when one comes or goes.
 *
 * Built by the addon (native/maglev.cc), or here where there is none: both give the identical table. Same endpoints and weights, same table,
 * in every shard, process and machine.
 */
import { hashText } from '../../core/hash.ts';
import { invariant } from '../../core/invariant.ts';
import { loadAddon } from '../../engine/binding.ts';

/** A prime (so that every skip visits every slot), about 100 times the endpoints of a large cluster. */
export const MAGLEV_SLOTS = 65_537;
/** Marks a free slot while building: no endpoint has this index. */
const FREE = 0xffff;
const OFFSET_SEED = 0x6f666673;
const SKIP_SEED = 0x736b6970;

/**
 * Table of indexes into `keys`. `keys` must be sorted and without duplicates (1 to 65,535 of them); `weights` (1 to 1000) in the same order.
 * A heavier endpoint takes more turns: with w the weights, endpoint i gets w[i] / sum(w) of the slots, give or take one, and at least one.
 */
export function buildMaglevTable(keys: readonly string[], weights: Uint32Array): Uint16Array {
  const keyHashes = hashKeys(keys);
  const { addon } = loadAddon();
  if (addon === undefined) return buildMaglevTableHere(keyHashes, weights);
  const table = new Uint16Array(MAGLEV_SLOTS);
  const status = addon.maglevBuild(keyHashes, weights, table);
  invariant(status === 0, `maglevBuild returned ${status}`);
  return table;
}

/** Two independent hashes per key: they choose where its permutation starts and how far it skips. */
export function hashKeys(keys: readonly string[]): Uint32Array {
  const hashes = new Uint32Array(keys.length * 2);
  for (let i = 0; i < keys.length; i++) {
    hashes[2 * i] = hashText(keys[i]!, OFFSET_SEED);
    hashes[2 * i + 1] = hashText(keys[i]!, SKIP_SEED);
  }
  return hashes;
}

/** The build in TypeScript. The twin of `MaglevBuild` in native/maglev.cc: change both or neither. */
export function buildMaglevTableHere(keyHashes: Uint32Array, weights: Uint32Array): Uint16Array {
  const count = weights.length;
  invariant(count > 0 && count < FREE && keyHashes.length === 2 * count, 'wrong number of keys or weights');
  const table = new Uint16Array(MAGLEV_SLOTS).fill(FREE);
  const positions = new Uint32Array(count);
  const skips = new Uint32Array(count);
  const credits = new Uint32Array(count);
  let heaviest = 0;
  for (let i = 0; i < count; i++) heaviest = Math.max(heaviest, weights[i]!);
  for (let i = 0; i < count; i++) {
    positions[i] = keyHashes[2 * i]! % MAGLEV_SLOTS;
    skips[i] = 1 + (keyHashes[2 * i + 1]! % (MAGLEV_SLOTS - 1));
    // All claim in the first round: even the lightest endpoint gets a slot.
    credits[i] = heaviest - weights[i]!;
  }
  for (let taken = 0; ; ) {
    for (let i = 0; i < count; i++) {
      credits[i]! += weights[i]!;
      if (credits[i]! < heaviest) continue;
      credits[i]! -= heaviest;
      let position = positions[i]!;
      while (table[position] !== FREE) position = (position + skips[i]!) % MAGLEV_SLOTS;
      table[position] = i;
      positions[i] = position;
      if (++taken === MAGLEV_SLOTS) return table;
    }
  }
}
