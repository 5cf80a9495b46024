import { get as getPlainly } from 'node:http';
import { get as getSecurely } from 'node:https';
import type { RunningSubject } from '../environment.ts';
import { bodyOf, hashOf } from '../origin/bodies.ts';
import { BENCH_NAME, type BodySize, isHttp, isSecure, type Layer } from '../vocabulary.ts';

const ANSWER_DEADLINE_MS = 10_000;
const FORWARDED_NAMES = ['X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host'];

/**
 * Checks once, before it is measured, that a subject does the whole job: the bodies arrive unchanged, and an L7 proxy tells
 * the origin about the client. Throws with what is wrong: a proxy that does less would look cheaper. No sizes: it serves no requests, and the load
 * itself looks at what comes back.
 */
export async function checkProxied(running: RunningSubject, layer: Layer, sizes: readonly BodySize[]): Promise<void> {
  const { subject, port } = running;
  for (const size of sizes) {
    const body = await fetchBody(port, `/${size}`, isSecure(layer));
    if (hashOf(body) !== hashOf(bodyOf(size))) {
      throw new Error(`${subject.name} changes the body of /${size} (${body.length} bytes came)`);
    }
  }
  if (!isHttp(layer) || sizes.length === 0) return;
  checkForwarded(subject.name, (await fetchBody(port, '/forwarded', isSecure(layer))).toString());
}

/** `told` is what the origin saw: the three headers with `|` between them. */
function checkForwarded(name: string, told: string): void {
  const values = told.split('|');
  const missing = FORWARDED_NAMES.filter((_, index) => !values[index]);
  if (missing.length > 0) throw new Error(`${name} does not set ${missing.join(', ')}`);
}

/** Fetches a path over a connection of its own. Throws on any status but 200, a cut body, or at the deadline. */
export function fetchBody(port: number, path: string, secure = false): Promise<Buffer> {
  const get = secure ? getSecurely : getPlainly;
  // The certificate is one that nobody has signed.
  const tls = secure ? { servername: BENCH_NAME, rejectUnauthorized: false } : {};
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(ANSWER_DEADLINE_MS);
    const request = get({ host: '127.0.0.1', port, path, agent: false, signal, ...tls }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks));
        else reject(new Error(`${path} was answered with status ${response.statusCode}`));
      });
    });
    request.once('error', reject);
  });
}
