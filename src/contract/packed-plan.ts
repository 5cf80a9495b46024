/**
 * A plan on its way to the shards: as text in pieces. A thread that receives an object is busy until all of it is built, a tenth of a second with
 * ten thousand routes; strings cost it nothing, and the pieces are read between its turns. What reads as in the plan before is not read again.
 */
import { hashText } from '../core/hash.ts';
import type { Slices } from '../core/slices.ts';
import type { ClusterPlan, ListenerPlan, Plan } from './plan.ts';

/** Less than a third of a millisecond's work for whoever reads it, and a key that a map hashes whole. */
const PIECE_MAX_CHARS = 8_192;
/** A piece ends with one item of so many. */
const ITEMS_PER_PIECE = 32;

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

function packList(items: readonly unknown[]): readonly string[] {
  const pieces: string[] = [];
  let piece = '';
  const end = () => {
    if (piece !== '') pieces.push(`[${piece}]`);
    piece = '';
  };
  for (const item of items) {
    const text = JSON.stringify(item);
    if (piece.length + text.length > PIECE_MAX_CHARS) end();
    piece += piece === '' ? text : `,${text}`;
    if (endsPiece(text)) end();
  }
  end();
  return pieces;
}

/** By the item alone: one that comes or goes moves the borders beside it, and no others. */
function endsPiece(text: string): boolean {
  return hashText(text, 0) % ITEMS_PER_PIECE === 0;
}

interface ReadItem {
  readonly item: unknown;
  readonly lists: readonly (readonly unknown[])[];
}

/** By text, what it says. */
interface Known {
  readonly lists: Map<string, readonly unknown[]>;
  readonly items: Map<string, ReadItem>;
}

/**
 * Reads one plan after the other. Listeners, routes, clusters and endpoints that are as in the plan before are the same objects, so that it costs
 * no more than a comparison to see that nothing has changed.
 */
export class PlanReader {
  #known: Known = { lists: new Map(), items: new Map() };

  /** The plan again; what was undefined in it is absent. */
  *read(packed: PackedPlan): Slices<Plan> {
    const next: Known = { lists: new Map(), items: new Map() };
    const listeners: ListenerPlan[] = [];
    for (const item of packed.listeners) listeners.push((yield* this.#readItem(item, 'routes', next)) as ListenerPlan);
    const clusters: ClusterPlan[] = [];
    for (const item of packed.clusters) clusters.push((yield* this.#readItem(item, 'endpoints', next)) as ClusterPlan);
    this.#known = next;
    return { version: packed.version, listeners, clusters };
  }

  *#readItem({ head, pieces }: PackedItem, list: string, next: Known): Slices<unknown> {
    const lists: (readonly unknown[])[] = [];
    for (const piece of pieces ?? []) {
      const items = this.#known.lists.get(piece) ?? (JSON.parse(piece) as readonly unknown[]);
      next.lists.set(piece, items);
      lists.push(items);
      yield;
    }
    const known = this.#known.items.get(head);
    const isKnown = known !== undefined && hasSameItems(known.lists, lists);
    const item = isKnown ? known.item : JSON.parse(head);
    if (!isKnown && pieces !== undefined) item[list] = lists.flat();
    next.items.set(head, { item, lists });
    yield;
    return item;
  }
}

function hasSameItems(lists: readonly unknown[], others: readonly unknown[]): boolean {
  return lists.length === others.length && lists.every((list, index) => list === others[index]);
}
