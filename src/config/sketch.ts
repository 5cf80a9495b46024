/**
 * What can be made out of a configuration that may be wrong anywhere: cross checks run on this, so that they still find their problems
 * when the schema has found others. What cannot be read is left out here; the schema has already said why.
 */
import { formatAddress, type SocketAddress } from '../core/address.ts';
import { readEndpointAddress, readListenAddress } from './address-text.ts';
import { ADMIN_ADDRESS } from './defaults.ts';
import type { PathOptions } from './path-pattern.ts';
import type { Path } from './problem.ts';
import { type RouteSketch, sketchRoute } from './sketch-route.ts';
import { asMapping, readIfText } from './sketch-values.ts';

export interface Sketch {
  readonly hasAcme: boolean;
  /** Undefined: switched off or unreadable. */
  readonly admin: SocketAddress | undefined;
  /** Whether a token is asked for there. */
  readonly adminHasToken: boolean;
  /** Undefined: not a mapping. */
  readonly listeners: readonly ListenerSketch[] | undefined;
  readonly clusters: readonly ClusterSketch[] | undefined;
}

export interface ListenerSketch {
  readonly name: string;
  readonly path: Path;
  readonly isHttp: boolean;
  readonly address: SocketAddress | undefined;
  readonly hasCluster: boolean;
  readonly cluster: string | undefined;
  readonly hasRoutes: boolean;
  readonly routes: readonly RouteSketch[];
  readonly paths: PathOptions;
  readonly keepsUnderscores: boolean;
  /** As written, whatever it is. */
  readonly proxyProtocol: unknown;
  readonly hasTrustedProxies: boolean;
  /** Undefined: there is none. */
  readonly tls: TlsSketch | undefined;
}

export interface TlsSketch {
  /** What each certificate asks of clients, with whom to believe: as written, the listener's where it says nothing. */
  readonly certificates: readonly {
    readonly path: Path;
    readonly asks: boolean;
    readonly hasClientCa: boolean;
    readonly isIssued: boolean;
  }[];
  readonly passthrough: readonly { readonly path: Path; readonly cluster: string | undefined }[];
}

export interface ClusterSketch {
  readonly name: string;
  readonly path: Path;
  readonly endpoints: readonly { readonly path: Path; readonly key: string }[];
  /** Whether every endpoint is for the case that the others fail, and there are none. */
  readonly hasOnlyBackups: boolean;
  /** As written. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly limits: Readonly<Record<string, unknown>>;
}

export function sketch(input: unknown): Sketch {
  const root = asMapping(input);
  return {
    hasAcme: asMapping(root?.acme) !== undefined,
    admin: sketchAdmin(root?.admin),
    adminHasToken: hasToken(root?.admin),
    listeners: sketchEach(root?.listeners, 'listeners', sketchListener),
    clusters: sketchEach(root?.clusters, 'clusters', sketchCluster),
  };
}

function sketchEach<T>(
  value: unknown,
  key: string,
  one: (value: unknown, name: string, path: Path) => T,
): T[] | undefined {
  const mapping = asMapping(value);
  if (mapping === undefined) return undefined;
  return Object.entries(mapping).map(([name, entry]) => one(entry, name, [key, name]));
}

function sketchAdmin(value: unknown): SocketAddress | undefined {
  const admin = value === undefined ? {} : asMapping(value);
  if (admin === undefined) return undefined;
  return readIfText(readListenAddress, admin.address === undefined ? ADMIN_ADDRESS : admin.address);
}

function sketchListener(value: unknown, name: string, path: Path): ListenerSketch {
  const listener = asMapping(value) ?? {};
  const routes = Array.isArray(listener.routes) ? listener.routes : [];
  return {
    name,
    path,
    isHttp: asMapping(value) !== undefined && (listener.protocol === undefined || listener.protocol === 'http'),
    address: readIfText(readListenAddress, listener.address),
    hasCluster: listener.cluster !== undefined,
    cluster: textOf(listener.cluster),
    hasRoutes: listener.routes !== undefined,
    routes: routes.map((route, index) => sketchRoute(route, [...path, 'routes', index])),
    paths: sketchPaths(listener.paths),
    keepsUnderscores: listener.underscores === 'allow',
    proxyProtocol: listener.proxyProtocol,
    hasTrustedProxies: Array.isArray(listener.trustedProxies) && listener.trustedProxies.length > 0,
    tls: sketchTls(listener.tls, [...path, 'tls']),
  };
}

function sketchTls(value: unknown, path: Path): TlsSketch | undefined {
  const tls = asMapping(value);
  if (tls === undefined) return undefined;
  const each = (key: string) =>
    (Array.isArray(tls[key]) ? tls[key] : []).map((entry: unknown, index) => ({
      entry: asMapping(entry) ?? {},
      path: [...path, key, index],
    }));
  return {
    certificates: each('certificates').map(({ entry, path: at }) => ({
      path: at,
      asks: ['request', 'require'].includes(`${entry.clientCertificate ?? tls.clientCertificate}`),
      hasClientCa: entry.clientCa !== undefined || tls.clientCa !== undefined,
      isIssued: entry.acme !== undefined,
    })),
    passthrough: each('passthrough').map(({ entry, path: at }) => ({ path: at, cluster: textOf(entry.cluster) })),
  };
}

function sketchPaths(value: unknown): PathOptions {
  const paths = asMapping(value) ?? {};
  return {
    keepsEncodedSlashes: paths.encodedSlashes === 'keep',
    keepsEmptySegments: paths.mergeSlashes === false || paths.mergeSlashes === 'off',
  };
}

function sketchCluster(value: unknown, name: string, path: Path): ClusterSketch {
  const list = asMapping(value)?.endpoints;
  const endpoints: { path: Path; key: string }[] = [];
  for (const [index, entry] of (Array.isArray(list) ? list : []).entries()) {
    const address = readIfText(readEndpointAddress, asMapping(entry)?.address ?? entry);
    if (address !== undefined) endpoints.push({ path: [...path, 'endpoints', index], key: formatAddress(address) });
  }
  const entries = Array.isArray(list) ? list.map((entry) => asMapping(entry)?.backup) : [];
  const hasOnlyBackups = entries.length > 0 && entries.every((backup) => backup === true || backup === 'on');
  const options = asMapping(value) ?? {};
  return { name, path, endpoints, hasOnlyBackups, options, limits: asMapping(options.limits) ?? {} };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function hasToken(value: unknown): boolean {
  const admin = asMapping(value);
  return admin?.token !== undefined || admin?.tokenFile !== undefined;
}
