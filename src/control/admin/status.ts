/** The state of the proxy as `GET /api/status` tells it. */
import { ADMIN_NAMES, type Board, boardTick, HEALTH_NAMES, TICK_MS } from '../../contract/board.ts';
import type { ShardSnapshot } from '../../contract/messages.ts';
import type { EndpointPlan, Plan } from '../../contract/plan.ts';
import { type CertificateInfo, certificatesOf } from '../certificates.ts';
import { PRODUCT_VERSION } from '../product-version.ts';
import type { Rejection } from '../reloader.ts';
import type { ShardStatus } from '../supervisor.ts';

export interface Status {
  readonly version: string;
  /** Of the process that answers. */
  readonly pid: number;
  /** Counts configurations, not plans: a name that resolves anew is no new configuration. */
  readonly configVersion: number;
  /** The last configuration that was refused, if none was accepted since. */
  readonly rejected: Rejection | null;
  readonly draining: boolean;
  readonly shards: readonly ShardStatus[];
  readonly listeners: readonly {
    readonly name: string;
    readonly address: string;
    readonly protocol: 'http' | 'tcp';
    readonly connections: number;
    /** Where TLS ends. */
    readonly certificates?: readonly CertificateInfo[] | undefined;
  }[];
  readonly clusters: readonly {
    readonly name: string;
    readonly policy: string;
    readonly endpoints: readonly EndpointStatus[];
  }[];
}

export interface EndpointStatus {
  readonly address: string;
  readonly weight: number;
  readonly health: (typeof HEALTH_NAMES)[number];
  readonly admin: (typeof ADMIN_NAMES)[number];
  /** ISO time, or null. */
  readonly ejectedUntil: string | null;
  readonly inFlight: number;
}

export interface StatusParts {
  readonly plan: Plan;
  readonly board: Pick<Board, 'health' | 'admin' | 'ejectedUntilTick' | 'inFlight'>;
  readonly configVersion: number;
  readonly rejected: Rejection | null;
  readonly draining: boolean;
  readonly shards: readonly ShardStatus[];
  readonly snapshots: readonly ShardSnapshot[];
  /** Bound address of a listener, by slot. */
  readonly addressOf: (slot: number) => string;
}

export function makeStatus(parts: StatusParts): Status {
  const { plan, board, snapshots } = parts;
  return {
    version: PRODUCT_VERSION,
    pid: process.pid,
    configVersion: parts.configVersion,
    rejected: parts.rejected,
    draining: parts.draining,
    shards: parts.shards,
    listeners: plan.listeners.map((listener) => {
      const { slot, name, protocol } = listener;
      const certificates = certificatesOf(listener);
      return {
        name,
        address: parts.addressOf(slot),
        protocol,
        connections: connectionsOf(name, snapshots),
        certificates,
      };
    }),
    clusters: plan.clusters.map(({ name, policy, endpoints }) => {
      return { name, policy, endpoints: endpoints.map((endpoint) => endpointStatus(endpoint, board)) };
    }),
  };
}

/** Open connections of a listener over all shards that answered. */
export function connectionsOf(listener: string, snapshots: readonly ShardSnapshot[]): number {
  let connections = 0;
  for (const snapshot of snapshots) {
    for (const entry of snapshot.listeners) if (entry.name === listener) connections += entry.connections;
  }
  return connections;
}

/** Exchanges and sessions of a listener in flight, over all shards that answered. */
export function activeOf(listener: string, snapshots: readonly ShardSnapshot[]): number {
  let active = 0;
  for (const snapshot of snapshots) {
    for (const entry of snapshot.listeners) if (entry.name === listener) active += entry.active;
  }
  return active;
}

export function endpointStatus({ slot, key, weight }: EndpointPlan, board: StatusParts['board']): EndpointStatus {
  return {
    address: key,
    weight,
    health: HEALTH_NAMES[board.health(slot)],
    admin: ADMIN_NAMES[board.admin(slot)],
    ejectedUntil: ejectionEnd(board.ejectedUntilTick(slot)),
    inFlight: board.inFlight(slot),
  };
}

/** In the time of people. */
function ejectionEnd(untilTick: number): string | null {
  const leftMs = (untilTick - boardTick()) * TICK_MS;
  return leftMs <= 0 ? null : new Date(Date.now() + leftMs).toISOString();
}
