/**
 * Runs other programs for the scripts beside it. Node built-ins only: this runs before anything is installed.
 *
 * Whatever is running when the script is told to end is told so too, and waited for: nothing outlives the script.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Log of a quiet command that is kept for the error message. */
const LOG_MAX_BYTES = 1024 * 1024;
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/** Only while something runs: between two commands the default is right. */
function watchSignals(/** @type {boolean} */ on) {
  for (const signal of Object.keys(SIGNALS)) {
    if (on) process.on(signal, endBySignal);
    else process.removeListener(signal, endBySignal);
  }
}

/** @param {string} signal */
function endBySignal(signal) {
  for (const child of running) {
    child.kill('SIGTERM');
    child.once('close', () => {
      if (running.size === 0) process.exit(128 + SIGNALS[signal]);
    });
  }
}

/**
 * Runs a program to its end. Never throws: a program that cannot be started has the code 127.
 *
 * @param {string} file
 * @param {readonly string[]} args
 * @param {{ quiet?: boolean, cwd?: string, env?: NodeJS.ProcessEnv }} [options] quiet: its output is collected, not shown.
 * @returns {Promise<{ code: number, output: string }>} output: what it printed, if quiet.
 */
export function runCommand(file, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: options.env,
      stdio: options.quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
    });
    if (running.size === 0) watchSignals(true);
    running.add(child);
    let output = '';
    const collect = (/** @type {string} */ text) => {
      output = (output + text).slice(-LOG_MAX_BYTES);
    };
    child.stdout?.setEncoding('utf8').on('data', collect);
    child.stderr?.setEncoding('utf8').on('data', collect);
    const end = (/** @type {number} */ code) => {
      running.delete(child);
      if (running.size === 0) watchSignals(false);
      resolve({ code, output });
    };
    child.once('error', (error) => {
      output += `${file}: ${error.message}\n`;
      end(127);
    });
    child.once('close', (code, signal) => end(code ?? 128 + (SIGNALS[signal ?? ''] ?? 0)));
  });
}

/**
 * @param {string} program a name to look for in PATH, or a path
 * @returns {boolean} whether it is there and may be run
 */
export function programExists(program) {
  const folders = program.includes('/') ? [''] : (process.env.PATH ?? '').split(delimiter);
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** @param {string} text one line about what happens now */
export function say(text) {
  process.stdout.write(`fourseven: ${text}\n`);
}
