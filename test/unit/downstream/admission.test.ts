import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Board } from '../../../src/contract/board.ts';
import { Admission } from '../../../src/downstream/admission.ts';
import type { Entrance } from '../../../src/downstream/protocol-listener.ts';
import { happen } from '../upstream/fake-engine.ts';
import { UpstreamFixture } from '../upstream/upstream-fixture.ts';

const SLOT = 3;
const board = Board.create(2);

/** One shard with a listener that lets in `limit` connections over all shards. */
class ShardFixture {
  readonly fixture = new UpstreamFixture();
  readonly admitted: number[] = [];
  readonly admission: Admission;

  constructor(shard: number, limit: number) {
    const next = { onAccepted: (id: number) => this.admitted.push(id), adopt: (id: number) => this.admitted.push(id) };
    const count = {
      get current() {
        return board.listenerConnections(SLOT);
      },
      enter: () => board.enterListener(shard, SLOT),
      leave: () => board.leaveListener(shard, SLOT),
    };
    this.admission = new Admission(this.fixture.dispatcher, SLOT, count, next as unknown as Entrance, limit);
    this.fixture.dispatcher.bindListener(SLOT, this.admission);
  }

  accept(...ids: number[]): string[] {
    return this.fixture.engine.round(...ids.map((id) => happen.accepted(id, SLOT)));
  }

  get isPaused(): boolean {
    return this.fixture.engine.pausedListeners.has(SLOT);
  }
}

let one: ShardFixture;
let two: ShardFixture;

beforeEach(() => {
  vi.useFakeTimers();
  board.forgetShard(0);
  board.forgetShard(1);
  one = new ShardFixture(0, 3);
  two = new ShardFixture(1, 3);
});

afterEach(() => {
  one.admission.cutAll();
  two.admission.cutAll();
  vi.useRealTimers();
});

describe('a limit of connections', () => {
  test('is exact over all shards, and pauses the listener that reaches it', () => {
    one.accept(1, 2);
    expect([one.isPaused, two.isPaused]).toEqual([false, false]);
    two.accept(3);
    expect([one.isPaused, two.isPaused]).toEqual([false, true]);
    expect(one.accept(4)).toEqual(['pause 4']);
    expect([one.admitted, two.admitted]).toEqual([[1, 2], [3]]);
    expect([board.listenerConnections(SLOT), one.isPaused]).toEqual([3, true]);
  });

  test('lets in what was parked first, in order, then accepts again', () => {
    one.accept(1, 2, 3, 4, 5);
    one.admission.leave();
    expect(one.fixture.orders()).toEqual(['resume 4']);
    expect([one.admitted, one.isPaused, one.admission.parkedCount]).toEqual([[1, 2, 3, 4], true, 1]);
    one.admission.leave();
    one.admission.leave();
    expect([one.admitted, one.isPaused]).toEqual([[1, 2, 3, 4, 5], false]);
    expect(board.listenerConnections(SLOT)).toBe(2);
  });

  test('nobody passes those who wait', () => {
    one.accept(1, 2, 3, 4);
    // Room has come in another shard, and nobody has looked yet.
    board.leaveListener(0, SLOT);
    one.accept(5);
    expect(one.admitted).toEqual([1, 2, 3]);
    vi.advanceTimersByTime(10);
    expect(one.admitted).toEqual([1, 2, 3, 4]);
    board.enterListener(0, SLOT);
  });

  test('sees within 10 ms that a connection has ended in another shard, and looks no longer than it must', () => {
    one.accept(1, 2, 3);
    two.accept(4);
    one.admission.leave();
    expect(two.admitted).toEqual([]);
    vi.advanceTimersByTime(10);
    expect(two.admitted).toEqual([4]);
    expect(two.fixture.engine.takeOrders()).toEqual(['resume 4']);
    two.admission.leave();
    expect([one.isPaused, two.isPaused]).toEqual([false, false]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('keeps what a parked connection had said, and forgets those that leave', () => {
    one.accept(1, 2, 3);
    const orders = one.fixture.engine.round(
      happen.accepted(4, SLOT),
      happen.data(4, 64, 10),
      happen.end(4),
      happen.accepted(5, SLOT),
    );
    expect(orders).toEqual(['pause 4', 'hold 4 64 10', 'pause 5']);
    one.fixture.engine.round(happen.closed(4, 104));
    one.admission.leave();
    expect(one.admitted).toEqual([1, 2, 3, 5]);
  });

  test('gives back what a shard held when it died', () => {
    one.accept(1, 2);
    two.accept(3, 4);
    board.forgetShard(0);
    vi.advanceTimersByTime(10);
    expect([two.admitted, board.listenerConnections(SLOT)]).toEqual([[3, 4], 2]);
  });

  test('pauses nothing that closes: its queue is taken, and served as there is room', () => {
    one.accept(1, 2, 3);
    one.admission.close();
    one.fixture.engine.pausedListeners.clear();
    one.accept(4, 5);
    expect([one.isPaused, one.admission.parkedCount]).toEqual([false, 2]);
    one.admission.leave();
    one.admission.leave();
    expect(one.admitted).toEqual([1, 2, 3, 4, 5]);
    one.admission.leave();
    expect(one.isPaused).toBe(false);
  });

  test('may rise and fall with a plan: nobody is sent away', () => {
    one.accept(1, 2, 3, 4);
    one.admission.apply(4);
    expect([one.admitted, one.isPaused]).toEqual([[1, 2, 3, 4], true]);
    one.admission.apply(2);
    one.admission.leave();
    expect(one.isPaused).toBe(true);
    one.admission.apply(Number.POSITIVE_INFINITY);
    expect(one.isPaused).toBe(false);
  });

  test('cuts what is parked, and looks no more', () => {
    one.accept(1, 2, 3, 4);
    one.admission.cutAll();
    expect(one.fixture.orders()).toEqual(['reset 4']);
    expect([one.admission.parkedCount, vi.getTimerCount()]).toEqual([0, 0]);
  });
});
