import { createRequire } from 'node:module';
import { RIVALS } from '../paths.ts';
import type { Availability, Subject } from './subject.ts';

const SCRIPT = `${RIVALS}/fastify.mjs`;
const REMEDY = "install fastify's proxy: npm install --prefix bench/rivals";

/** Fastify with @fastify/http-proxy from npm. */
export function fastify(): Subject {
  return {
    name: 'fastify',
    layers: ['l7'],
    messages: false,
    configuration: 'bench/rivals/fastify.mjs',
    probe: async () => probe(),
    prepare: async ({ listenPort, originPort }) => ({
      command: [process.execPath, SCRIPT, String(listenPort), String(originPort)],
      readiness: 'line',
    }),
  };
}

function probe(): Availability {
  try {
    const { version } = createRequire(SCRIPT)('@fastify/http-proxy/package.json') as { version: string };
    return { available: true, version };
  } catch {
    return { available: false, remedy: REMEDY };
  }
}
