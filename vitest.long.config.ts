import { defineConfig } from 'vitest/config';

const HOURS_MS = 3_600_000;

export default defineConfig({
  test: {
    include: ['test/long/**/*.test.ts'],
    passWithNoTests: true,
    testTimeout: 2 * HOURS_MS,
    hookTimeout: 60_000,
    pool: 'forks',
    // One at a time: they measure what is left of memory and descriptors.
    maxWorkers: 1,
  },
});
