import type { z } from 'zod';
import { buildClusterTls } from './build-tls.ts';
import type {
  ClusterLimitsConfig,
  HealthCheckConfig,
  OutlierConfig,
  RetryConfig,
  StickinessConfig,
} from './cluster-config.ts';
import type { ClusterConfig, EndpointConfig } from './config.ts';
import { ENDPOINT_WEIGHT, HEALTH_EXPECT } from './defaults.ts';
import type { clusterSchema } from './schema-cluster.ts';

type Parsed = z.output<typeof clusterSchema>;

export function buildCluster(name: string, cluster: Parsed): ClusterConfig {
  return {
    name,
    policy: cluster.policy,
    endpoints: cluster.endpoints.map(buildEndpoint),
    timeouts: { connectMs: cluster.timeouts.connect, idleMs: cluster.timeouts.idle },
    proxyProtocol: cluster.proxyProtocol,
    hashOn: cluster.hashOn,
    boundedLoadFactor: cluster.boundedLoad,
    stickiness: buildStickiness(cluster.stickiness),
    healthCheck: buildHealthCheck(cluster.healthCheck),
    outlier: buildOutlier(cluster.outlier),
    retry: buildRetry(cluster.retry),
    limits: buildLimits(cluster.limits),
    slowStartMs: cluster.slowStart,
    tls: buildClusterTls(cluster.tls),
    drainMs: cluster.drain.deadline,
  };
}

function buildEndpoint(endpoint: Parsed['endpoints'][number]): EndpointConfig {
  if (!('weight' in endpoint)) return { ...endpoint, weight: ENDPOINT_WEIGHT.usual, isBackup: false };
  return { ...endpoint.address, weight: endpoint.weight, isBackup: endpoint.backup };
}

function buildStickiness(stickiness: Parsed['stickiness']): StickinessConfig | undefined {
  return typeof stickiness === 'object' ? { cookie: stickiness.cookie, ttlMs: stickiness.ttl } : undefined;
}

function buildHealthCheck(check: Parsed['healthCheck']): HealthCheckConfig | undefined {
  if (typeof check !== 'object') return undefined;
  const { type, interval, timeout, healthyAfter, unhealthyAfter, port } = check;
  const common = { intervalMs: interval, timeoutMs: timeout, healthyAfter, unhealthyAfter, port };
  if (type === 'tcp') return { type, ...common };
  if (type === 'grpc') return { type, ...common, service: check.service ?? '' };
  const { method = 'GET', path = '/', host, expect = HEALTH_EXPECT, body } = check;
  return { type, ...common, method, path, host, expect, body };
}

function buildOutlier(outlier: Parsed['outlier']): OutlierConfig | undefined {
  if (typeof outlier !== 'object') return undefined;
  const { consecutiveFailures, eject, maxEjectedPercent } = outlier;
  return { consecutiveFailures, ejectMs: eject, maxEjectedPercent };
}

function buildRetry(retry: Parsed['retry']): RetryConfig | undefined {
  if (typeof retry !== 'object') return undefined;
  return { attempts: retry.attempts, budgetPercent: retry.budgetPercent, bodyMaxBytes: retry.bodyUpTo };
}

/** Without a limit there is nothing to wait for. */
function buildLimits({
  connections,
  requests,
  pending,
  pendingTimeout,
}: Parsed['limits']): ClusterLimitsConfig | undefined {
  if (connections === undefined && requests === undefined) return undefined;
  return {
    connectionsMaxCount: connections,
    requestsMaxCount: requests,
    pendingMaxCount: pending,
    pendingTimeoutMs: pendingTimeout,
  };
}
