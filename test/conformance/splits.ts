/** The same bytes, cut in different ways: a verdict must not depend on how a network happens to deliver them. */
import { Random } from '../../src/core/random.ts';

/** All at once, one segment per byte, or at places that the seed chooses. */
export type Split = 'whole' | 'bytes' | number;

const PIECES_MAX = 8;

/** Non-empty pieces which together are `bytes`, each made when it is asked for: of 2 MiB byte by byte, hardly any is ever sent. */
export function* cut(bytes: Buffer, split: Split): Generator<Buffer> {
  if (split === 'whole') {
    yield bytes;
    return;
  }
  if (split === 'bytes') {
    for (let at = 0; at < bytes.length; at++) yield bytes.subarray(at, at + 1);
    return;
  }
  const random = new Random(split);
  const places = new Set([0, bytes.length]);
  for (let count = 1 + random.below(PIECES_MAX - 1); count > 0; count--) places.add(random.below(bytes.length + 1));
  const ordered = [...places].sort((one, other) => one - other);
  for (const [index, end] of ordered.slice(1).entries()) yield bytes.subarray(ordered[index], end);
}

/** What is run besides the whole: byte by byte, and `count` random cuts that follow from `seed` and the name of the case. */
export function splitsOf(name: string, seed: number, count: number): Split[] {
  let hash = seed;
  for (const character of name) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return ['bytes', ...Array.from({ length: count }, (_, index) => (hash + index) >>> 0)];
}

/** Hands out the pieces, each in a turn of its own of the event loop, until there are no more or `isOver`. */
export async function drip(pieces: Iterable<Buffer>, send: (piece: Buffer) => void, isOver: () => boolean) {
  for (const piece of pieces) {
    if (isOver()) return;
    send(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The seed of this run: printed, and set by FOURSEVEN_SEED to see a run again. */
export const SEED = Number(process.env.FOURSEVEN_SEED ?? Math.floor(Math.random() * 0x7fffffff));
