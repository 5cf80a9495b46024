import { expect, it } from 'vitest';
import { RestartBackoff } from '../../../src/control/restart-backoff.ts';

it('restarts at once, then after 100 ms doubled up to 30 s, as long as shards die young', () => {
  const backoff = new RestartBackoff();
  const delays = Array.from({ length: 12 }, () => backoff.delayMs(2_999));
  expect(delays).toEqual([0, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
});

it('begins anew after a shard that lived for 3 s', () => {
  const backoff = new RestartBackoff();
  for (let crash = 0; crash < 5; crash++) backoff.delayMs(0);
  expect(backoff.delayMs(3_000)).toBe(0);
  expect(backoff.delayMs(0)).toBe(100);
});
