/**
 * Which route a request takes. The order over all routes of a listener is total: host (exact, then the longest wildcard, then none), then
 * path (exact, then the longest prefix, then none), then the place in the file; a request for which a more specific host has
 * no route falls back to less specific ones.
 *
 * Routes hang on nodes, one for each host pattern and path pattern that occur together. A lookup hashes the host from its end and the
 * path from its start, once each, and asks for the node of every pattern that could match, most specific first: its cost
 * depends on the labels and segments that patterns have, not on how many routes there are. Host patterns and nodes come from the
 * configuration alone, so no request can make a chain of collisions longer.
 *
 * Hot path (`match`): no allocation, no strings, no throw.
 */

import type { RoutePlan } from '../../contract/plan.ts';
import { asciiBytes, LOWER_CASE } from '../../core/bytes.ts';

export const ROUTE_NONE = -1;

export interface Router {
  /**
   * The index of the route, or ROUTE_NONE. Host: lower or upper case, without port and trailing dot, or empty (`RequestHead.hostStart`).
   * Path: normalised (../path.ts), or `*`, which only routes without a path match.
   */
  match(bytes: Uint8Array, hostStart: number, hostEnd: number, pathStart: number, pathEnd: number): number;
}

/** Builds the router of a listener. Results are indexes into `routes`. Allocates, once per plan. */
export function compileRoutes(routes: readonly RoutePlan[]): Router {
  const hosts = new Map<string, number>();
  const nodes = new Map<string, Node>();
  routes.forEach((route, index) => {
    for (const host of hostPatterns(route)) {
      const hostId = idOf(hosts, host);
      const { kind, path } = pathPattern(route.match.path);
      const key = `${hostId} ${kind} ${path}`;
      const node = nodes.get(key) ?? { hostId, kind, path, routes: [] };
      node.routes.push(index);
      nodes.set(key, node);
    }
  });
  return new CompiledRouter(hosts, [...nodes.values()]);
}

interface Node {
  readonly hostId: number;
  readonly kind: number;
  readonly path: string;
  /** In the order of the file. The first one wins, as long as routes ask for nothing besides host and path. */
  readonly routes: number[];
}

/** Stands for "no host pattern" among the patterns; no host is spelt so. */
const ANY_HOST = '*';
const NO_HOST = -1;

const PATH_EXACT = 1;
const PATH_PREFIX = 2;
const PATH_ANY = 3;

const DOT = 0x2e;
const SLASH = 0x2f;

/** FNV-1a, 32 bits. */
const HASH_BASIS = 0x811c9dc5 | 0;
const HASH_PRIME = 0x01000193;
/** Spreads host ids and kinds over the hash of a path (2^32 divided by the golden ratio). */
const MIX_FACTOR = 0x9e3779b1 | 0;

function hostPatterns(route: RoutePlan): readonly string[] {
  const hosts = route.match.hosts;
  return hosts === undefined || hosts.length === 0 ? [ANY_HOST] : [...new Set(hosts)];
}

function pathPattern(path: string | undefined): { kind: number; path: string } {
  if (path === undefined) return { kind: PATH_ANY, path: '' };
  return path.endsWith('/*') ? { kind: PATH_PREFIX, path: path.slice(0, -2) } : { kind: PATH_EXACT, path };
}

function idOf(ids: Map<string, number>, key: string): number {
  const id = ids.get(key) ?? ids.size;
  ids.set(key, id);
  return id;
}

function hashForward(hash: number, bytes: Uint8Array): number {
  return bytes.reduce((value, byte) => Math.imul(value ^ byte, HASH_PRIME), hash);
}

function nodeHash(pathHash: number, hostId: number, kind: number): number {
  const mixed = Math.imul(pathHash ^ Math.imul(hostId * 4 + kind, MIX_FACTOR), MIX_FACTOR);
  return mixed ^ (mixed >>> 15);
}

/**
 * Byte strings in an open-addressed table: two words per place, the hash and the entry's number plus one. Half of the places stay
 * empty, so a search ends soon.
 */
class HashTable {
  readonly mask: number;
  readonly places: Int32Array;

  constructor(count: number) {
    this.mask = 2 ** Math.ceil(Math.log2(count * 2 + 2)) - 1;
    this.places = new Int32Array((this.mask + 1) * 2);
  }

  add(hash: number, entry: number): void {
    let place = hash & this.mask;
    while (this.places[place * 2 + 1] !== 0) place = (place + 1) & this.mask;
    this.places[place * 2] = hash;
    this.places[place * 2 + 1] = entry + 1;
  }
}

class CompiledRouter implements Router {
  readonly #hosts: HashTable;
  /** Host patterns by id, written backwards, because a wildcard is compared from its end; `*.a.b` as `b.a.`. */
  readonly #hostTexts: Uint8Array[];
  /** -1, or the id of routes without a host. */
  readonly #anyHost: number;
  readonly #hostMaxBytes: number;

  readonly #nodes: HashTable;
  readonly #nodeHosts: Int32Array;
  readonly #nodeKinds: Uint8Array;
  readonly #nodePaths: Uint8Array[];
  readonly #nodeRoutes: Int32Array;
  readonly #exactMaxBytes: number;
  readonly #prefixMaxBytes: number;

  // Scratch of one lookup: ids of the host patterns that match, most specific last; ends and hashes of the path's prefixes.
  readonly #hostIds: Int32Array;
  readonly #prefixEnds: Int32Array;
  readonly #prefixHashes: Int32Array;
  #hostCount = 0;
  #prefixCount = 0;
  #exactHash = 0;

  constructor(hosts: ReadonlyMap<string, number>, nodes: readonly Node[]) {
    const patterns = [...hosts.keys()];
    this.#anyHost = hosts.get(ANY_HOST) ?? NO_HOST;
    this.#hostTexts = patterns.map((pattern) => asciiBytes(pattern.replace(/^\*/, '').toLowerCase()).reverse());
    this.#hosts = new HashTable(patterns.length);
    this.#hostTexts.forEach((text, id) => {
      if (id !== this.#anyHost) this.#hosts.add(hashForward(HASH_BASIS, text), id);
    });
    this.#hostMaxBytes = this.#hostTexts.reduce((length, text) => Math.max(length, text.length), 0);
    // At most: none, every label's wildcard, exact.
    this.#hostIds = new Int32Array(this.#hostMaxBytes + 2);

    this.#nodePaths = nodes.map((node) => asciiBytes(node.path));
    this.#nodeHosts = Int32Array.from(nodes, (node) => node.hostId);
    this.#nodeKinds = Uint8Array.from(nodes, (node) => node.kind);
    this.#nodeRoutes = Int32Array.from(nodes, (node) => node.routes[0]!);
    this.#nodes = new HashTable(nodes.length);
    nodes.forEach((node, index) => {
      const pathHash = node.kind === PATH_ANY ? 0 : hashForward(HASH_BASIS, this.#nodePaths[index]!);
      this.#nodes.add(nodeHash(pathHash, node.hostId, node.kind), index);
    });
    const longest = (kind: number) =>
      nodes.reduce((length, node) => (node.kind === kind ? Math.max(length, node.path.length) : length), -1);
    this.#exactMaxBytes = longest(PATH_EXACT);
    this.#prefixMaxBytes = longest(PATH_PREFIX);
    this.#prefixEnds = new Int32Array(this.#prefixMaxBytes + 2);
    this.#prefixHashes = new Int32Array(this.#prefixMaxBytes + 2);
  }

  match(bytes: Uint8Array, hostStart: number, hostEnd: number, pathStart: number, pathEnd: number): number {
    this.#findHosts(bytes, hostStart, hostEnd);
    this.#hashPath(bytes, pathStart, pathEnd);
    for (let index = this.#hostCount - 1; index >= 0; index--) {
      const route = this.#matchPath(bytes, this.#hostIds[index]!, pathStart, pathEnd);
      if (route !== ROUTE_NONE) return route;
    }
    return ROUTE_NONE;
  }

  /** Collects the host patterns that match, from none over the shortest wildcard to exact. */
  #findHosts(bytes: Uint8Array, start: number, end: number): void {
    let count = 0;
    if (this.#anyHost !== NO_HOST) this.#hostIds[count++] = this.#anyHost;
    // What is longer than every pattern can still end in a wildcard's.
    const from = Math.max(start, end - this.#hostMaxBytes);
    let hash = HASH_BASIS;
    for (let at = end - 1; at >= from; at--) {
      const byte = LOWER_CASE[bytes[at]!]!;
      hash = Math.imul(hash ^ byte, HASH_PRIME);
      // A wildcard stands for at least one label, so its dot cannot be the first byte.
      if ((at === start) !== (byte === DOT)) {
        const id = this.#hostId(bytes, at, end, hash);
        if (id !== NO_HOST) this.#hostIds[count++] = id;
      }
    }
    this.#hostCount = count;
  }

  #hostId(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const { mask, places } = this.#hosts;
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const entry = places[place * 2 + 1]!;
      if (entry === 0) return NO_HOST;
      if (places[place * 2] !== hash) continue;
      const text = this.#hostTexts[entry - 1]!;
      if (text.length === end - start && endsBackwards(bytes, end, text)) return entry - 1;
    }
  }

  /** Hashes the path at every place where a prefix could end, and as a whole, as far as patterns are long. */
  #hashPath(bytes: Uint8Array, start: number, end: number): void {
    const scanEnd = Math.min(end, start + Math.max(this.#prefixMaxBytes + 1, this.#exactMaxBytes));
    const isPath = start < end && bytes[start] === SLASH;
    let count = 0;
    let hash = HASH_BASIS;
    for (let at = start; at < scanEnd; at++) {
      const byte = bytes[at]!;
      if (byte === SLASH && at - start <= this.#prefixMaxBytes) {
        this.#prefixEnds[count] = at;
        this.#prefixHashes[count++] = hash;
      }
      hash = Math.imul(hash ^ byte, HASH_PRIME);
    }
    if (isPath && scanEnd === end && end - start <= this.#prefixMaxBytes) {
      this.#prefixEnds[count] = end;
      this.#prefixHashes[count++] = hash;
    }
    this.#exactHash = hash;
    this.#prefixCount = isPath ? count : 0;
  }

  #matchPath(bytes: Uint8Array, hostId: number, start: number, end: number): number {
    if (end - start <= this.#exactMaxBytes) {
      const route = this.#firstRoute(bytes, hostId, PATH_EXACT, this.#exactHash, start, end);
      if (route !== ROUTE_NONE) return route;
    }
    for (let index = this.#prefixCount - 1; index >= 0; index--) {
      const prefixEnd = this.#prefixEnds[index]!;
      const route = this.#firstRoute(bytes, hostId, PATH_PREFIX, this.#prefixHashes[index]!, start, prefixEnd);
      if (route !== ROUTE_NONE) return route;
    }
    return this.#firstRoute(bytes, hostId, PATH_ANY, 0, start, start);
  }

  /** The first candidate of a node, or ROUTE_NONE if there is no such node. */
  #firstRoute(bytes: Uint8Array, hostId: number, kind: number, pathHash: number, start: number, end: number): number {
    const { mask, places } = this.#nodes;
    const hash = nodeHash(pathHash, hostId, kind);
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const entry = places[place * 2 + 1]!;
      if (entry === 0) return ROUTE_NONE;
      if (places[place * 2] !== hash) continue;
      const node = entry - 1;
      if (this.#nodeHosts[node] !== hostId || this.#nodeKinds[node] !== kind) continue;
      const path = this.#nodePaths[node]!;
      if (path.length === end - start && startsWith(bytes, start, path)) return this.#nodeRoutes[node]!;
    }
  }
}

function endsBackwards(bytes: Uint8Array, end: number, backwards: Uint8Array): boolean {
  for (let index = 0; index < backwards.length; index++) {
    if (LOWER_CASE[bytes[end - 1 - index]!] !== backwards[index]) return false;
  }
  return true;
}

function startsWith(bytes: Uint8Array, start: number, text: Uint8Array): boolean {
  for (let index = 0; index < text.length; index++) if (bytes[start + index] !== text[index]) return false;
  return true;
}
