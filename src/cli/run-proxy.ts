/** Runs a proxy in the foreground until a signal ends it: what `run` and `demo` have in common. */
import type { Config } from '../config/config.ts';
import type { ConfigResult } from '../config/validate-config.ts';
import type { AdminQuestion } from '../control/admin/admin-routes.ts';
import { type EventLog, lineLog } from '../control/event-log.ts';
import { RunningProxy } from '../control/running-proxy.ts';
import { type ServiceManager, serviceManager } from '../control/service-manager.ts';
import { takeInheritance } from '../control/upgrade/inheritance.ts';
import type { Successor, SuccessorCommand } from '../control/upgrade/successor.ts';
import { systemClock } from '../core/clock.ts';
import { ProxyError } from '../core/errors.ts';
import { ExitCode, type ExitCodeValue } from './exit-code.ts';
import { guard, isWaitedFor } from './guardian.ts';
import { boundedWriter } from './log-output.ts';
import { PidFile } from './pid-file.ts';
import { watchFile } from './watch-file.ts';

const END_SIGNALS = ['SIGTERM', 'SIGINT'] as const;

export interface RunOptions {
  /** May print after the lines of the listeners and before `ready`. */
  readonly onReady?: () => void;
  /** Reads the configuration anew. Left out: it does not change. */
  readonly load?: () => Promise<ConfigResult>;
  /** A file whose changes bring a reload. */
  readonly watch?: string | undefined;
  /** A file that says which process the proxy is. */
  readonly pidFile?: string | undefined;
  /** How a successor is started. Left out: there can be none. */
  readonly successor?: SuccessorCommand | undefined;
}

/** Resolves to the exit code once the proxy has ended. */
export async function runProxy(config: Config, options: RunOptions = {}): Promise<ExitCodeValue> {
  const { onReady = () => {}, watch } = options;
  const log = await openLog(config.log);
  const signals = handleSignals(log);
  const manager = serviceManager();
  const isGuardian = isWaitedFor();
  let proxy: RunningProxy;
  let pidFile: PidFile | undefined;
  try {
    const inheritance = takeInheritance(log);
    proxy = await startProxy(config, options, log, manager, inheritance.handover);
    pidFile = await writePidFile(options.pidFile, proxy);
    if (watch !== undefined) await watchForReload(watch, proxy, log);
    printReady(proxy, onReady);
    inheritance.sayReady();
    manager.ready();
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error;
    process.stderr.write(error.message.replaceAll(/^/gm, 'fourseven: ').concat('\n'));
    if (process.env.FOURSEVEN_DEBUG === '1') process.stderr.write(`${error.stack}\n`);
    return error.code === 'config_invalid' ? ExitCode.CONFIG : ExitCode.FAILED;
  }
  const successor = await Promise.race([signals.firstFor(proxy), proxy.handedOver]);
  if (successor === undefined) manager.stopping();
  const code = await end(proxy, successor, manager, isGuardian);
  pidFile?.remove();
  return code;
}

/** What writes JSON is loaded where that is wanted. */
async function openLog({ format, level }: Config['log']): Promise<EventLog> {
  const makeLine = format === 'json' ? (await import('../control/json-lines.ts')).jsonLines() : undefined;
  return lineLog(boundedWriter(process.stderr), systemClock, level, makeLine);
}

function startProxy(
  config: Config,
  { load, successor }: RunOptions,
  log: EventLog,
  manager: ServiceManager,
  inherited: ReturnType<typeof takeInheritance>['handover'],
): Promise<RunningProxy> {
  return RunningProxy.start(config, {
    log,
    checksMachine: true,
    testCalls: process.env.FOURSEVEN_TEST === '1',
    explain: answerQuestion,
    onReload: (phase) => (phase === 'begun' ? manager.reloading() : manager.ready()),
    inherited,
    ...(successor && { successor }),
    ...(load && { load }),
  });
}

/** Drains, after a signal or after a successor has taken over; in that case this process may have to stay for those who wait for it. */
async function end(
  proxy: RunningProxy,
  successor: Successor | undefined,
  manager: ServiceManager,
  isGuardian: boolean,
): Promise<ExitCodeValue> {
  if (successor === undefined) return codeOf(await proxy.drain());
  if (!isGuardian) manager.mainPid(successor.pid);
  const guarded = isGuardian ? guard(successor.process).ended : undefined;
  const cut = await proxy.drainAfterUpgrade();
  return guarded ?? codeOf(cut);
}

function codeOf(cut: number): ExitCodeValue {
  return cut > 0 ? ExitCode.CUT : ExitCode.FINE;
}

/** A proxy whose process cannot be found is not run. Throws ProxyError `config_invalid`. */
async function writePidFile(path: string | undefined, proxy: RunningProxy): Promise<PidFile | undefined> {
  if (path === undefined) return undefined;
  try {
    return PidFile.write(path);
  } catch (error) {
    await proxy.close();
    throw new ProxyError('config_invalid', `--pid-file: ${(error as Error).message}`, { cause: error });
  }
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
function handleSignals(log: EventLog): { firstFor: (proxy: RunningProxy) => Promise<undefined> } {
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
  process.on('SIGUSR2', () => {
    if (running === undefined) log.warn('SIGUSR2 is ignored: the proxy is still starting');
    // What goes wrong is in the log.
    else running.upgrade().catch(() => {});
  });
  return {
    firstFor: (proxy) =>
      new Promise((resolve) => {
        running = proxy;
        onFirst = () => resolve(undefined);
      }),
  };
}
