/** Where a shard's thread begins: the task that the supervisor runs on its pool. */
import type { MessagePort } from 'node:worker_threads';
import type { FromShard, ShardStart, ToShard } from '../contract/messages.ts';
import { makeCorridor } from './corridor.ts';
import { openEngine } from './open-engine.ts';
import { Shard } from './shard.ts';

/** Runs one shard; resolves when it has closed. `port` carries FromShard and ToShard, and is closed at the end. */
export async function run({ start, port }: { start: ShardStart; port: MessagePort }): Promise<void> {
  const engine = await openEngine(start.engine, start.descriptorsMax);
  const post = (message: FromShard) => port.postMessage(message);
  const shard = new Shard({ engine, start, post, makeCorridor });
  await shard.open();
  port.on('message', (message: ToShard) => shard.receive(message));
  await shard.closed;
  port.close();
}
