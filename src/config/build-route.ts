import type { z } from 'zod';
import { ROUTE_TIMEOUT_MS } from './defaults.ts';
import type { FieldMatch, HeaderEdits, HeaderLine, RouteConfig, RouteMatch } from './route-config.ts';
import type { routeSchema } from './schema-route.ts';

type Parsed = z.output<typeof routeSchema>;
type ParsedFields = Readonly<Record<string, string | { regex: string } | { present: true }>>;

/** The one route that `cluster: NAME` of a listener stands for. */
export function catchAllRoute(cluster: string): RouteConfig {
  const action = { kind: 'forward', clusters: [{ cluster, weight: 1 }], timeoutMs: ROUTE_TIMEOUT_MS.usual } as const;
  return { name: 'default', match: {}, action };
}

export function buildRoute(route: Parsed, index: number): RouteConfig {
  return {
    name: route.name ?? `routes[${index}]`,
    match: buildMatch(route.match),
    action: buildAction(route),
    ...(route.responseHeaders && { responseHeaders: buildEdits(route.responseHeaders) }),
  };
}

/** The cross checks have seen to it that there is exactly one. */
function buildAction(route: Parsed): RouteConfig['action'] {
  if (route.redirect !== undefined) return { kind: 'redirect', ...route.redirect };
  if (route.respond !== undefined) return { kind: 'respond', ...route.respond, body: route.respond.body ?? '' };
  const clusters = route.clusters ?? { [route.cluster!]: 1 };
  return {
    kind: 'forward',
    clusters: Object.entries(clusters).map(([cluster, weight]) => ({ cluster, weight })),
    timeoutMs: route.timeout,
    ...(route.rewrite && { rewrite: route.rewrite }),
    ...(route.requestHeaders && { requestHeaders: buildEdits(route.requestHeaders) }),
  };
}

function buildMatch({ hosts, headers, query, cookies, ...rest }: Parsed['match']): RouteMatch {
  return {
    ...rest,
    ...(hosts && { hosts: [...new Set(hosts)] }),
    ...(headers && { headers: buildFields(headers) }),
    ...(query && { query: buildFields(query).map(toBytes) }),
    ...(cookies && { cookies: buildFields(cookies) }),
  };
}

function buildFields(fields: ParsedFields): FieldMatch[] {
  return Object.entries(fields).map(([name, value]) =>
    typeof value === 'string' ? { name, exact: value } : { name, ...value },
  );
}

/** Parameters are compared as the bytes that they decode to, which are UTF-8 (WHATWG URL section 5.1). */
function toBytes(match: FieldMatch): FieldMatch {
  const name = latin1OfUtf8(match.name);
  return 'exact' in match ? { name, exact: latin1OfUtf8(match.exact) } : { ...match, name };
}

function latin1OfUtf8(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function buildEdits({ set = {}, add = {}, remove = [] }: NonNullable<Parsed['requestHeaders']>): HeaderEdits {
  return { set: buildLines(set), add: buildLines(add), remove };
}

function buildLines(lines: Readonly<Record<string, string>>): HeaderLine[] {
  return Object.entries(lines).map(([name, value]) => ({ name, value }));
}
