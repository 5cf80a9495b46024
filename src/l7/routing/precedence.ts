import type { RouteMatch } from '../../contract/plan.ts';

/**
 * The order among routes with the same host and the same kind of path: longer patterns, with methods, more headers and cookies, more query, with
 * sources. Below 0: `a` comes first; 0: the order in the file decides.
 */
export function compareConditions(a: RouteMatch, b: RouteMatch): number {
  return (
    (b.pathRegex?.length ?? 0) - (a.pathRegex?.length ?? 0) ||
    Number(b.methods !== undefined) - Number(a.methods !== undefined) ||
    fieldCount(b) - fieldCount(a) ||
    (b.query?.length ?? 0) - (a.query?.length ?? 0) ||
    Number(b.sources !== undefined) - Number(a.sources !== undefined)
  );
}

function fieldCount({ headers = [], cookies = [] }: RouteMatch): number {
  return headers.length + cookies.length;
}
