/** From a path of the configuration to its line in a YAML text, and from an offset in the text to its path. */
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, type LineCounter, type Node, type Pair } from 'yaml';
import type { Path } from './problem.ts';
import type { Locate } from './validate-config.ts';

interface Step {
  /** Of a pair of a mapping; absent in lists. */
  readonly key: unknown;
  readonly value: unknown;
}

/** Finds the line of a path; where its end is missing, that of the nearest thing above it that exists. */
export function locateIn(document: Document, lines: LineCounter): Locate {
  return ({ path, atKey }) => {
    let node: unknown = document.contents;
    let offset = startOf(node) ?? 0;
    for (const [index, part] of path.entries()) {
      const step = stepInto(node, part, document);
      if (step === undefined) break;
      const isWrongValue = index === path.length - 1 && atKey !== true && (isScalar(step.value) || isAlias(step.value));
      offset = (isWrongValue ? startOf(step.value) : undefined) ?? startOf(step.key) ?? startOf(step.value) ?? offset;
      node = step.value;
    }
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
}

function stepInto(container: unknown, part: string | number, document: Document): Step | undefined {
  const node = isAlias(container) ? container.resolve(document) : container;
  if (isSeq(node))
    return typeof part === 'number' && part in node.items ? { key: undefined, value: node.items[part] } : undefined;
  if (!isMap(node)) return undefined;
  // The last one counts, as it does in the value.
  const pair = node.items.findLast((item) => isKey(item, String(part)));
  return pair ?? inMerged(node.items, part, document);
}

/** `<<: *anchor` brings the keys of another mapping in. */
function inMerged(items: readonly Pair[], part: string | number, document: Document): Step | undefined {
  const merged = items.find((item) => isKey(item, '<<'))?.value;
  const sources = isSeq(merged) ? merged.items : [merged];
  for (const source of sources) {
    // One level is enough for a line; a chain of merges gets the line of the mapping.
    const node = isAlias(source) ? source.resolve(document) : source;
    const pair = isMap(node) ? node.items.findLast((item) => isKey(item, String(part))) : undefined;
    if (pair !== undefined) return pair;
  }
  return undefined;
}

function isKey(pair: Pair, key: string): boolean {
  return isScalar(pair.key) && String(pair.key.value) === key;
}

/** The path of the innermost thing around an offset. */
export function pathAt(document: Document, offset: number): Path {
  const path: (string | number)[] = [];
  let node: unknown = document.contents;
  while ((isMap(node) || isSeq(node)) && offset < (node.range?.[1] ?? offset)) {
    const steps: Step[] = isMap(node) ? node.items : node.items.map((value) => ({ key: undefined, value }));
    const index = steps.findLastIndex(
      (step) => (startOf(step.key) ?? startOf(step.value) ?? Number.POSITIVE_INFINITY) <= offset,
    );
    const step = steps[index];
    if (step === undefined) break;
    path.push(isMap(node) ? keyText(step.key) : index);
    node = step.value;
  }
  return path;
}

function keyText(key: unknown): string {
  return isScalar(key) ? String(key.value) : '?';
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? (node as Node).range?.[0] : undefined;
}
