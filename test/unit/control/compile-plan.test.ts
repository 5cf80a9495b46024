import { describe, expect, it } from 'vitest';
import type { Config, ConfigInput } from '../../../src/config/config.ts';
import { validateConfig } from '../../../src/config/validate-config.ts';
import { PlanCompiler } from '../../../src/control/compile-plan.ts';
import type { EndpointAddress, SocketAddress } from '../../../src/core/address.ts';

function configOf(input: ConfigInput): Config {
  const result = validateConfig(input);
  if (result.config === undefined) throw new Error(JSON.stringify(result.problems));
  return result.config;
}

/** A board that remembers which slots were made ready. */
function fakeBoard() {
  const cleared: number[] = [];
  const clearedClusters: number[] = [];
  return {
    cleared,
    clearedClusters,
    inFlight: () => 0,
    clearEndpoint: (slot: number) => void cleared.push(slot),
    clusterCount: () => 0,
    clearCluster: (slot: number) => void clearedClusters.push(slot),
  };
}

/** Names resolve to what the table says. */
function names(table: Record<string, readonly string[]>) {
  return (address: EndpointAddress): readonly SocketAddress[] => {
    if (address.family !== 'name') return [address];
    return table[address.host]!.map((host) => ({ family: 4, host, port: address.port }));
  };
}

const CONFIG = configOf({
  listeners: {
    web: {
      address: '127.0.0.1:8080',
      routes: [
        { name: 'api', match: { hosts: ['api.example.com'], path: '/v1/*' }, cluster: 'api', timeout: '15s' },
        { cluster: 'site' },
      ],
      limits: { body: '1MiB' },
    },
    plain: { address: '127.0.0.1:8081', cluster: 'site' },
    db: { address: 'unix:/run/db.sock', protocol: 'tcp', cluster: 'site', timeouts: { idle: '5m' } },
  },
  clusters: {
    site: { policy: 'maglev', endpoints: ['10.0.0.1:80', { address: '10.0.0.2:80', weight: 3 }] },
    api: { endpoints: ['api.internal:9000'], timeouts: { connect: '1s', idle: '2s' } },
  },
});

describe('a plan', () => {
  const board = fakeBoard();
  const plan = new PlanCompiler(board).compile(CONFIG, names({ 'api.internal': ['10.1.0.1', '10.1.0.2'] }));

  it('numbers listeners and points routes at clusters by index', () => {
    expect(plan.version).toBe(1);
    expect(plan.listeners.map(({ slot, name, address }) => ({ slot, name, address }))).toEqual([
      { slot: 0, name: 'web', address: '127.0.0.1:8080' },
      { slot: 1, name: 'plain', address: '127.0.0.1:8081' },
      { slot: 2, name: 'db', address: 'unix:/run/db.sock' },
    ]);
    expect(plan.listeners[0]).toMatchObject({
      protocol: 'http',
      routes: [
        {
          name: 'api',
          match: { hosts: ['api.example.com'], path: '/v1/*' },
          action: { kind: 'forward', clusters: [{ cluster: 1, weight: 1 }], timeoutMs: 15_000 },
        },
        {
          name: 'routes[1]',
          match: {},
          action: { kind: 'forward', clusters: [{ cluster: 0, weight: 1 }], timeoutMs: 60_000 },
        },
      ],
      limits: { bodyMaxBytes: 1024 * 1024 },
    });
    expect(plan.listeners[2]).toMatchObject({ protocol: 'tcp', cluster: 0, idleMs: 300_000 });
  });

  it('makes one route that matches everything of `cluster: NAME`', () => {
    expect(plan.listeners[1]).toMatchObject({
      routes: [{ name: 'default', match: {}, action: { clusters: [{ cluster: 0, weight: 1 }] } }],
    });
  });

  it('makes an endpoint of every address of a name, and clears the slots of all', () => {
    expect(plan.clusters[1]).toEqual({
      slot: 1,
      name: 'api',
      policy: 'least-request',
      connectMs: 1_000,
      poolIdleMs: 2_000,
      proxyProtocol: 'off',
      hashOn: { kind: 'source' },
      outlier: { consecutiveFailures: 5, ejectMs: 30_000, maxEjectedPercent: 10 },
      retry: { attempts: 2, budgetPercent: 20, bodyMaxBytes: 65_536 },
      drainMs: 300_000,
      endpoints: ['10.1.0.1', '10.1.0.2'].map((host, index) => ({
        slot: 2 + index,
        name: 'api.internal:9000',
        address: { family: 4, host, port: 9000 },
        key: `${host}:9000`,
        weight: 1,
        isBackup: false,
      })),
    });
    expect(board.cleared).toEqual([0, 1, 2, 3]);
    expect(board.clearedClusters).toEqual([0, 1]);
  });

  it('survives structured cloning', () => {
    expect(structuredClone(plan)).toEqual(plan);
  });
});

describe('the next plan', () => {
  it('has the next version, and endpoints that stay keep their slots', () => {
    const board = fakeBoard();
    const compiler = new PlanCompiler(board);
    compiler.compile(CONFIG, names({ 'api.internal': ['10.1.0.1', '10.1.0.2'] }));
    board.cleared.length = 0;
    const next = compiler.compile(CONFIG, names({ 'api.internal': ['10.1.0.2', '10.1.0.3'] }));
    expect(next.version).toBe(2);
    expect(next.clusters[1]!.endpoints.map(({ key, slot }) => [key, slot])).toEqual([
      ['10.1.0.2:9000', 3],
      ['10.1.0.3:9000', 4],
    ]);
    expect(board.cleared).toEqual([4]);
  });

  it('gives the same address another slot in another cluster', () => {
    const config = configOf({
      listeners: { a: { address: '127.0.0.1:0', cluster: 'x' }, b: { address: '127.0.0.1:0', cluster: 'y' } },
      clusters: { x: { endpoints: ['10.0.0.1:80'] }, y: { endpoints: ['10.0.0.1:80'] } },
    });
    const plan = new PlanCompiler(fakeBoard()).compile(config, names({}));
    expect(plan.clusters.map(({ endpoints }) => endpoints[0]!.slot)).toEqual([0, 1]);
  });

  it('is refused with config_invalid if there are more endpoints than slots', () => {
    const compiler = new PlanCompiler(fakeBoard(), 3);
    expect(() => compiler.compile(CONFIG, names({ 'api.internal': ['10.1.0.1', '10.1.0.2'] }))).toThrow(
      expect.objectContaining({ code: 'config_invalid' }),
    );
  });
});

describe('a proposal', () => {
  it('is nothing until it is committed', () => {
    const board = fakeBoard();
    const compiler = new PlanCompiler(board);
    const first = compiler.propose(CONFIG, names({ 'api.internal': ['10.1.0.1'] }));
    expect([first.plan.version, [...first.addedListeners], board.cleared]).toEqual([1, [0, 1, 2], []]);
    const again = compiler.propose(CONFIG, names({ 'api.internal': ['10.1.0.1'] }));
    expect(again.plan).toEqual(first.plan);
    again.commit();
    expect(board.cleared).toEqual([0, 1, 2]);
    const next = compiler.propose(CONFIG, names({ 'api.internal': ['10.1.0.1'] }));
    expect([next.plan.version, [...next.addedListeners]]).toEqual([2, []]);
  });

  it('keeps the slot of a listener that has another name, but not of one that asks for any port', () => {
    const compiler = new PlanCompiler(fakeBoard());
    const clusters = { site: { endpoints: ['10.0.0.1:80'] } };
    const listenersOf = (web: string, any: string) =>
      configOf({
        listeners: {
          [web]: { address: '127.0.0.1:8080', cluster: 'site' },
          [any]: { address: '127.0.0.1:0', cluster: 'site' },
        },
        clusters,
      });
    const before = compiler.compile(listenersOf('web', 'any'), names({}));
    const after = compiler.compile(listenersOf('edge', 'other'), names({}));
    expect(before.listeners.map(({ slot }) => slot)).toEqual([0, 1]);
    expect(after.listeners.map(({ slot, name }) => [slot, name])).toEqual([
      [0, 'edge'],
      [2, 'other'],
    ]);
  });
});

describe('two names with the same address', () => {
  it('are one endpoint with the weight of both', () => {
    const config = configOf({
      listeners: { a: { address: '127.0.0.1:0', cluster: 'x' } },
      clusters: { x: { endpoints: ['one.internal:80', { address: 'two.internal:80', weight: 2 }] } },
    });
    const table = { 'one.internal': ['10.0.0.1'], 'two.internal': ['10.0.0.1', '10.0.0.2'] };
    const plan = new PlanCompiler(fakeBoard()).compile(config, names(table));
    expect(plan.clusters[0]!.endpoints.map(({ name, key, weight }) => [name, key, weight])).toEqual([
      ['one.internal:80', '10.0.0.1:80', 3],
      ['two.internal:80', '10.0.0.2:80', 2],
    ]);
  });
});
