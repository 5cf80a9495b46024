import { mixHash } from '../../src/core/hash.ts';
import { loadAddon } from '../../src/engine/binding.ts';
import { buildMaglevTableHere, hashKeys, MAGLEV_SLOTS } from '../../src/upstream/policy/maglev-table.ts';
import { type Figure, sample } from './measure.ts';

const COUNTS = [10, 100, 1_000];
const BUILDS = 5;
const RUNS = 50_000;
const BATCH = 256;

/** Tables in nanoseconds each (`x` is the number of endpoints), and lookups, in TypeScript and through the addon. */
export function maglev(): Figure[] {
  const { addon } = loadAddon();
  const figures: Figure[] = [];
  const table = new Uint16Array(MAGLEV_SLOTS);
  for (const count of COUNTS) {
    const hashes = hashKeys(Array.from({ length: count }, (_, index) => `10.0.${index >> 8}.${index & 255}:80`).sort());
    const weights = new Uint32Array(count).fill(1);
    const here = sample(BUILDS, () => buildMaglevTableHere(hashes, weights).length);
    figures.push({ name: 'build, TypeScript', x: count, samples: here });
    if (addon === undefined) continue;
    const native = sample(BUILDS, () => addon.maglevBuild(hashes, weights, table) + table.length);
    figures.push({ name: 'build, native', x: count, samples: native });
  }
  figures.push({
    name: 'lookup, TypeScript',
    x: 1,
    samples: sample(RUNS, (index) => table[mixHash(index) % MAGLEV_SLOTS]! + 1),
  });
  if (addon === undefined) return figures;
  const one = sample(RUNS, (index) => addon.maglevLookup(table, mixHash(index)) + 1);
  figures.push({ name: 'lookup, native, one at a time', x: 1, samples: one });
  const hashes = Uint32Array.from({ length: BATCH }, (_, index) => mixHash(index));
  const endpoints = new Uint16Array(BATCH);
  const batch = sample(RUNS / BATCH, () => {
    addon.maglevLookupBatch(table, hashes, endpoints);
    return endpoints[0]! + 1;
  });
  figures.push({ name: `lookup, native, ${BATCH} at a time`, x: BATCH, samples: batch.map((ns) => ns / BATCH) });
  return figures;
}
