import type { z } from 'zod';
import { buildCluster } from './build-cluster.ts';
import { buildRoute, catchAllRoute } from './build-route.ts';
import { buildAcme, buildListenerTls } from './build-tls.ts';
import type { AccessLogConfig, Config, HttpListenerConfig, ListenerConfig, TcpListenerConfig } from './config.ts';
import { freezeDeep } from './freeze.ts';
import type { configSchema } from './schema.ts';
import type { httpListenerSchema, listenerSchema, tcpListenerSchema } from './schema-listener.ts';

type Parsed<Schema extends z.ZodType> = z.output<Schema>;

/** Gives a checked configuration the shape that the rest of the proxy reads. Deeply frozen; shares nothing with the input. */
export function buildConfig(parsed: Parsed<typeof configSchema>): Config {
  return freezeDeep({
    shards: parsed.shards,
    engine: parsed.engine,
    log: parsed.log,
    user: buildUser(parsed.user),
    admin: buildAdmin(parsed.admin),
    drain: { graceMs: parsed.drain.grace, deadlineMs: parsed.drain.deadline },
    acme: buildAcme(parsed.acme),
    tracing: parsed.tracing,
    listeners: Object.entries(parsed.listeners).map(([name, listener]) => buildListener(name, listener)),
    clusters: Object.entries(parsed.clusters).map(([name, cluster]) => buildCluster(name, cluster)),
  });
}

function buildAdmin(admin: Parsed<typeof configSchema>['admin']): Config['admin'] {
  if (typeof admin !== 'object') return 'off';
  const { address, token, tokenFile } = admin;
  return { address, token, tokenFile };
}

function buildUser(text: string | undefined): Config['user'] {
  if (text === undefined) return undefined;
  const [user = '', group] = text.split(':');
  return { user, group };
}

function buildListener(name: string, listener: Parsed<typeof listenerSchema>): ListenerConfig {
  return listener.protocol === 'tcp' ? buildTcpListener(name, listener) : buildHttpListener(name, listener);
}

function buildTcpListener(name: string, listener: Parsed<typeof tcpListenerSchema>): TcpListenerConfig {
  const { address, cluster, timeouts, limits, trustedProxies, proxyProtocol } = listener;
  return {
    name,
    address,
    protocol: 'tcp',
    cluster,
    timeouts: { idleMs: timeouts.idle },
    limits: { connectionsMaxCount: limits.connections },
    trustedProxies,
    proxyProtocol,
    tls: buildListenerTls(listener.tls),
    accessLog: buildAccessLog(listener.accessLog),
  };
}

function buildHttpListener(name: string, listener: Parsed<typeof httpListenerSchema>): HttpListenerConfig {
  const { address, timeouts, limits } = listener;
  return {
    name,
    address,
    protocol: 'http',
    routes: listener.routes?.map(buildRoute) ?? [catchAllRoute(listener.cluster!)],
    paths: listener.paths,
    timeouts: { headMs: timeouts.head, bodyMs: timeouts.body, idleMs: timeouts.idle },
    limits: {
      headMaxBytes: limits.head,
      headersMaxCount: limits.headers,
      lineMaxBytes: Math.min(limits.line, limits.head),
      bodyMaxBytes: limits.body,
      bodyBytesPerSecond: limits.bodyRate,
      connectionsMaxCount: limits.connections,
    },
    trustedProxies: listener.trustedProxies,
    proxyProtocol: listener.proxyProtocol,
    tls: buildListenerTls(listener.tls),
    accessLog: buildAccessLog(listener.accessLog),
    forwardedHeader: listener.forwardedHeader,
    requestId: listener.requestId,
    via: listener.via === false || listener.via === 'off' ? undefined : listener.via,
    underscores: listener.underscores,
  };
}

function buildAccessLog(accessLog: Parsed<typeof listenerSchema>['accessLog']): AccessLogConfig | undefined {
  if (typeof accessLog !== 'object') return undefined;
  const { format, file, only, slowerThan, sample } = accessLog;
  return { format, target: file, only, slowerThanMs: slowerThan, sample };
}
