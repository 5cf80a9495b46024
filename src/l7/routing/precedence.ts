import type { RouteMatch } from '../../contract/plan.ts';

/**
 * How much a route asks besides host and path, the most important first. Among routes with the same host and the same kind of path that decides: longer
 * patterns, with methods, more headers and cookies, more query, with sources.
 */
export function conditionsWeight(match: RouteMatch): readonly number[] {
  const { pathRegex = '', methods, headers = [], cookies = [], query = [], sources } = match;
  return [
    pathRegex.length,
    Number(methods !== undefined),
    headers.length + cookies.length,
    query.length,
    Number(sources !== undefined),
  ];
}

/** Of a route that asks for nothing else. */
export const NO_WEIGHT = conditionsWeight({});

/** The heavier first. 0: the order in the file decides. */
export function compareWeights(a: readonly number[], b: readonly number[]): number {
  const index = a.findIndex((value, at) => value !== b[at]);
  return index === -1 ? 0 : b[index]! - a[index]!;
}
