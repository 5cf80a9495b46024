import { Worker } from 'node:worker_threads';
import { beforeEach, expect, test } from 'vitest';
import { Board } from '../../../src/contract/board.ts';
import { RetryBudget } from '../../../src/upstream/retry-budget.ts';

/** Any time but the very first seconds of the machine. */
const START = 1_000_000;
const SECOND = 10;
const MIN_COUNT = 100;

let board: Board;
let budget: RetryBudget;

beforeEach(() => {
  board = Board.create(1);
  budget = new RetryBudget(board.budgetWords(7), 20);
});

function requests(count: number, tick: number): void {
  for (let i = 0; i < count; i++) budget.countRequest(tick);
}

/** How many retries are allowed at once. */
function retries(tick: number, limit = 10_000): number {
  let count = 0;
  while (count < limit && budget.allows(tick)) count++;
  return count;
}

test('allows ten per second however little traffic there is', () => {
  requests(1, START);
  expect(retries(START)).toBe(MIN_COUNT);
});

test('allows its share of the requests of the last ten seconds', () => {
  for (let second = 0; second < 10; second++) requests(300, START + second * SECOND);
  expect(retries(START + 9 * SECOND)).toBe(600);
});

test('forgets requests and retries after ten seconds', () => {
  requests(3000, START);
  expect(retries(START)).toBe(600);
  expect(retries(START + 9 * SECOND)).toBe(0);
  expect(retries(START + 10 * SECOND)).toBe(MIN_COUNT);
});

test('forgets what lay in the ring for longer than it is long', () => {
  requests(3000, START);
  requests(1, START + 16 * SECOND);
  expect(retries(START + 16 * SECOND)).toBe(MIN_COUNT);
});

test('allows nothing beyond the minimum at 0 percent', () => {
  budget = new RetryBudget(board.budgetWords(8), 0);
  requests(10_000, START);
  expect(retries(START)).toBe(MIN_COUNT);
});

test('is shared by the threads: together they get no retry too many', async () => {
  const module = new URL('../../../src/upstream/retry-budget.ts', import.meta.url).href;
  const source = `
    const { workerData, parentPort } = require('node:worker_threads');
    import(${JSON.stringify(module.replace('/src/', '/dist/').replace(/\.ts$/, '.js'))}).then(({ RetryBudget }) => {
      const budget = new RetryBudget(new Int32Array(workerData.buffer, workerData.offset, workerData.length), 20);
      let allowed = 0;
      for (let i = 0; i < 20000; i++) {
        budget.countRequest(${START});
        if (budget.allows(${START})) allowed++;
      }
      parentPort.postMessage(allowed);
    });`;
  const words = board.budgetWords(7);
  const workerData = { buffer: board.buffer, offset: words.byteOffset, length: words.length };
  const run = () =>
    new Promise<number>((resolve, reject) => {
      const worker = new Worker(source, { eval: true, workerData });
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  const counts = await Promise.all([run(), run(), run()]);
  const total = counts.reduce((sum, count) => sum + count, 0);
  // A share of all that were counted by then: never more than of all there are in the end.
  expect(total).toBeLessThanOrEqual(60_000 * 0.2);
  expect(total).toBeGreaterThan(60_000 * 0.2 * 0.9);
});
