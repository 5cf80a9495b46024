import { expect, it } from 'vitest';
import { boardTick, TICK_MS } from '../../../src/contract/board.ts';
import { makeStatus } from '../../../src/control/admin/status.ts';
import { PRODUCT_VERSION } from '../../../src/control/product-version.ts';
import { shardSnapshot } from './shard-snapshot.ts';

const EJECTED_FOR_MS = 60_000;

it('has the shape that is promised', () => {
  const status = makeStatus({
    plan: {
      version: 7,
      listeners: [{ slot: 3, name: 'db', address: '127.0.0.1:0', protocol: 'tcp', cluster: 0, idleMs: 1 }],
      clusters: [
        {
          slot: 0,
          name: 'postgres',
          policy: 'maglev',
          connectMs: 1,
          poolIdleMs: 1,
          endpoints: [
            {
              slot: 0,
              name: 'pg:5432',
              address: { family: 4, host: '10.0.0.1', port: 5432 },
              key: '10.0.0.1:5432',
              weight: 2,
            },
            { slot: 1, name: 'b:1', address: { family: 4, host: '10.0.0.2', port: 1 }, key: '10.0.0.2:1', weight: 1 },
          ],
        },
      ],
    },
    board: {
      health: (slot) => (slot === 0 ? 1 : 2),
      admin: (slot) => (slot === 0 ? 0 : 2),
      ejectedUntilTick: (slot) => (slot === 0 ? boardTick() - 1 : boardTick() + EJECTED_FOR_MS / TICK_MS),
      inFlight: (slot) => slot + 4,
    },
    configVersion: 7,
    rejected: null,
    draining: true,
    shards: [{ index: 0, connections: 5, restarts: 1 }],
    snapshots: [0, 1].map((index) => ({
      ...shardSnapshot(index),
      listeners: [{ name: 'db', connections: 2, accepted: 3, active: 2, bytesReceived: 0, bytesSent: 0 }],
    })),
    addressOf: () => '127.0.0.1:40000',
  });
  expect(status).toEqual({
    version: PRODUCT_VERSION,
    pid: process.pid,
    configVersion: 7,
    rejected: null,
    draining: true,
    shards: [{ index: 0, connections: 5, restarts: 1 }],
    listeners: [{ name: 'db', address: '127.0.0.1:40000', protocol: 'tcp', connections: 4 }],
    clusters: [
      {
        name: 'postgres',
        policy: 'maglev',
        endpoints: [
          { address: '10.0.0.1:5432', weight: 2, health: 'healthy', admin: 'enabled', ejectedUntil: null, inFlight: 4 },
          {
            address: '10.0.0.2:1',
            weight: 1,
            health: 'unhealthy',
            admin: 'disabled',
            ejectedUntil: expect.any(String),
            inFlight: 5,
          },
        ],
      },
    ],
  });
  const ends = Date.parse(status.clusters[0]?.endpoints[1]?.ejectedUntil ?? '');
  expect(Math.abs(ends - Date.now() - EJECTED_FOR_MS)).toBeLessThan(1_000);
});
