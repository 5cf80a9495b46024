/**
 * From the tree of a pattern to a table: a nondeterministic automaton (Thompson 1968), then a deterministic one by subsets. What would
 * become too large is refused, so that what is accepted costs one table load per byte, whatever the bytes are.
 */
import type { Expression } from './parse-pattern.ts';

/** A deterministic automaton over bytes. A state is the offset of its row in `table`. */
export interface Automaton {
  /** Column of each byte: bytes that no part of the pattern tells apart share one. */
  readonly columns: Uint8Array;
  /** The next state, by state plus column. The first two rows are never left: nothing can match any more, and it has matched. */
  readonly table: Uint32Array;
  /** By state divided by the number of columns: 1 if the pattern matches where the text ends here. */
  readonly acceptsAtEnd: Uint8Array;
  readonly start: number;
  readonly columnCount: number;
}

const NODES_MAX = 4_096;
const STATES_MAX = 2_048;
/** Nodes that are looked at while states are made. A typical pattern needs some thousands. */
const STEPS_MAX = 4_000_000;
const BYTES = 256;

const BYTE = 0;
const SPLIT = 1;
const START = 2;
const END = 3;
const MATCH = 4;

class TooLarge extends Error {}

/** The automaton that finds the pattern anywhere in a text, or undefined if it would be too large. */
export function makeAutomaton(expression: Expression): Automaton | undefined {
  try {
    const graph = new Graph();
    const first = graph.add(expression, graph.node(MATCH));
    return new Determinizer(graph, first).run();
  } catch (thrown) {
    if (thrown instanceof TooLarge) return undefined;
    throw thrown;
  }
}

/** The nondeterministic automaton: nodes by number, with up to two ways on. */
class Graph {
  readonly kinds: number[] = [];
  readonly next: number[] = [];
  readonly other: number[] = [];
  readonly sets: (Uint8Array | undefined)[] = [];

  node(kind: number, next = -1, other = -1, set?: Uint8Array): number {
    if (this.kinds.length === NODES_MAX) throw new TooLarge();
    this.next.push(next);
    this.other.push(other);
    this.sets.push(set);
    return this.kinds.push(kind) - 1;
  }

  /** Adds the expression in front of `next` and returns where it begins. */
  add(expression: Expression, next: number): number {
    switch (expression.kind) {
      case 'byte':
        return this.node(BYTE, next, -1, expression.set);
      case 'start':
        return this.node(START, next);
      case 'end':
        return this.node(END, next);
      case 'sequence':
        return expression.parts.reduceRight((behind, part) => this.add(part, behind), next);
      case 'choice':
        return expression.options
          .map((option) => this.add(option, next))
          .reduceRight((behind, option) => this.node(SPLIT, option, behind));
      case 'repeat':
        return this.#repeat(expression, next);
    }
  }

  #repeat({ part, min, max }: Extract<Expression, { kind: 'repeat' }>, next: number): number {
    let begin = next;
    if (max === Number.POSITIVE_INFINITY) {
      begin = this.node(SPLIT, -1, next);
      this.next[begin] = this.add(part, begin);
    } else {
      // Each one that is left out leaves out those behind it: a?a?a? as (a(a(a)?)?)?.
      for (let count = min; count < max; count++) begin = this.node(SPLIT, this.add(part, begin), next);
    }
    for (let count = 0; count < min; count++) begin = this.add(part, begin);
    return begin;
  }
}

/** Makes a state of each set of nodes that a text can lead to at once. */
class Determinizer {
  readonly #graph: Graph;
  readonly #first: number;
  readonly #columns: Uint8Array;
  /** A byte of each column. */
  readonly #samples: number[];
  readonly #members: (readonly number[])[] = [];
  readonly #acceptsAtEnd: number[] = [];
  readonly #byKey = new Map<string, number>();
  /** When each node was last seen, by number of the walk. */
  readonly #seen: Int32Array;
  #walk = 0;
  #steps = 0;

  constructor(graph: Graph, first: number) {
    this.#graph = graph;
    this.#first = first;
    this.#seen = new Int32Array(graph.kinds.length);
    const { columns, samples } = columnsOf(new Set(graph.sets.filter((set) => set !== undefined)));
    this.#columns = columns;
    this.#samples = samples;
  }

  run(): Automaton {
    const columnCount = this.#samples.length;
    const start = this.#stateOf(this.#reach([this.#first], true), true);
    // Row 0 leads to itself, and so does row 1.
    const cells = [...Array<number>(columnCount).fill(0), ...Array<number>(columnCount).fill(columnCount)];
    for (let state = 2; state < this.#members.length + 2; state++) {
      for (const byte of this.#samples) cells.push(this.#after(this.#members[state - 2]!, byte) * columnCount);
    }
    const table = Uint32Array.from(cells);
    const acceptsAtEnd = Uint8Array.from([0, 1, ...this.#acceptsAtEnd]);
    return { columns: this.#columns, table, acceptsAtEnd, start: start * columnCount, columnCount };
  }

  #after(members: readonly number[], byte: number): number {
    const { kinds, sets, next } = this.#graph;
    const targets = members
      .filter((node) => kinds[node] === BYTE && sets[node]![byte] === 1)
      .map((node) => next[node]!);
    this.#count(members.length);
    // A match may also begin here.
    return this.#stateOf(this.#reach([...targets, this.#first], false), false);
  }

  /** The number of the state that these nodes are, made if need be. */
  #stateOf(nodes: readonly number[] | undefined, isStart: boolean): number {
    if (nodes === undefined) return 1;
    if (nodes.length === 0) return 0;
    const sorted = [...nodes].sort((a, b) => a - b);
    const key = `${isStart ? '^' : ''}${sorted.join(' ')}`;
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    if (this.#members.length === STATES_MAX) throw new TooLarge();
    const state = this.#members.push(sorted) + 1;
    this.#byKey.set(key, state);
    this.#acceptsAtEnd.push(this.#matchesAtEnd(sorted, isStart) ? 1 : 0);
    return state;
  }

  /** The nodes that wait for a byte or the end, from `from` on without reading; undefined if the pattern has matched. */
  #reach(from: readonly number[], isStart: boolean): readonly number[] | undefined {
    const waiting: number[] = [];
    const isMatch = this.#visit(from, isStart, false, waiting);
    return isMatch ? undefined : waiting;
  }

  #matchesAtEnd(nodes: readonly number[], isStart: boolean): boolean {
    return this.#visit(nodes, isStart, true, []);
  }

  /** Walks on without reading a byte. Returns whether that leads to a match. */
  #visit(from: readonly number[], isStart: boolean, isEnd: boolean, waiting: number[]): boolean {
    const { kinds, next, other } = this.#graph;
    const stack = [...from];
    const walk = ++this.#walk;
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (this.#seen[node] === walk) continue;
      this.#seen[node] = walk;
      this.#count(1);
      const kind = kinds[node];
      if (kind === MATCH) return true;
      if (kind === SPLIT) stack.push(next[node]!, other[node]!);
      else if ((kind === START && isStart) || (kind === END && isEnd)) stack.push(next[node]!);
      else if (kind === BYTE || kind === END) waiting.push(node);
    }
    return false;
  }

  #count(steps: number): void {
    this.#steps += steps;
    if (this.#steps > STEPS_MAX) throw new TooLarge();
  }
}

/** Bytes that are in the same sets share a column. Begins with one for all, and splits them set by set. */
function columnsOf(sets: Iterable<Uint8Array>): { columns: Uint8Array; samples: number[] } {
  const columns = new Uint8Array(BYTES);
  let count = 1;
  for (const set of sets) {
    // By former column: the number of the one for bytes that are in the set, and for those that are not.
    const inside = new Int16Array(count).fill(-1);
    const outside = new Int16Array(count).fill(-1);
    let next = 0;
    for (let byte = 0; byte < BYTES; byte++) {
      const half = set[byte] === 1 ? inside : outside;
      const former = columns[byte]!;
      if (half[former] === -1) half[former] = next++;
      columns[byte] = half[former]!;
    }
    count = next;
  }
  const samples = Array<number>(count).fill(0);
  for (let byte = 0; byte < BYTES; byte++) samples[columns[byte]!] = byte;
  return { columns, samples };
}
