import type { ConfigInput } from './config.ts';

/** Types a configuration for editors and the compiler, and returns it as it is. Nothing is checked here: `start`, `run` and `check` do that. */
export function defineConfig(config: ConfigInput): ConfigInput {
  return config;
}
