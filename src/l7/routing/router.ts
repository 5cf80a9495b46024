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
import { copyAscii } from '../../core/bytes.ts';
import type { IpWords } from '../../core/ip-address.ts';
import { compilePattern, type Pattern } from '../../core/pattern/pattern.ts';
import { finish, type Slices } from '../../core/slices.ts';
import type { RequestHead } from '../h1/request-head.ts';
import { ByteTable, HASH_BASIS, HASH_PRIME, hashBytes } from './byte-table.ts';
import type { Condition } from './condition.ts';
import { ConditionCompiler } from './conditions.ts';
import { ANY_HOST, HostIndex } from './host-index.ts';
import { compareWeights, conditionsWeight, NO_WEIGHT } from './precedence.ts';

export const ROUTE_NONE = -1;

export interface Router {
  /**
   * The index of the route, or ROUTE_NONE. The path is `bytes[pathStart, pathEnd)`: normalised (path.ts), or `*`, which only routes without a
   * path match. All else is in `head`.
   */
  match(bytes: Uint8Array, head: RequestHead, pathStart: number, pathEnd: number, client: Readonly<IpWords>): number;
}

/** Builds the router of a listener, all at once. Results are indexes into `routes`. Allocates, once per plan. */
export function compileRoutes(routes: readonly Pick<RoutePlan, 'match'>[]): Router {
  return finish(compileRoutesInSlices(routes));
}

/** As `compileRoutes`, for threads that have more to do. */
export function* compileRoutesInSlices(routes: readonly Pick<RoutePlan, 'match'>[]): Slices<Router> {
  const hosts = new Map<string, Host>();
  const nodes: Node[] = [];
  for (const candidate of yield* rankedCandidates(routes)) {
    const { match } = routes[candidate.route]!;
    const { kind, path } = placeOf(match.path, candidate.pattern);
    for (const name of match.hosts ?? ANY_HOSTS) {
      const host = hosts.get(name) ?? newHost(hosts.size);
      hosts.set(name, host);
      const node = host.nodes[kind]!.get(path);
      if (node === undefined) {
        const made = { hostId: host.id, kind, path, candidates: [candidate] };
        nodes.push(made);
        host.nodes[kind]!.set(path, made);
      } else if (node.candidates.at(-1) !== candidate) node.candidates.push(candidate);
    }
    yield;
  }
  return yield* buildRouter([...hosts.keys()], nodes);
}

/** By rank. Routes that ask equally much stay in the order of the file. */
function* rankedCandidates(routes: readonly Pick<RoutePlan, 'match'>[]): Slices<readonly Candidate[]> {
  const compiler = new ConditionCompiler();
  const undemanding: Group = { weight: NO_WEIGHT, candidates: [] };
  const groups = new Map([[NO_WEIGHT.join(' '), undemanding]]);
  for (let route = 0; route < routes.length; route++) {
    const { match } = routes[route]!;
    const pattern = match.pathRegex === undefined ? undefined : compilePattern(match.pathRegex);
    const candidate: Candidate = { route, rank: 0, pattern, conditions: compiler.compile(match) };
    const group = isUnconditional(candidate) ? undemanding : groupOf(conditionsWeight(match), groups);
    group.candidates.push(candidate);
    yield;
  }
  const ranked = [...groups.values()].sort((a, b) => compareWeights(a.weight, b.weight)).flatMap((it) => it.candidates);
  for (const [rank, candidate] of ranked.entries()) candidate.rank = rank;
  return ranked;
}

function groupOf(weight: readonly number[], groups: Map<string, Group>): Group {
  const key = weight.join(' ');
  const group = groups.get(key) ?? { weight, candidates: [] };
  groups.set(key, group);
  return group;
}

/** A host pattern, and its nodes by kind and path. */
interface Host {
  readonly id: number;
  readonly nodes: readonly Map<string, Node>[];
}

function newHost(id: number): Host {
  return { id, nodes: [new Map(), new Map(), new Map(), new Map()] };
}

/** Routes that ask equally much. */
interface Group {
  readonly weight: readonly number[];
  readonly candidates: Candidate[];
}

/** A route on a node. */
interface Candidate {
  readonly route: number;
  /** Its place among all routes as far as host and path leave it open. Not changed any more once the router is built. */
  rank: number;
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

const ANY_HOSTS = [ANY_HOST];
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

/** What lookups read, one entry per node. */
interface Nodes {
  readonly hostIds: Int32Array;
  readonly kinds: Uint8Array;
  /** All paths behind one another, so that a comparison touches one block of memory: that of node n ends where n + 1 begins. */
  readonly pathBytes: Uint8Array;
  readonly pathStarts: Int32Array;
  /** The route of a node whose first candidate wins unasked, or ASK. */
  readonly settled: Int32Array;
  readonly candidates: readonly (readonly Candidate[])[];
}

function* buildRouter(hosts: readonly string[], nodes: readonly Node[]): Slices<Router> {
  const table = new ByteTable(nodes.length);
  const pathStarts = new Int32Array(nodes.length + 1);
  const longest = [-1, -1, -1, -1];
  for (let node = 0; node < nodes.length; node++) {
    const { kind, path } = nodes[node]!;
    pathStarts[node + 1] = pathStarts[node]! + path.length;
    longest[kind] = Math.max(longest[kind]!, path.length);
  }
  yield;
  const pathBytes = new Uint8Array(pathStarts[nodes.length]!);
  const settled = new Int32Array(nodes.length);
  for (let node = 0; node < nodes.length; node++) {
    const { hostId, kind, path, candidates } = nodes[node]!;
    const start = pathStarts[node]!;
    copyAscii(path, pathBytes, start);
    table.add(nodeHash(kind === ANY ? 0 : hashBytes(pathBytes, start, start + path.length), hostId, kind), node);
    settled[node] = isUnconditional(candidates[0]!) ? candidates[0]!.route : ASK;
    yield;
  }
  const flat = {
    hostIds: Int32Array.from(nodes, ({ hostId }) => hostId),
    kinds: Uint8Array.from(nodes, ({ kind }) => kind),
    pathBytes,
    pathStarts,
    settled,
    candidates: nodes.map(({ candidates }) => candidates),
  };
  yield;
  return new CompiledRouter(new HostIndex(hosts), table, flat, longest);
}

class CompiledRouter implements Router {
  readonly #hosts: HostIndex;
  readonly #table: ByteTable;
  readonly #hostIds: Int32Array;
  readonly #kinds: Uint8Array;
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

  /** `longest`: by kind, the length of the longest path; -1: there is none. */
  constructor(hosts: HostIndex, table: ByteTable, nodes: Nodes, longest: readonly number[]) {
    this.#hosts = hosts;
    this.#table = table;
    this.#hostIds = nodes.hostIds;
    this.#kinds = nodes.kinds;
    this.#pathBytes = nodes.pathBytes;
    this.#pathStarts = nodes.pathStarts;
    this.#settled = nodes.settled;
    this.#candidates = nodes.candidates;
    this.#hasPatterns = longest[PATTERN]! >= 0;
    this.#exactMaxBytes = longest[EXACT]!;
    this.#prefixMaxBytes = Math.max(longest[PREFIX]!, longest[PATTERN]!);
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
