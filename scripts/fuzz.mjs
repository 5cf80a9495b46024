/** `npm run fuzz [-- --seconds N --seed N]`: the parsers of HTTP/1. `npm run fuzz:native [-- -max_total_time=N]`: the engine's commands, with clang. */
import { fileURLToPath } from 'node:url';
import { runCommand } from './command.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const NATIVE_FOLDER = 'build-native/fuzz';
const [part, ...rest] = process.argv.slice(2);

/** Ends with the command's code unless that is 0. */
async function run(/** @type {string} */ file, /** @type {string[]} */ args, env = {}) {
  const { code } = await runCommand(file, args, { cwd: ROOT, env: { ...process.env, ...env } });
  if (code !== 0) process.exit(code);
}

if (part === 'native') {
  const options = ['-DFOURSEVEN_FUZZ=ON', '-DCMAKE_BUILD_TYPE=RelWithDebInfo'];
  await run('cmake', ['-S', 'native', '-B', NATIVE_FOLDER, ...options], { CXX: 'clang++' });
  await run('cmake', ['--build', NATIVE_FOLDER, '--target', 'commands_fuzz', '--parallel', '2']);
  await run(`${NATIVE_FOLDER}/commands_fuzz`, rest.length > 0 ? rest : ['-max_total_time=180']);
} else {
  await run(process.execPath, [
    '--import',
    'jiti/register',
    'test/fuzz/parser-fuzz.ts',
    ...(part ? [part, ...rest] : []),
  ]);
}
