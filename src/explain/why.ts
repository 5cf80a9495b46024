/**
 * Why a route takes a request, or does not. There is no second implementation of matching here: a router is compiled with one part of the match at a
 * time, and asked.
 */
import type { FieldMatch, RouteMatch } from '../contract/plan.ts';
import { formatCidr } from '../core/cidr.ts';
import { compileRoutes, ROUTE_NONE, type Router } from '../l7/routing/router.ts';

/** Asks a router about the request in question. */
export type Ask = (router: Router) => number;

interface Part {
  readonly match: RouteMatch;
  /** If this part does not fit. */
  readonly objection: string;
}

/** The first part of the match that does not fit, in words; undefined if all do. */
export function objectionTo(match: RouteMatch, ask: Ask): string | undefined {
  return partsOf(match).find((part) => !fits(part.match, ask))?.objection;
}

function fits(match: RouteMatch, ask: Ask): boolean {
  return ask(compileRoutes([{ match }])) !== ROUTE_NONE;
}

function partsOf(match: RouteMatch): Part[] {
  const { hosts, path, pathRegex, methods, sources } = match;
  const parts: Part[] = [];
  if (hosts) parts.push({ match: { hosts }, objection: `the host is not ${orList(hosts)}` });
  if (path) parts.push({ match: { path }, objection: objectionToPath(path) });
  if (pathRegex) parts.push({ match: { pathRegex }, objection: `the path does not match ${pathRegex}` });
  if (methods) parts.push({ match: { methods }, objection: `the method is not ${orList(methods)}` });
  if (sources) parts.push({ match: { sources }, objection: `the client is not in ${orList(sources.map(formatCidr))}` });
  return [
    ...parts,
    ...fieldParts(match.headers, 'header', (headers) => ({ headers })),
    ...fieldParts(match.cookies, 'cookie', (cookies) => ({ cookies })),
    ...fieldParts(match.query, 'parameter', (query) => ({ query })),
  ];
}

function objectionToPath(path: string): string {
  if (path === '/*') return 'the request has no path';
  return path.endsWith('/*') ? `the path is not ${path.slice(0, -2)} or below it` : `the path is not ${path}`;
}

/** First whether it is there at all, then whether it is as it should be. */
function fieldParts(
  fields: readonly FieldMatch[] = [],
  what: string,
  wrap: (fields: readonly FieldMatch[]) => RouteMatch,
): Part[] {
  return fields.flatMap((field) => {
    const name = Buffer.from(field.name, 'latin1').toString('utf8');
    const isThere = { match: wrap([{ name: field.name, present: true }]), objection: `there is no ${what} ${name}` };
    if ('present' in field) return [isThere];
    const isNot = 'exact' in field ? `is not ${quoteBytes(field.exact)}` : `does not match ${field.regex}`;
    return [isThere, { match: wrap([field]), objection: `${what} ${name} ${isNot}` }];
  });
}

/** In the order of precedence: what is compared first decides first. */
const TIERS: readonly { readonly keys: readonly (keyof RouteMatch)[]; readonly reason: string }[] = [
  { keys: ['hosts'], reason: 'has the more specific host' },
  { keys: ['path', 'pathRegex'], reason: 'has the more specific path' },
  { keys: ['methods'], reason: 'asks for a method' },
  { keys: ['headers', 'cookies'], reason: 'asks for more headers and cookies' },
  { keys: ['query'], reason: 'asks for more of the query' },
  { keys: ['sources'], reason: 'asks for a source' },
];

/** Both match, and the first wins: by what. */
export function advantageOf(winner: RouteMatch, loser: RouteMatch, ask: Ask): string {
  const tier = TIERS.find(({ keys }) => {
    // Second in the file, it only wins by being more specific.
    const router = compileRoutes([{ match: pick(loser, keys) }, { match: pick(winner, keys) }]);
    return ask(router) === 1;
  });
  return tier?.reason ?? 'stands earlier in the file';
}

function pick(match: RouteMatch, keys: readonly (keyof RouteMatch)[]): RouteMatch {
  return Object.fromEntries(keys.filter((key) => match[key] !== undefined).map((key) => [key, match[key]]));
}

function quoteBytes(text: string): string {
  return JSON.stringify(Buffer.from(text, 'latin1').toString('utf8'));
}

function orList(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
