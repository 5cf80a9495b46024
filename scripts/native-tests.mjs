/**
 * Builds and runs the native unit tests with CMake: only the part of native/ that needs no Node.
 * `npm run native:test`, or with AddressSanitizer and UndefinedBehaviorSanitizer `npm run native:test:asan`.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { programExists, runCommand } from './command.mjs';

const OPENSSL_HEADER = '/usr/include/openssl/ssl.h';
const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * @param {{ sanitize: boolean }} options
 * @returns {Promise<{ passed: number, failed: number, skipped: number, why?: string }>}
 */
export async function runNativeTests({ sanitize }) {
  if (process.platform !== 'linux' || !programExists('cmake')) {
    return { passed: 0, failed: 0, skipped: 1, why: 'they need Linux and cmake' };
  }
  // The addon uses the OpenSSL of Node; without Node it is the system's.
  if (!existsSync(OPENSSL_HEADER)) {
    return { passed: 0, failed: 0, skipped: 1, why: 'they need the headers of OpenSSL (apt-get install libssl-dev)' };
  }
  const folder = join(ROOT, sanitize ? 'build-native/test-asan' : 'build-native/test');
  const generator = programExists('ninja') ? ['-G', 'Ninja'] : [];
  const configure = ['-S', 'native', '-B', folder, ...generator, '-DCMAKE_BUILD_TYPE=Debug'];
  const steps = [
    [...configure, `-DFOURSEVEN_SANITIZE=${sanitize ? 'ON' : 'OFF'}`],
    ['--build', folder, '--target', 'native_tests', '--parallel', '2'],
  ];
  for (const args of steps) {
    const { code, output } = await runCommand('cmake', args, { cwd: ROOT, quiet: true });
    if (code === 0) continue;
    process.stderr.write(output);
    return { passed: 0, failed: 1, skipped: 0, why: 'they do not build' };
  }
  return readResult(await runCommand(join(folder, 'native_tests'), [], { quiet: true }));
}

/** The program ends with `N passed, N failed`; without that line it has crashed. */
function readResult(/** @type {{ code: number, output: string }} */ { code, output }) {
  const line = /(\d+) passed, (\d+) failed\s*$/.exec(output);
  process.stdout.write(line ? output.slice(0, line.index) : output);
  const passed = Number(line?.[1] ?? 0);
  const failed = Number(line?.[2] ?? 0);
  if (code === 0 && line) return { passed, failed, skipped: 0 };
  return { passed, failed: Math.max(failed, 1), skipped: 0 };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { passed, failed, skipped, why } = await runNativeTests({ sanitize: process.argv.includes('--sanitize') });
  if (why) process.stderr.write(`fourseven: native tests: ${why}\n`);
  process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  process.exit(failed > 0 ? 1 : 0);
}
