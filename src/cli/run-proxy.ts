/** Runs a proxy in the foreground until a signal ends it: what `run` and `demo` have in common. */
import type { Config } from '../config/config.ts';
import { type EventLog, lineLog } from '../control/event-log.ts';
import { RunningProxy } from '../control/running-proxy.ts';
import { ProxyError } from '../core/errors.ts';
import { ExitCode, type ExitCodeValue } from './exit-code.ts';

const END_SIGNALS = ['SIGTERM', 'SIGINT'] as const;
/** Signals that other proxies act on. Without a handler they would end the process. */
const UNUSED_SIGNALS = { SIGHUP: 'reloading', SIGUSR1: 'reopening logs', SIGUSR2: 'upgrading' } as const;

/** Resolves to the exit code once the proxy has ended. `onReady` may print after the lines of the listeners and before `ready`. */
export async function runProxy(config: Config, onReady: () => void = () => {}): Promise<ExitCodeValue> {
  const log = lineLog((line) => process.stderr.write(line));
  const ended = untilSignal(log);
  let proxy: RunningProxy;
  try {
    proxy = await RunningProxy.start(config, { log, testCalls: process.env.FOURSEVEN_TEST === '1' });
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error;
    process.stderr.write(error.message.replaceAll(/^/gm, 'fourseven: ').concat('\n'));
    if (process.env.FOURSEVEN_DEBUG === '1') process.stderr.write(`${error.stack}\n`);
    return error.code === 'config_invalid' ? ExitCode.CONFIG : ExitCode.FAILED;
  }
  printReady(proxy, onReady);
  ended.hurriesTo(() => (proxy.connections > 0 ? ExitCode.CUT : ExitCode.FINE));
  await ended.first;
  const cut = await proxy.drain();
  return cut > 0 ? ExitCode.CUT : ExitCode.FINE;
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
 * `first` resolves with the first SIGTERM or SIGINT after `hurriesTo` was called. Any before that, and the second after it, exit at once:
 * before, nothing has been accepted yet; after, somebody is in a hurry.
 */
function untilSignal(log: EventLog): { first: Promise<void>; hurriesTo: (code: () => ExitCodeValue) => void } {
  let codeOfHurry: (() => ExitCodeValue) | undefined;
  let isEnding = false;
  const first = new Promise<void>((resolve) => {
    const onSignal = (signal: string) => {
      if (codeOfHurry === undefined) process.exit(ExitCode.FINE);
      if (isEnding) {
        log.warn(`${signal} again: ending at once`);
        process.exit(codeOfHurry());
      }
      isEnding = true;
      resolve();
    };
    for (const signal of END_SIGNALS) process.on(signal, onSignal);
  });
  for (const [signal, what] of Object.entries(UNUSED_SIGNALS)) {
    process.on(signal, () => log.warn(`${signal} is ignored: ${what} is not available in this version`));
  }
  return {
    first,
    hurriesTo: (code) => {
      codeOfHurry = code;
    },
  };
}
