/** The routes' part of the sketch: what the checks between routes, and between the parts of one, need to know. */
import { readHostPattern } from './host-pattern.ts';
import { readAnyPathPattern } from './path-pattern.ts';
import type { Path } from './problem.ts';
import { asMapping, type Mapping, readIfText } from './sketch-values.ts';

export interface RouteSketch {
  readonly path: Path;
  readonly name: string | undefined;
  /** Names of clusters that it leads to, with their places. */
  readonly clusters: readonly { readonly name: string; readonly path: Path }[];
  /** Whether each of them says that it gets nothing. */
  readonly hasNoShares: boolean;
  /** Which of its keys are there, whatever their values. */
  readonly keys: ReadonlySet<string>;
  /** Keys of `match`, `rewrite` and `redirect` that are there: `match.path`. */
  readonly innerKeys: ReadonlySet<string>;
  /** Readable on its own; whether it fits the listener is still to be asked. */
  readonly matchPath: string | undefined;
  /** Undefined: it cannot be compared with other routes, because something in it is wrong. */
  readonly match: MatchSketch | undefined;
  /** Names that the schema does not see, or cannot judge alone. */
  readonly fieldNames: readonly { readonly name: string; readonly path: Path }[];
}

export interface MatchSketch {
  readonly hosts: readonly string[] | undefined;
  readonly path: string | undefined;
  /** What is asked besides host and path: equal texts ask the same. Empty: nothing. */
  readonly conditions: string;
}

const ASKED_BY_NAME = ['headers', 'query', 'cookies'];

export function sketchRoute(value: unknown, path: Path): RouteSketch {
  const route = asMapping(value) ?? {};
  const match = asMapping(route.match);
  const shares = asMapping(route.clusters) ?? {};
  const weights = Object.values(shares);
  const single = typeof route.cluster === 'string' ? [{ name: route.cluster, path: [...path, 'cluster'] }] : [];
  const inner = ['match', 'rewrite', 'redirect'].flatMap((key) =>
    Object.keys(asMapping(route[key]) ?? {}).map((part) => `${key}.${part}`),
  );
  return {
    path,
    name: typeof route.name === 'string' ? route.name : undefined,
    clusters: [...single, ...Object.keys(shares).map((name) => ({ name, path: [...path, 'clusters', name] }))],
    hasNoShares: route.clusters !== undefined && weights.every((weight) => weight === 0),
    keys: new Set(Object.keys(route).filter((key) => route[key] !== undefined)),
    innerKeys: new Set(inner),
    matchPath: readIfText(readAnyPathPattern, match?.path),
    match: sketchMatch(route.match),
    fieldNames: fieldNames(route, path),
  };
}

function sketchMatch(value: unknown): MatchSketch | undefined {
  const match = value === undefined ? {} : asMapping(value);
  if (match === undefined) return undefined;
  const path = readIfText(readAnyPathPattern, match.path);
  if (path === undefined && match.path !== undefined) return undefined;
  const conditions = conditionsOf(match);
  if (match.hosts === undefined) return { hosts: undefined, path, conditions };
  const hosts = (Array.isArray(match.hosts) ? match.hosts : []).map((host) => readIfText(readHostPattern, host));
  const readable = hosts.filter((host) => host !== undefined);
  return readable.length === 0 || readable.length < hosts.length ? undefined : { hosts: readable, path, conditions };
}

/** Lists and mappings are unordered: they are sorted to be compared. */
function conditionsOf({ hosts: _hosts, path: _path, ...conditions }: Mapping): string {
  const sorted = Object.entries(conditions)
    .filter(([, value]) => value !== undefined)
    .sort(byText)
    .map(([key, value]) => [key, sortedParts(key, value)]);
  return sorted.length === 0 ? '' : JSON.stringify(sorted);
}

function sortedParts(key: string, value: unknown): unknown {
  if (Array.isArray(value)) return [...new Set(value)].sort(byText);
  const mapping = asMapping(value);
  if (mapping === undefined) return value;
  const spell = (name: string) => (key === 'headers' ? name.toLowerCase() : name);
  return Object.entries(mapping)
    .map(([name, part]) => [spell(name), part])
    .sort(byText);
}

function byText(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}

function fieldNames(route: Mapping, path: Path): RouteSketch['fieldNames'] {
  const match = asMapping(route.match) ?? {};
  const matched = ASKED_BY_NAME.map((key) => [match[key], [...path, 'match', key]] as const);
  const edited = ['requestHeaders', 'responseHeaders'].flatMap((key) =>
    ['set', 'add'].map((part) => [asMapping(route[key])?.[part], [...path, key, part]] as const),
  );
  return [...matched, ...edited].flatMap(([value, at]) =>
    Object.keys(asMapping(value) ?? {}).map((name) => ({ name, path: [...at, name] })),
  );
}
