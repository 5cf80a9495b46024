/**
 * Which route a request takes. The order over all routes of a listener is total: host (exact, then the longest wildcard, then none), then
 * path (exact, then patterns, the longer first, then the longest prefix, then none), then the rest (precedence.ts), then the place in the
 * file. The first that matches wins, so that a request falls back to less specific hosts and paths.
 *
 * Routes hang on nodes, one for each host pattern and path that occur together; a pattern hangs where the whole segments end that all it
 * matches begin with. A lookup hashes the host from its end and the path from its start, once each, and asks for the node of everything
 * that could match, most specific first: its cost depends on the labels and segments of the request, not on how many routes there are.
 *
 * Hot path (`match`): no allocation, no strings, no throw.
 */
import type { RoutePlan } from '../../contract/plan.ts';
import { asciiBytes } from '../../core/bytes.ts';
import type { IpWords } from '../../core/ip-address.ts';
import { compilePattern, type Pattern } from '../../core/pattern/pattern.ts';
import type { RequestHead } from '../h1/request-head.ts';
import { ByteTable, HASH_BASIS, HASH_PRIME, hashBytes } from './byte-table.ts';
import type { Condition } from './condition.ts';
import { ConditionCompiler } from './conditions.ts';
import { ANY_HOST, HostIndex } from './host-index.ts';
import { compareConditions } from './precedence.ts';

export const ROUTE_NONE = -1;

export interface Router {
  /**
   * The index of the route, or ROUTE_NONE. The path is `bytes[pathStart, pathEnd)`: normalised (path.ts), or `*`, which only routes without a
   * path match. All else is in `head`.
   */
  match(bytes: Uint8Array, head: RequestHead, pathStart: number, pathEnd: number, client: Readonly<IpWords>): number;
}

/** Builds the router of a listener. Results are indexes into `routes`. Allocates, once per plan. */
export function compileRoutes(routes: readonly Pick<RoutePlan, 'match'>[]): Router {
  const compiler = new ConditionCompiler();
  const candidates = routes.map(({ match }, route) => {
    const pattern = match.pathRegex === undefined ? undefined : compilePattern(match.pathRegex);
    return { route, rank: 0, pattern, conditions: compiler.compile(match) };
  });
  const order = (a: Candidate, b: Candidate) => compareConditions(routes[a.route]!.match, routes[b.route]!.match);
  // The sort is stable: what is equal stays in the order of the file.
  const ranked = [...candidates].sort(order).map((candidate, rank) => ({ ...candidate, rank }));

  const hosts = new Map<string, number>();
  const nodes = new Map<string, Node>();
  for (const candidate of ranked) {
    const { match } = routes[candidate.route]!;
    const { kind, path } = placeOf(match.path, candidate.pattern);
    for (const host of new Set(match.hosts ?? [ANY_HOST])) {
      const hostId = hosts.get(host) ?? hosts.size;
      hosts.set(host, hostId);
      const key = `${hostId} ${kind} ${path}`;
      const node = nodes.get(key) ?? { hostId, kind, path, candidates: [] };
      node.candidates.push(candidate);
      nodes.set(key, node);
    }
  }
  return new CompiledRouter(new HostIndex([...hosts.keys()]), [...nodes.values()]);
}

/** A route on a node. */
interface Candidate {
  readonly route: number;
  /** Its place among all routes as far as host and path leave it open. */
  readonly rank: number;
  readonly pattern: Pattern | undefined;
  readonly conditions: readonly Condition[];
}

interface Node {
  readonly hostId: number;
  readonly kind: number;
  readonly path: string;
  /** By rank. */
  readonly candidates: Candidate[];
}

const EXACT = 0;
const PATTERN = 1;
const PREFIX = 2;
const ANY = 3;

const SLASH = 0x2f;
/** Of a node whose first candidate wins unasked: its route. Of any other: this. */
const ASK = -1;
const NODE_NONE = -1;
const RANK_NONE = 0x7fffffff;
/** Spreads host ids and kinds over the hash of a path (2^32 divided by the golden ratio). */
const MIX_FACTOR = 0x9e3779b1 | 0;

function placeOf(path: string | undefined, pattern: Pattern | undefined): Pick<Node, 'kind' | 'path'> {
  if (pattern !== undefined) {
    const { literalPrefix } = pattern;
    return { kind: PATTERN, path: literalPrefix.slice(0, Math.max(0, literalPrefix.lastIndexOf('/'))) };
  }
  if (path === undefined) return { kind: ANY, path: '' };
  return path.endsWith('/*') ? { kind: PREFIX, path: path.slice(0, -2) } : { kind: EXACT, path };
}

function nodeHash(pathHash: number, hostId: number, kind: number): number {
  const mixed = Math.imul(pathHash ^ Math.imul(hostId * 4 + kind, MIX_FACTOR), MIX_FACTOR);
  return mixed ^ (mixed >>> 15);
}

class CompiledRouter implements Router {
  readonly #hosts: HostIndex;
  readonly #table: ByteTable;
  readonly #hostIds: Int32Array;
  readonly #kinds: Uint8Array;
  /** All paths behind one another, so that a comparison touches one block of memory: that of node n ends where n + 1 begins. */
  readonly #pathBytes: Uint8Array;
  readonly #pathStarts: Int32Array;
  readonly #settled: Int32Array;
  readonly #candidates: readonly (readonly Candidate[])[];
  readonly #hasPatterns: boolean;
  readonly #exactMaxBytes: number;
  /** Of prefixes, and of what patterns begin with. */
  readonly #prefixMaxBytes: number;

  // Scratch of one lookup: ends and hashes of the path's prefixes, the shortest first.
  readonly #prefixEnds: Int32Array;
  readonly #prefixHashes: Int32Array;
  #prefixCount = 0;
  #exactHash = 0;

  constructor(hosts: HostIndex, nodes: readonly Node[]) {
    this.#hosts = hosts;
    this.#pathBytes = asciiBytes(nodes.map(({ path }) => path).join(''));
    this.#pathStarts = new Int32Array(nodes.length + 1);
    nodes.forEach(({ path }, node) => {
      this.#pathStarts[node + 1] = this.#pathStarts[node]! + path.length;
    });
    this.#hostIds = Int32Array.from(nodes, ({ hostId }) => hostId);
    this.#kinds = Uint8Array.from(nodes, ({ kind }) => kind);
    this.#candidates = nodes.map(({ candidates }) => candidates);
    this.#settled = Int32Array.from(nodes, ({ candidates: [first] }) => (isUnconditional(first!) ? first!.route : ASK));
    this.#hasPatterns = nodes.some(({ kind }) => kind === PATTERN);
    this.#table = new ByteTable(nodes.length);
    nodes.forEach(({ hostId, kind, path }, node) => {
      this.#table.add(nodeHash(kind === ANY ? 0 : hashBytes(asciiBytes(path)), hostId, kind), node);
    });
    const longest = (...kinds: readonly number[]) =>
      nodes.reduce((length, node) => (kinds.includes(node.kind) ? Math.max(length, node.path.length) : length), -1);
    this.#exactMaxBytes = longest(EXACT);
    this.#prefixMaxBytes = longest(PREFIX, PATTERN);
    this.#prefixEnds = new Int32Array(this.#prefixMaxBytes + 2);
    this.#prefixHashes = new Int32Array(this.#prefixMaxBytes + 2);
  }

  match(bytes: Uint8Array, head: RequestHead, pathStart: number, pathEnd: number, client: Readonly<IpWords>): number {
    this.#hosts.find(bytes, head.hostStart, head.hostEnd);
    this.#hashPath(bytes, pathStart, pathEnd);
    const { found } = this.#hosts;
    for (let index = this.#hosts.count - 1; index >= 0; index--) {
      const route = this.#matchPath(bytes, found[index]!, head, pathStart, pathEnd, client);
      if (route !== ROUTE_NONE) return route;
    }
    return ROUTE_NONE;
  }

  /** Hashes the path at every place where a prefix could end, and as a whole, as far as nodes reach. */
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

  #matchPath(
    bytes: Uint8Array,
    hostId: number,
    head: RequestHead,
    start: number,
    end: number,
    client: Readonly<IpWords>,
  ): number {
    if (end - start <= this.#exactMaxBytes) {
      const node = this.#find(bytes, hostId, EXACT, this.#exactHash, start, end);
      const route = this.#ask(node, bytes, head, client);
      if (route !== ROUTE_NONE) return route;
    }
    if (this.#hasPatterns) {
      const route = this.#matchPatterns(bytes, hostId, head, start, end, client);
      if (route !== ROUTE_NONE) return route;
    }
    for (let index = this.#prefixCount - 1; index >= 0; index--) {
      const node = this.#find(bytes, hostId, PREFIX, this.#prefixHashes[index]!, start, this.#prefixEnds[index]!);
      const route = this.#ask(node, bytes, head, client);
      if (route !== ROUTE_NONE) return route;
    }
    return this.#ask(this.#find(bytes, hostId, ANY, 0, start, start), bytes, head, client);
  }

  /** Patterns are ordered by their own length, wherever they hang: the best of all nodes that the path leads over. */
  #matchPatterns(
    bytes: Uint8Array,
    hostId: number,
    head: RequestHead,
    start: number,
    end: number,
    client: Readonly<IpWords>,
  ): number {
    let bestRank = RANK_NONE;
    let route = ROUTE_NONE;
    for (let index = 0; index < this.#prefixCount; index++) {
      const node = this.#find(bytes, hostId, PATTERN, this.#prefixHashes[index]!, start, this.#prefixEnds[index]!);
      if (node === NODE_NONE) continue;
      for (const candidate of this.#candidates[node]!) {
        if (candidate.rank >= bestRank) break;
        if (!candidate.pattern!.matches(bytes, start, end) || !meets(candidate, bytes, head, client)) continue;
        bestRank = candidate.rank;
        route = candidate.route;
      }
    }
    return route;
  }

  /** The first route of the node that the request meets the conditions of. */
  #ask(node: number, bytes: Uint8Array, head: RequestHead, client: Readonly<IpWords>): number {
    if (node === NODE_NONE) return ROUTE_NONE;
    const settled = this.#settled[node]!;
    if (settled !== ASK) return settled;
    for (const candidate of this.#candidates[node]!) {
      if (meets(candidate, bytes, head, client)) return candidate.route;
    }
    return ROUTE_NONE;
  }

  #find(bytes: Uint8Array, hostId: number, kind: number, pathHash: number, start: number, end: number): number {
    const { mask, places } = this.#table;
    const hash = nodeHash(pathHash, hostId, kind);
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const entry = places[place * 2 + 1]!;
      if (entry === 0) return NODE_NONE;
      if (places[place * 2] !== hash) continue;
      const node = entry - 1;
      if (this.#hostIds[node] !== hostId || this.#kinds[node] !== kind) continue;
      if (this.#isPath(node, bytes, start, end)) return node;
    }
  }

  #isPath(node: number, bytes: Uint8Array, start: number, end: number): boolean {
    const path = this.#pathBytes;
    const from = this.#pathStarts[node]!;
    if (this.#pathStarts[node + 1]! - from !== end - start) return false;
    for (let at = start, index = from; at < end; at++, index++) if (bytes[at] !== path[index]) return false;
    return true;
  }
}

function isUnconditional({ pattern, conditions }: Candidate): boolean {
  return pattern === undefined && conditions.length === 0;
}

function meets({ conditions }: Candidate, bytes: Uint8Array, head: RequestHead, client: Readonly<IpWords>): boolean {
  for (const condition of conditions) if (!condition.matches(bytes, head, client)) return false;
  return true;
}
