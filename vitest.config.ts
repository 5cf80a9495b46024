import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/{unit,guards,contract,integration,conformance}/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // Processes, not threads: tests open sockets, change limits and load the addon.
    pool: 'forks',
    maxWorkers: 2,
    // A shared machine may stand still for seconds: what fails there once is asked once more. A fault fails twice.
    retry: process.env.CI ? 2 : 0,
  },
});
