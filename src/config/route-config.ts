/** What the rest of the proxy reads of a route. Plain data: a plan carries most of it to the shards as it is. */
import type { Cidr } from '../core/cidr.ts';

export interface RouteConfig {
  /** As written, or its place (`routes[0]`), or `default` for the route that `cluster: NAME` has become. Unique in its listener. */
  readonly name: string;
  readonly match: RouteMatch;
  readonly action: ForwardConfig | RedirectAction | RespondAction;
  /** Of the answers that come from endpoints, and of those that the route gives itself. */
  readonly responseHeaders?: HeaderEdits | undefined;
}

/** All parts must match; absent ones match everything. */
export interface RouteMatch {
  /** Lower case, without port, each once: `a.b` or `*.a.b` (one or more labels before `.a.b`). */
  readonly hosts?: readonly string[] | undefined;
  /** In normal form: `/a` exact; `/a/*` prefix by segment (matches `/a` and `/a/b`, not `/ab`). */
  readonly path?: string | undefined;
  /** Instead of `path`: a pattern (core/pattern) that is found anywhere in the path. */
  readonly pathRegex?: string | undefined;
  /** Any of these; case matters. At least one. */
  readonly methods?: readonly string[] | undefined;
  /** All of these; names in lower case. */
  readonly headers?: readonly FieldMatch[] | undefined;
  /** All of these; names and values decoded. */
  readonly query?: readonly FieldMatch[] | undefined;
  readonly cookies?: readonly FieldMatch[] | undefined;
  /** The client is in any of these. At least one. */
  readonly sources?: readonly Cidr[] | undefined;
}

/** A named value of a request: equal to a text, found by a pattern, or just there. Texts are latin1: one character, one byte. */
export type FieldMatch = { readonly name: string } & (
  | { readonly exact: string }
  | { readonly regex: string }
  | { readonly present: true }
);

export interface ForwardConfig {
  readonly kind: 'forward';
  /** Shares of the requests. At least one weight is above 0. */
  readonly clusters: readonly { readonly cluster: string; readonly weight: number }[];
  /** Until the response head, retries included. */
  readonly timeoutMs: number;
  readonly rewrite?: Rewrite | undefined;
  readonly requestHeaders?: HeaderEdits | undefined;
}

export interface Rewrite {
  /** In place of the matched prefix, or of the whole exact path. In normal form. */
  readonly path?: string | undefined;
  /** In place of Host: `name` or `name:port`. */
  readonly host?: string | undefined;
}

/** `remove`, then `set`, then `add`. */
export interface HeaderEdits {
  /** In place of whatever fields of that name there are. */
  readonly set: readonly HeaderLine[];
  /** Besides them. */
  readonly add: readonly HeaderLine[];
  readonly remove: readonly string[];
}

export interface HeaderLine {
  readonly name: string;
  readonly value: string;
}

/** Absent parts are those of the request. */
export interface RedirectAction {
  readonly kind: 'redirect';
  readonly status: 301 | 302 | 303 | 307 | 308;
  readonly scheme?: 'http' | 'https' | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** As `Rewrite.path`. */
  readonly path?: string | undefined;
}

export interface RespondAction {
  readonly kind: 'respond';
  /** 200 to 599. */
  readonly status: number;
  readonly body: string;
  readonly contentType: string;
}
