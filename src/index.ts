/**
 * Fourseven as a library.
 *
 *     import { defineConfig, start } from 'fourseven';
 *     const proxy = await start(defineConfig({ listeners: {…}, clusters: {…} }));
 *
 * Routes can be tested without running anything: see `explain`.
 */
import type { Config, ConfigInput } from './config/config.ts';
import { formatProblems } from './config/problem.ts';
import { checkConfig } from './config/validate-config.ts';
import { type EventLog, silentLog } from './control/event-log.ts';
import { RunningProxy } from './control/running-proxy.ts';
import { ProxyError } from './core/errors.ts';
import type { ExplainRequest, Explanation } from './explain/explanation.ts';

export type { ConfigInput } from './config/config.ts';
export { defineConfig } from './config/define-config.ts';
export type { EventLog } from './control/event-log.ts';
export { type ErrorCode, ProxyError } from './core/errors.ts';
export type { ExplainRequest, Explanation } from './explain/explanation.ts';

export interface StartOptions {
  /** Told what happens while the proxy runs; silent if left out. */
  readonly log?: EventLog;
}

export interface Proxy {
  /** In the order of the configuration; `address` is the bound one, with the real port where 0 was asked for. */
  readonly listeners: readonly { readonly name: string; readonly address: string; readonly protocol: 'http' | 'tcp' }[];
  /**
   * Puts another configuration in force, without losing a connection. Throws ProxyError, and leaves everything as it is: `config_invalid`,
   * `bind_failed`, `name_unresolved`, or `draining`.
   */
  reload(config: ConfigInput): Promise<void>;
  /** Opens the files of access logs anew, after they were moved away. */
  reopenLogs(): Promise<void>;
  /** Stops accepting after `drain.grace`, finishes what runs until `drain.deadline`, and ends. Resolves to the number of connections cut. */
  drain(): Promise<number>;
  /** Cuts everything and ends, also in the middle of a drain. */
  close(): Promise<void>;
}

/**
 * Runs the proxy in this process, its traffic on threads of its own. Resolves when every listener accepts. Touches no signals and prints
 * nothing. Throws ProxyError: `config_invalid` (the message names every problem), `bind_failed`, `name_unresolved`,
 * `engine_unavailable` or `no_descriptors`; then nothing is left open.
 */
export async function start(config: ConfigInput, options: StartOptions = {}): Promise<Proxy> {
  const running = await RunningProxy.start(await valid(config), { log: options.log ?? silentLog });
  return {
    get listeners() {
      return running.listeners.map(({ name, address, protocol }) => ({ name, address, protocol }));
    },
    reload: async (next) => running.take(await valid(next)),
    reopenLogs: () => running.reopenLogs(),
    drain: () => running.drain(),
    close: () => running.close(),
  };
}

/**
 * Says what would become of a request: which route takes it, why the others do not, and what an endpoint would see. Opens nothing and resolves no
 * names; the endpoints are those of the configuration. Throws ProxyError `config_invalid`, and an Error if the question makes no sense
 * (a URL that is none, a listener that does not exist).
 */
export async function explain(config: ConfigInput, request: ExplainRequest): Promise<Explanation> {
  // Loaded on demand: it brings parts of the data plane with it, which have no business in the thread of a running proxy.
  const { explainRequest } = await import('./explain/explain.ts');
  return explainRequest(await valid(config), request);
}

/** Files that it names are relative to the working directory. */
async function valid(config: ConfigInput): Promise<Config> {
  const result = await checkConfig(config, process.cwd());
  if (result.config === undefined) throw new ProxyError('config_invalid', formatProblems(result.problems, 'config'));
  return result.config;
}
