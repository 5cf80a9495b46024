import { describe, expect, it } from 'vitest';
import { Admin, Board, boardTick, ClusterCount, Health } from '../../../src/contract/board.ts';

const SLOT = 3;

describe('what a shard has counted', () => {
  it('is taken back when the shard is gone, and what others counted stays', () => {
    const board = Board.create(2);
    board.enter(0, SLOT);
    board.enter(1, SLOT);
    board.enterListener(1, 2);
    board.enterCluster(0, 5, ClusterCount.REQUESTS);
    expect(board.enterCluster(1, 5, ClusterCount.REQUESTS)).toBe(2);
    board.enterCluster(1, 5, ClusterCount.CONNECTIONS);
    board.forgetShard(1);
    expect(board.inFlight(SLOT)).toBe(1);
    expect(board.listenerConnections(2)).toBe(0);
    expect(board.clusterCount(5, ClusterCount.REQUESTS)).toBe(1);
    expect(board.clusterCount(5, ClusterCount.CONNECTIONS)).toBe(0);
  });

  it('lies apart from its neighbours', () => {
    const board = Board.create(1);
    board.budgetWords(4).fill(-1);
    board.enterCluster(0, 5, ClusterCount.PENDING);
    expect(board.clusterCount(4, ClusterCount.PENDING)).toBe(0);
    expect(board.clusterCount(5, ClusterCount.REQUESTS)).toBe(0);
    board.clearCluster(5);
    expect([...new Set(board.budgetWords(4))]).toEqual([-1]);
    expect(board.clusterCount(5, ClusterCount.PENDING)).toBe(0);
  });
});

describe('the epoch', () => {
  it('turns on when what may be selected changes, and only then', () => {
    const board = Board.create(1);
    const changes = (act: () => void) => {
      const before = board.epoch;
      act();
      return board.epoch !== before;
    };
    expect(changes(() => board.setHealth(SLOT, Health.UNHEALTHY))).toBe(true);
    expect(changes(() => board.setHealth(SLOT, Health.UNHEALTHY))).toBe(false);
    expect(changes(() => board.setAdmin(SLOT, Admin.DRAINING))).toBe(true);
    expect(changes(() => board.setAdmin(SLOT, Admin.DRAINING))).toBe(false);
    expect(changes(() => board.endEjection(SLOT))).toBe(false);
    expect(changes(() => board.eject(SLOT, boardTick() + 100, 1))).toBe(true);
    expect(changes(() => board.endEjection(SLOT))).toBe(true);
    expect(changes(() => board.addFailure(SLOT))).toBe(false);
  });
});

describe('an ejection', () => {
  it('is one, however many shards want it, and starts the count of failures anew', () => {
    const board = Board.create(2);
    expect(board.addFailure(SLOT)).toBe(1);
    expect(board.addFailure(SLOT)).toBe(2);
    const until = boardTick() + 300;
    expect(board.eject(SLOT, until, 1)).toBe(true);
    expect(board.eject(SLOT, until + 50, 2)).toBe(false);
    expect(board.ejectedUntilTick(SLOT)).toBe(until);
    expect(board.ejections(SLOT)).toBe(1);
    expect(board.failures(SLOT)).toBe(0);
  });

  it('may follow one that has passed', () => {
    const board = Board.create(1);
    board.eject(SLOT, boardTick() - 1, 1);
    expect(board.eject(SLOT, boardTick() + 10, 2)).toBe(true);
    expect(board.ejections(SLOT)).toBe(2);
  });
});

describe('an endpoint returns', () => {
  it('when it is healthy after it was not, enabled after it was not, or its ejection ends', () => {
    const board = Board.create(1);
    board.setHealth(SLOT, Health.HEALTHY);
    expect(board.returnedAtTick(SLOT)).toBe(0);
    board.setHealth(SLOT, Health.UNHEALTHY);
    board.setHealth(SLOT, Health.HEALTHY);
    expect(Math.abs(board.returnedAtTick(SLOT) - boardTick())).toBeLessThan(20);
    const until = boardTick() + 300;
    board.eject(SLOT, until, 1);
    expect(board.returnedAtTick(SLOT)).toBe(until);
    board.endEjection(SLOT);
    expect(board.returnedAtTick(SLOT)).toBeLessThan(until);
  });
});
