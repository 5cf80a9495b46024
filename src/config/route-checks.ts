/** Routes of one listener against each other: names used twice, and routes that no request can reach. */
import { error, type Finding, formatPath, type Path, warning } from './problem.ts';
import { quote } from './quote.ts';
import type { RouteSketch } from './sketch.ts';

const EVERY_PATH = '/*';

export function checkRoutes(routes: readonly RouteSketch[]): Finding[] {
  return [...checkNames(routes), ...checkShadows(routes)];
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

/**
 * Precedence is total (host, then path, then order in the file), so that a route is never reached exactly if, for each of its hosts, another
 * one wins with the same host and path. `/*` takes every path (all that is left is `OPTIONS *`), and wins over a route without a path wherever that stands.
 */
function checkShadows(routes: readonly RouteSketch[]): Finding[] {
  const takesEveryPath = new Map<string, Path>();
  for (const { match, path } of routes) {
    if (match?.path !== EVERY_PATH) continue;
    for (const host of match.hosts ?? ['']) if (!takesEveryPath.has(host)) takesEveryPath.set(host, path);
  }
  const taken = new Map<string, Path>();
  const findings: Finding[] = [];
  for (const { match, path } of routes) {
    if (match === undefined) continue;
    const winners = (match.hosts ?? ['']).map((host) => {
      const key = `${host} ${match.path ?? ''}`;
      const winner = taken.get(key) ?? (match.path === undefined ? takesEveryPath.get(host) : undefined);
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
