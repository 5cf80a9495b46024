import { createRequire } from 'node:module';
import { RIVALS } from '../paths.ts';
import type { Availability, Subject } from './subject.ts';

const SCRIPT = `${RIVALS}/http-proxy.mjs`;
const REMEDY = 'install node http-proxy: npm install --prefix bench/rivals';

/** node http-proxy from npm, with a keep-alive agent. */
export function httpProxy(): Subject {
  return {
    name: 'http-proxy',
    layers: ['l7'],
    messages: false,
    configuration: 'bench/rivals/http-proxy.mjs',
    probe: async () => probe(),
    prepare: async ({ listenPort, originPort }) => ({
      command: [process.execPath, SCRIPT, String(listenPort), String(originPort)],
      readiness: 'line',
    }),
  };
}

/** Found where the script itself will find it: in bench/rivals/node_modules or in those above. */
function probe(): Availability {
  try {
    const { version } = createRequire(SCRIPT)('http-proxy/package.json') as { version: string };
    return { available: true, version };
  } catch {
    return { available: false, remedy: REMEDY };
  }
}
