/**
 * A plan on its way to the shards: as text in pieces. A thread that receives an object is busy until all of it is built, a tenth of a second with
 * ten thousand routes; strings cost it nothing, and the pieces are read between its turns.
 */
import type { Slices } from '../core/slices.ts';
import type { ClusterPlan, ListenerPlan, Plan } from './plan.ts';

/** About a third of a millisecond's work for whoever reads it. */
const PIECE_MAX_CHARS = 16_384;

export interface PackedPlan {
  readonly version: number;
  readonly listeners: readonly PackedItem[];
  readonly clusters: readonly PackedItem[];
}

/** An object of which one field is a long list. */
interface PackedItem {
  /** JSON, without the list. */
  readonly head: string;
  /** JSON of the list's parts, in order; undefined: the object has no such list. */
  readonly pieces: readonly string[] | undefined;
}

export function packPlan({ version, listeners, clusters }: Plan): PackedPlan {
  return {
    version,
    listeners: listeners.map((listener) => {
      if (listener.protocol === 'tcp') return { head: JSON.stringify(listener), pieces: undefined };
      const { routes, ...head } = listener;
      return { head: JSON.stringify(head), pieces: packList(routes) };
    }),
    clusters: clusters.map(({ endpoints, ...head }) => ({ head: JSON.stringify(head), pieces: packList(endpoints) })),
  };
}

/** The plan again; what was undefined in it is absent. */
export function* unpackPlan(packed: PackedPlan): Slices<Plan> {
  const listeners: ListenerPlan[] = [];
  for (const item of packed.listeners) listeners.push((yield* unpackItem(item, 'routes')) as ListenerPlan);
  const clusters: ClusterPlan[] = [];
  for (const item of packed.clusters) clusters.push((yield* unpackItem(item, 'endpoints')) as ClusterPlan);
  return { version: packed.version, listeners, clusters };
}

function packList(items: readonly unknown[]): readonly string[] {
  const pieces: string[] = [];
  let piece = '';
  for (const item of items) {
    const text = JSON.stringify(item);
    if (piece !== '' && piece.length + text.length > PIECE_MAX_CHARS) {
      pieces.push(`[${piece}]`);
      piece = '';
    }
    piece += piece === '' ? text : `,${text}`;
  }
  if (piece !== '') pieces.push(`[${piece}]`);
  return pieces;
}

function* unpackItem({ head, pieces }: PackedItem, list: string): Slices<unknown> {
  const item = JSON.parse(head) as object;
  yield;
  if (pieces === undefined) return item;
  const items: unknown[] = [];
  for (const piece of pieces) {
    items.push(...(JSON.parse(piece) as unknown[]));
    yield;
  }
  return { ...item, [list]: items };
}
