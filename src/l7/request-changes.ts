import type { ForwardAction, RouteMatch } from '../contract/plan.ts';
import { HeaderEdits } from './header-edits.ts';
import { PathRewrite } from './path-rewrite.ts';

/** What a route changes about a request on its way to an endpoint. */
export interface RequestChanges {
  readonly path: PathRewrite | undefined;
  /** Host is one of the fields they set, where the route rewrites it. */
  readonly headers: HeaderEdits | undefined;
  readonly replacesHost: boolean;
  /** The connection to the endpoint serves no other request, and the endpoint is told. */
  readonly endsConnection: boolean;
  /** Room that all of it takes of the scratch. */
  readonly scratchBytes: number;
}

/** Undefined: nothing is changed. */
export function compileRequestChanges(
  { rewrite = {}, requestHeaders }: ForwardAction,
  match: RouteMatch,
): RequestChanges | undefined {
  const path = rewrite.path === undefined ? undefined : new PathRewrite(rewrite.path, match);
  const hostLines = rewrite.host === undefined ? [] : [{ name: 'Host', value: rewrite.host }];
  const { set, add, remove } = requestHeaders ?? { set: [], add: [], remove: [] };
  const replacesHost = hostLines.length > 0;
  const headers =
    requestHeaders === undefined && !replacesHost
      ? undefined
      : new HeaderEdits({ set: [...hostLines, ...set], add, remove });
  if (path === undefined && headers === undefined) return undefined;
  return {
    path,
    headers,
    replacesHost,
    endsConnection: false,
    scratchBytes: (path?.scratchBytes ?? 0) + (headers?.scratchBytes ?? 0),
  };
}

/** The same changes, on a connection of its own: so that the endpoint ends it, and no port of ours is left waiting for late segments. */
export function onOwnConnection(changes: RequestChanges | undefined): RequestChanges {
  const { path, headers, replacesHost = false, scratchBytes = 0 } = changes ?? {};
  return { path, headers, replacesHost, endsConnection: true, scratchBytes };
}
