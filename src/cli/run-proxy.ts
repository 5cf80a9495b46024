/** Runs a proxy in the foreground until a signal ends it: what `run` and `demo` have in common. */
import type { Config } from '../config/config.ts';
import type { ConfigResult } from '../config/validate-config.ts';
import type { AdminQuestion } from '../control/admin/admin-routes.ts';
import { type EventLog, lineLog } from '../control/event-log.ts';
import { RunningProxy } from '../control/running-proxy.ts';
import { ProxyError } from '../core/errors.ts';
import { ExitCode, type ExitCodeValue } from './exit-code.ts';
import { boundedWriter } from './log-output.ts';
import { watchFile } from './watch-file.ts';

const END_SIGNALS = ['SIGTERM', 'SIGINT'] as const;
/** Signals that other proxies act on. Without a handler they would end the process. */
const UNUSED_SIGNALS = { SIGUSR2: 'upgrading' } as const;

export interface RunOptions {
  /** May print after the lines of the listeners and before `ready`. */
  readonly onReady?: () => void;
  /** Reads the configuration anew. Left out: it does not change. */
  readonly load?: () => Promise<ConfigResult>;
  /** A file whose changes bring a reload. */
  readonly watch?: string | undefined;
}

/** Resolves to the exit code once the proxy has ended. */
export async function runProxy(config: Config, options: RunOptions = {}): Promise<ExitCodeValue> {
  const { onReady = () => {}, load, watch } = options;
  const log = lineLog(boundedWriter(process.stderr));
  const signals = handleSignals(log);
  let proxy: RunningProxy;
  try {
    proxy = await RunningProxy.start(config, {
      log,
      testCalls: process.env.FOURSEVEN_TEST === '1',
      explain: answerQuestion,
      ...(load && { load }),
    });
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error;
    process.stderr.write(error.message.replaceAll(/^/gm, 'fourseven: ').concat('\n'));
    if (process.env.FOURSEVEN_DEBUG === '1') process.stderr.write(`${error.stack}\n`);
    return error.code === 'config_invalid' ? ExitCode.CONFIG : ExitCode.FAILED;
  }
  if (watch !== undefined) await watchForReload(watch, proxy, log);
  printReady(proxy, onReady);
  await signals.firstFor(proxy);
  const cut = await proxy.drain();
  return cut > 0 ? ExitCode.CUT : ExitCode.FINE;
}

async function watchForReload(path: string, proxy: RunningProxy, log: EventLog): Promise<void> {
  const onError = (error: Error) => log.error(`${path} is no longer watched: ${error.message}`);
  try {
    await watchFile(path, () => void proxy.reload(), onError);
  } catch (error) {
    onError(error as Error);
  }
}

/** Loaded when it is asked for: it brings parts of the data plane with it. */
async function answerQuestion(config: Config, question: AdminQuestion) {
  const [{ explainRequest }, { QuestionError }] = await Promise.all([
    import('../explain/explain.ts'),
    import('../explain/question.ts'),
  ]);
  try {
    return { answer: explainRequest(config, question) };
  } catch (error) {
    if (error instanceof QuestionError) return { fault: error.message };
    throw error;
  }
}

function printReady(proxy: RunningProxy, onReady: () => void): void {
  for (const { name, protocol, address, leadsTo } of proxy.listeners) {
    process.stdout.write(`listener ${name}: ${protocol} on ${address} -> ${leadsTo}\n`);
  }
  if (proxy.adminAddress !== undefined) process.stdout.write(`admin: http on ${proxy.adminAddress}\n`);
  onReady();
  process.stdout.write('ready\n');
}

/**
 * `firstFor` resolves with the first SIGTERM or SIGINT from then on. One before that exits at once: nothing has been accepted yet. So does one
 * more after it: somebody is in a hurry.
 */
function handleSignals(log: EventLog): { firstFor: (proxy: RunningProxy) => Promise<void> } {
  let running: RunningProxy | undefined;
  let onFirst: (() => void) | undefined;
  const onSignal = (signal: string) => {
    if (running === undefined) process.exit(ExitCode.FINE);
    if (onFirst === undefined) {
      log.warn(`${signal} again: ending at once`);
      process.exit(running.connections > 0 ? ExitCode.CUT : ExitCode.FINE);
    }
    onFirst();
    onFirst = undefined;
  };
  for (const signal of END_SIGNALS) process.on(signal, onSignal);
  process.on('SIGHUP', () => {
    if (running === undefined) log.warn('SIGHUP is ignored: the proxy is still starting');
    else void running.reload();
  });
  process.on('SIGUSR1', () => {
    if (running === undefined) log.warn('SIGUSR1 is ignored: the proxy is still starting');
    else void running.reopenLogs().then(() => log.info('logs were opened anew'));
  });
  for (const [signal, what] of Object.entries(UNUSED_SIGNALS)) {
    process.on(signal, () => log.warn(`${signal} is ignored: ${what} is not available in this version`));
  }
  return {
    firstFor: (proxy) =>
      new Promise((resolve) => {
        running = proxy;
        onFirst = resolve;
      }),
  };
}
