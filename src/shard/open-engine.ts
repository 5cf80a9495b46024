import { loadAddon } from '../engine/binding.ts';
import type { Engine } from '../engine/engine.ts';
import { NativeEngine } from '../engine/native-engine.ts';

/** The engine of a shard. The node engine is only loaded where it is used. `native` must have been found to load. */
export async function openEngine(kind: 'native' | 'node', descriptorsMax: number): Promise<Engine> {
  if (kind === 'native') return new NativeEngine({ descriptorsMax });
  const { NodeEngine } = await import('../engine/node-engine.ts');
  const { addon } = loadAddon();
  if (addon === undefined) return new NodeEngine({ descriptorsMax });
  return new NodeEngine({ descriptorsMax, duplicate: (fd) => addon.duplicateDescriptor(fd) });
}
