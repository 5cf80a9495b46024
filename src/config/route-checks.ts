/** What a route says in one place against what it, its listener and its other routes say elsewhere. */
import { type PathOptions, readPathPattern } from './path-pattern.ts';
import { error, type Finding, formatPath, type Path, warning } from './problem.ts';
import { quote } from './quote.ts';
import { isFault } from './reading.ts';
import type { RouteSketch } from './sketch-route.ts';

const EVERY_PATH = '/*';
/** What can become of a request: a route says exactly one. */
const ACTIONS = ['cluster', 'clusters', 'redirect', 'respond'];
/** What only concerns requests that go on to an endpoint. */
const FOR_ENDPOINTS = ['rewrite', 'requestHeaders', 'timeout'];

/** What a listener's routes must fit. */
export interface ListenerOfRoutes {
  readonly routes: readonly RouteSketch[];
  readonly paths: PathOptions;
  readonly keepsUnderscores: boolean;
}

export function checkRoutes(listener: ListenerOfRoutes): Finding[] {
  const { routes } = listener;
  return [...checkNames(routes), ...routes.flatMap((route) => checkRoute(route, listener)), ...checkShadows(routes)];
}

function checkNames(routes: readonly RouteSketch[]): Finding[] {
  const seen = new Map<string, Path>();
  const findings: Finding[] = [];
  for (const { name, path } of routes) {
    if (name === undefined) continue;
    const first = seen.get(name);
    if (first === undefined) seen.set(name, path);
    else
      findings.push(
        error([...path, 'name'], `${quote(name)} is already ${formatPath(first)}`, 'give each route a name of its own'),
      );
  }
  return findings;
}

function checkRoute(route: RouteSketch, listener: ListenerOfRoutes): Finding[] {
  return [
    ...checkAction(route),
    ...checkNewPaths(route),
    ...checkPath(route, listener.paths),
    ...route.fieldNames.flatMap((field) => checkFieldName(field, listener)),
    ...checkFieldsOnce(route),
  ];
}

function checkAction({ path, keys, hasNoShares }: RouteSketch): Finding[] {
  const [action, second] = ACTIONS.filter((key) => keys.has(key));
  if (action === undefined) {
    return [error(path, 'this route leads nowhere', 'add `cluster`, `clusters`, `redirect` or `respond`')];
  }
  if (second !== undefined) {
    return [error([...path, second], `\`${action}\` and \`${second}\` exclude each other`, 'keep one of them')];
  }
  if (hasNoShares) {
    return [error([...path, 'clusters'], 'no cluster has a share', 'write a weight above 0 for at least one')];
  }
  if (action === 'cluster' || action === 'clusters') return [];
  return FOR_ENDPOINTS.filter((key) => keys.has(key)).map((key) =>
    error(
      [...path, key],
      `\`${key}\` is for requests that go to an endpoint, and \`${action}\` answers them`,
      'remove it',
    ),
  );
}

/** What replaces a path replaces what `match.path` names. */
function checkNewPaths({ path, keys, innerKeys, fieldNames }: RouteSketch): Finding[] {
  const findings: Finding[] = [];
  if (innerKeys.has('match.path') && innerKeys.has('match.pathRegex')) {
    findings.push(
      error([...path, 'match', 'pathRegex'], '`path` and `pathRegex` exclude each other', 'keep one of them'),
    );
  }
  for (const key of ['rewrite', 'redirect']) {
    if (!innerKeys.has(`${key}.path`) || !innerKeys.has('match.pathRegex')) continue;
    const cause = 'what a `pathRegex` has found is no prefix, so that nothing can take its place';
    findings.push(error([...path, key, 'path'], cause, 'match with `path`, as in /v1/*'));
  }
  if (keys.has('redirect') && !['scheme', 'host', 'port', 'path'].some((key) => innerKeys.has(`redirect.${key}`))) {
    const remedy = 'add `scheme`, `host`, `port` or `path`';
    findings.push(error([...path, 'redirect'], 'this redirect leads to where the request came', remedy));
  }
  const location = fieldNames.find((field) => keys.has('redirect') && field.name.toLowerCase() === 'location');
  if (location !== undefined) {
    findings.push({
      ...error(location.path, 'the redirect says where to go', 'use its `host` and `path`'),
      atKey: true,
    });
  }
  return findings;
}

/** Which paths can occur depends on the listener. */
function checkPath({ path, matchPath }: RouteSketch, paths: PathOptions): Finding[] {
  const reading = matchPath === undefined ? undefined : readPathPattern(matchPath, paths);
  return reading !== undefined && isFault(reading)
    ? [error([...path, 'match', 'path'], reading.cause, reading.remedy)]
    : [];
}

function checkFieldName(
  { name, path }: RouteSketch['fieldNames'][number],
  { keepsUnderscores }: ListenerOfRoutes,
): Finding[] {
  // Records skip this one key (it would reach the prototype), so that the schema cannot refuse it.
  if (name === '__proto__')
    return [{ ...error(path, '"__proto__" is not a name', 'choose another name'), atKey: true }];
  if (path.at(-2) !== 'headers' || !name.includes('_') || keepsUnderscores) return [];
  const remedy = 'write `underscores: allow` in the listener, if endpoints expect such fields';
  return [
    { ...error(path, `header fields with _ in their name are not passed on, and not matched`, remedy), atKey: true },
  ];
}

/** Names of header fields mean the same in any case. */
function checkFieldsOnce({ fieldNames }: RouteSketch): Finding[] {
  const seen = new Map<string, Path>();
  const findings: Finding[] = [];
  for (const { name, path } of fieldNames) {
    const mapping = path.slice(0, -1);
    if (mapping.at(-1) === 'query' || mapping.at(-1) === 'cookies') continue;
    const key = `${formatPath(mapping)} ${name.toLowerCase()}`;
    const first = seen.get(key);
    if (first === undefined) seen.set(key, path);
    else
      findings.push({ ...error(path, `${quote(name)} is already ${formatPath(first)}`, 'write it once'), atKey: true });
  }
  return findings;
}

/**
 * Precedence is total (host, then path, then conditions, then order in the file), so that a route is never reached if, for each of its hosts,
 * another one wins with the same host, path and conditions. `/*` takes every path (all that is left is `OPTIONS *`), and without
 * conditions it wins over a route without a path wherever that stands.
 */
function checkShadows(routes: readonly RouteSketch[]): Finding[] {
  const takesEveryPath = new Map<string, Path>();
  for (const { match, path } of routes) {
    if (match?.path !== EVERY_PATH || match.conditions !== '') continue;
    for (const host of match.hosts ?? ['']) if (!takesEveryPath.has(host)) takesEveryPath.set(host, path);
  }
  const taken = new Map<string, Path>();
  const findings: Finding[] = [];
  for (const { match, path } of routes) {
    if (match === undefined) continue;
    const isAnyPath = match.path === undefined && !match.conditions.includes('"pathRegex"');
    const winners = (match.hosts ?? ['']).map((host) => {
      const key = `${host} ${match.path ?? ''} ${match.conditions}`;
      const winner = taken.get(key) ?? (isAnyPath ? takesEveryPath.get(host) : undefined);
      if (winner === undefined) taken.set(key, path);
      return winner;
    });
    // A host named twice in one route is taken by the route itself.
    const other = winners.find((winner) => winner !== undefined && winner !== path);
    if (other === undefined || winners.includes(undefined)) continue;
    const cause = `no request can reach this route: ${formatPath(other)} takes the same hosts and path`;
    findings.push(warning(path, cause, 'remove it, or match something else'));
  }
  return findings;
}
