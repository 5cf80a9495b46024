import { beforeEach, describe, expect, test } from 'vitest';
import { Admin, boardTick, Health } from '../../../src/contract/board.ts';
import type { ClusterPlan } from '../../../src/contract/plan.ts';
import { Random } from '../../../src/core/random.ts';
import type { Cluster } from '../../../src/upstream/cluster.ts';
import { ClusterSet } from '../../../src/upstream/cluster-set.ts';
import { TriedEndpoints } from '../../../src/upstream/tried-endpoints.ts';
import { clusterPlan, endpointPlan, takeOver, UpstreamFixture } from './upstream-fixture.ts';

let fixture: UpstreamFixture;
let cluster: Cluster;

function use(count: number, more: Partial<ClusterPlan> = {}, backups = 0): void {
  fixture = new UpstreamFixture();
  const endpoints = Array.from({ length: count + backups }, (_, slot) => {
    return { ...endpointPlan(slot), isBackup: slot >= count };
  });
  const clusters = new ClusterSet(fixture.context, new Random(1));
  const plan = { version: 1, listeners: [], clusters: [{ ...clusterPlan(endpoints), ...more }] };
  cluster = takeOver(clusters, plan).at(0);
}

/** Slots of so many picks, each once, in order. */
function picked(count = 100): number[] {
  const slots = new Set<number>();
  for (let i = 0; i < count; i++) slots.add(cluster.pick(0, new TriedEndpoints())?.slot ?? -1);
  return [...slots].sort((a, b) => a - b);
}

function eject(slot: number, ticks = 300): void {
  fixture.board.eject(slot, boardTick() + ticks, 1);
}

beforeEach(() => use(4));

describe('an endpoint gets no work', () => {
  test('while it is unhealthy', () => {
    fixture.board.setHealth(1, Health.UNHEALTHY);
    expect(picked()).toEqual([0, 2, 3]);
    fixture.board.setHealth(1, Health.HEALTHY);
    expect(picked()).toEqual([0, 1, 2, 3]);
  });

  test('while it is ejected, and gets it again when that has passed, without a word from anybody', async () => {
    eject(2, 2);
    expect(picked()).toEqual([0, 1, 3]);
    await expect.poll(() => picked(), { timeout: 2000, interval: 20 }).toEqual([0, 1, 2, 3]);
  });

  test.each([Admin.DRAINING, Admin.DISABLED])('while it is out of service (%s), in panic as well', (admin) => {
    fixture.board.setAdmin(0, admin);
    expect(picked()).toEqual([1, 2, 3]);
    for (const slot of [1, 2, 3]) fixture.board.setHealth(slot, Health.UNHEALTHY);
    expect(picked()).toEqual([1, 2, 3]);
  });
});

describe('panic', () => {
  test('begins when fewer than half are well, and ends when they are', () => {
    fixture.board.setHealth(0, Health.UNHEALTHY);
    eject(1);
    expect(picked()).toEqual([2, 3]);
    fixture.board.setHealth(2, Health.UNHEALTHY);
    expect(picked()).toEqual([0, 1, 2, 3]);
    fixture.board.setHealth(2, Health.HEALTHY);
    expect(picked()).toEqual([2, 3]);
  });

  test('counts those in service only', () => {
    fixture.board.setAdmin(0, Admin.DISABLED);
    fixture.board.setAdmin(1, Admin.DRAINING);
    fixture.board.setHealth(2, Health.UNHEALTHY);
    expect(picked()).toEqual([3]);
  });

  test('keeps the only endpoint of a cluster', () => {
    use(1);
    eject(0);
    expect(picked()).toEqual([0]);
  });
});

describe('backup endpoints', () => {
  beforeEach(() => use(3, {}, 2));

  test('get nothing while another may be selected', () => {
    fixture.board.setHealth(0, Health.UNHEALTHY);
    expect(picked()).toEqual([1, 2]);
  });

  test('get everything when no other is well, before there is panic', () => {
    for (const slot of [0, 1, 2]) fixture.board.setHealth(slot, Health.UNHEALTHY);
    expect(picked()).toEqual([3, 4]);
    for (const slot of [3, 4]) fixture.board.setHealth(slot, Health.UNHEALTHY);
    expect(picked()).toEqual([0, 1, 2]);
  });

  test('are tried after all others were', () => {
    const tried = new TriedEndpoints();
    for (const slot of [0, 1, 2]) tried.add(slot);
    expect(cluster.pick(0, tried)?.slot).toBeGreaterThanOrEqual(3);
  });
});

describe('a slow start', () => {
  function shareOf(slot: number, picks = 4000): number {
    let count = 0;
    for (let i = 0; i < picks; i++) if (cluster.pick(0, new TriedEndpoints())!.slot === slot) count++;
    return count / picks;
  }

  test.each(['round-robin', 'random', 'least-request'] as const)(
    'gives who comes back a tenth of its share at first (%s)',
    (policy) => {
      use(4, { slowStartMs: 3_600_000, policy });
      fixture.board.setHealth(1, Health.UNHEALTHY);
      expect(shareOf(1)).toBe(0);
      fixture.board.setHealth(1, Health.HEALTHY);
      expect(shareOf(1)).toBeGreaterThan(0.02);
      expect(shareOf(1)).toBeLessThan(0.035);
    },
  );

  test('ends', async () => {
    use(2, { slowStartMs: 300 });
    fixture.board.setHealth(1, Health.UNHEALTHY);
    fixture.board.setHealth(1, Health.HEALTHY);
    expect(shareOf(1, 10)).toBeLessThan(0.3);
    await expect.poll(() => shareOf(1, 100), { timeout: 3000, interval: 50 }).toBe(0.5);
  });

  test('is not for those who were there from the beginning, and not for policies that go by a hash', () => {
    use(4, { slowStartMs: 3_600_000 });
    expect(shareOf(1)).toBe(0.25);
    use(4, { slowStartMs: 3_600_000, policy: 'source-hash' });
    fixture.board.setHealth(1, Health.UNHEALTHY);
    fixture.board.setHealth(1, Health.HEALTHY);
    expect(cluster.pick(1, new TriedEndpoints())!.slot).toBe(1);
  });

  test('does not leave the last one without work', () => {
    use(1, { slowStartMs: 3_600_000 });
    fixture.board.setAdmin(0, Admin.DISABLED);
    fixture.board.setAdmin(0, Admin.ENABLED);
    expect(picked()).toEqual([0]);
  });
});
