/**
 * `npm start [-- FILE]`: makes the clone ready, then runs `fourseven demo`, or `fourseven run FILE`.
 *
 * The proxy must end, drained, when this process is told to end, and exactly once: a second signal makes it exit at once. A terminal
 * signals the whole group, npm passes the signal on as well, so that this process may get it two or three times. Hence the
 * proxy has a group of its own, and echoes are dropped here. If this process is killed outright, the IPC channel breaks, and the
 * proxy drains by itself (bin/fourseven).
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { prepare, ROOT } from './prepare.mjs';

/** Signals closer together than this are one signal and its echoes. */
const ECHO_MS = 300;
/** How often to look whether npm is still there: killed, it cannot say so. */
const PARENT_CHECK_MS = 500;

const args = process.argv.slice(2);
await prepare();
runProxy(args.length === 0 ? ['demo'] : ['run', ...args]);

/** @param {readonly string[]} proxyArgs */
function runProxy(proxyArgs) {
  const proxy = spawn(process.execPath, [join(ROOT, 'bin/fourseven'), ...proxyArgs], {
    // npm moves to the clone; FILE is meant from where it was called.
    cwd: process.env.INIT_CWD,
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  passSignalsTo(proxy);
  proxy.once('error', (error) => {
    process.stderr.write(`fourseven: ${error.message}\n`);
    process.exit(3);
  });
  proxy.once('exit', (code, signal) => process.exit(code ?? (signal === 'SIGKILL' ? 137 : 1)));
}

/** @param {import('node:child_process').ChildProcess} proxy */
function passSignalsTo(proxy) {
  let lastMs = Number.NEGATIVE_INFINITY;
  const end = (/** @type {NodeJS.Signals} */ signal) => {
    const nowMs = performance.now();
    if (nowMs - lastMs < ECHO_MS) return;
    lastMs = nowMs;
    proxy.kill(signal);
  };
  process.on('SIGINT', () => end('SIGINT'));
  process.on('SIGTERM', () => end('SIGTERM'));
  // A terminal that is closed. To the proxy itself SIGHUP would mean: reload.
  process.on('SIGHUP', () => end('SIGTERM'));
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    end('SIGTERM');
  }, PARENT_CHECK_MS);
}
