import { closeSync, openSync } from 'node:fs';
import { expect, it } from 'vitest';
import { descriptorsPerShard, openDescriptors, readDescriptorUse } from '../../../src/control/descriptor-budget.ts';

it('shares out what is left after open files, admin, a reserve of 32 and 16 for each thread', () => {
  expect(descriptorsPerShard({ limit: 1024, open: 40, admin: 32, checks: 32 }, 2)).toBe(
    Math.floor((1024 - 40 - 32 - 32 - 32) / 2) - 16,
  );
});

it('never shares out more than there is', () => {
  for (const shardCount of [1, 2, 3, 7, 16]) {
    const perShard = descriptorsPerShard({ limit: 4096, open: 100, admin: 32, checks: 32 }, shardCount);
    expect(100 + 32 + 32 + shardCount * (perShard + 16)).toBeLessThanOrEqual(4096);
  }
});

it('refuses a limit that is too low, and the number it names would do', () => {
  const use = { limit: 128, open: 40, admin: 32, checks: 32 };
  const error = (() => {
    try {
      descriptorsPerShard(use, 4);
    } catch (thrown) {
      return thrown as Error;
    }
    return undefined;
  })();
  expect(error).toMatchObject({ code: 'no_descriptors' });
  const needed = Number(/they need (\d+)/.exec(error!.message)?.[1]);
  expect(descriptorsPerShard({ ...use, limit: needed }, 4)).toBe(16);
  expect(() => descriptorsPerShard({ ...use, limit: needed - 1 }, 4)).toThrow();
});

it.runIf(process.platform === 'linux')('reads the limit and the open files of this process', () => {
  const before = openDescriptors()!;
  const fd = openSync('/dev/null', 'r');
  expect(openDescriptors()).toBe(before + 1);
  closeSync(fd);
  expect(readDescriptorUse(undefined, 32).limit).toBeGreaterThan(before);
});
