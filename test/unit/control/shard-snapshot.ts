import type { ShardSnapshot } from '../../../src/contract/messages.ts';

/** Of a shard that has done nothing yet, but for what is given. */
export function shardSnapshot(index: number, more: Partial<ShardSnapshot> = {}): ShardSnapshot {
  return {
    index,
    connections: 0,
    listeners: [],
    requests: [],
    sessions: [],
    clusters: [],
    endpoints: [],
    latencies: [],
    logDrops: [],
    bytes: { copied: 0, spliced: 0 },
    descriptors: 0,
    acceptPauses: 0,
    ...more,
  };
}
