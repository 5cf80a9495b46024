/**
 * What can be made out of a configuration that may be wrong anywhere: cross checks run on this, so that they still find their problems
 * when the schema has found others. What cannot be read is left out here; the schema has already said why.
 */
import { formatAddress, type SocketAddress } from '../core/address.ts';
import { readEndpointAddress, readListenAddress } from './address-text.ts';
import { ADMIN_ADDRESS } from './defaults.ts';
import { readHostPattern } from './host-pattern.ts';
import { readPathPattern } from './path-pattern.ts';
import type { Path } from './problem.ts';
import { isFault, type Reading } from './reading.ts';

export interface Sketch {
  /** Undefined: switched off or unreadable. */
  readonly admin: SocketAddress | undefined;
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
  /** As written, whatever it is. */
  readonly proxyProtocol: unknown;
  readonly hasTrustedProxies: boolean;
}

export interface RouteSketch {
  readonly path: Path;
  readonly name: string | undefined;
  readonly cluster: string | undefined;
  /** Undefined: no part of it can be compared with other routes, because something in it is wrong. */
  readonly match: { readonly hosts: readonly string[] | undefined; readonly path: string | undefined } | undefined;
}

export interface ClusterSketch {
  readonly name: string;
  readonly path: Path;
  readonly endpoints: readonly { readonly path: Path; readonly key: string }[];
}

type Mapping = Readonly<Record<string, unknown>>;

export function asMapping(value: unknown): Mapping | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Mapping) : undefined;
}

export function sketch(input: unknown): Sketch {
  const root = asMapping(input);
  return {
    admin: sketchAdmin(root?.admin),
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
  return read(readListenAddress, admin.address === undefined ? ADMIN_ADDRESS : admin.address);
}

function sketchListener(value: unknown, name: string, path: Path): ListenerSketch {
  const listener = asMapping(value) ?? {};
  const routes = Array.isArray(listener.routes) ? listener.routes : [];
  return {
    name,
    path,
    isHttp: asMapping(value) !== undefined && (listener.protocol === undefined || listener.protocol === 'http'),
    address: read(readListenAddress, listener.address),
    hasCluster: listener.cluster !== undefined,
    cluster: textOf(listener.cluster),
    hasRoutes: listener.routes !== undefined,
    routes: routes.map((route, index) => sketchRoute(route, [...path, 'routes', index])),
    proxyProtocol: listener.proxyProtocol,
    hasTrustedProxies: Array.isArray(listener.trustedProxies) && listener.trustedProxies.length > 0,
  };
}

function sketchRoute(value: unknown, path: Path): RouteSketch {
  const route = asMapping(value) ?? {};
  return { path, name: textOf(route.name), cluster: textOf(route.cluster), match: sketchMatch(route.match) };
}

function sketchMatch(value: unknown): RouteSketch['match'] {
  const match = value === undefined ? {} : asMapping(value);
  if (match === undefined || Object.keys(match).some((key) => key !== 'hosts' && key !== 'path')) return undefined;
  const path = match.path === undefined ? undefined : read(readPathPattern, match.path);
  if (path === undefined && match.path !== undefined) return undefined;
  if (match.hosts === undefined) return { hosts: undefined, path };
  const hosts = (Array.isArray(match.hosts) ? match.hosts : []).map((host) => read(readHostPattern, host));
  const readable = hosts.filter((host) => host !== undefined);
  return readable.length === 0 || readable.length < hosts.length ? undefined : { hosts: readable, path };
}

function sketchCluster(value: unknown, name: string, path: Path): ClusterSketch {
  const list = asMapping(value)?.endpoints;
  const endpoints: { path: Path; key: string }[] = [];
  for (const [index, entry] of (Array.isArray(list) ? list : []).entries()) {
    const address = read(readEndpointAddress, asMapping(entry)?.address ?? entry);
    if (address !== undefined) endpoints.push({ path: [...path, 'endpoints', index], key: formatAddress(address) });
  }
  return { name, path, endpoints };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function read<T>(reader: (text: string) => Reading<T>, value: unknown): T | undefined {
  if (typeof value !== 'string') return undefined;
  const reading = reader(value);
  return isFault(reading) ? undefined : reading.value;
}
