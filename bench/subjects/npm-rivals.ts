import { createRequire } from 'node:module';
import { RIVALS } from '../paths.ts';
import type { SubjectName } from '../vocabulary.ts';
import type { Availability, Subject } from './subject.ts';

/** node http-proxy, with a keep-alive agent. */
export function httpProxy(): Subject {
  return npmRival('http-proxy', 'http-proxy', 'http-proxy.mjs');
}

/** Fastify with @fastify/http-proxy. */
export function fastify(): Subject {
  return npmRival('fastify', '@fastify/http-proxy', 'fastify.mjs');
}

/** A proxy of Layer 7 from npm: a script in bench/rivals that takes its port and that of the origin, and prints `ready`. */
function npmRival(name: SubjectName, packageName: string, file: string): Subject {
  const script = `${RIVALS}/${file}`;
  return {
    name,
    layers: ['l7'],
    messages: false,
    configuration: `bench/rivals/${file}`,
    probe: async () => probe(script, packageName),
    prepare: async ({ listenPort, originPort }) => ({
      command: [process.execPath, script, String(listenPort), String(originPort)],
      readiness: 'line',
    }),
  };
}

/** Found where the script itself will find it: in bench/rivals/node_modules or in those above. */
function probe(script: string, packageName: string): Availability {
  try {
    const { version } = createRequire(script)(`${packageName}/package.json`) as { version: string };
    return { available: true, version };
  } catch {
    return { available: false, remedy: `install ${packageName}: npm install --prefix bench/rivals` };
  }
}
