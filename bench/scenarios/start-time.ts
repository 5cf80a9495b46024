import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Environment, launchSubject } from '../environment.ts';
import type { Subject } from '../subjects/subject.ts';
import { USUAL_CONNECTIONS } from '../vocabulary.ts';

const FIRST_BYTE_DEADLINE_MS = 15_000;
/** How long after a refusal the next attempt comes: the resolution of the figure. */
const RETRY_MS = 1;
const REQUEST = 'GET /small HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n';

/**
 * Milliseconds from the start of the process to the first byte of a proxied answer, with warm file caches (the first start
 * is thrown away). Throws if none comes.
 */
export async function measureStartTime(environment: Environment, subject: Subject): Promise<readonly number[]> {
  await startOnce(environment, subject);
  const samples: number[] = [];
  for (let round = 0; round < environment.options.rounds; round++) {
    samples.push(await startOnce(environment, subject));
    environment.progress.step(`start, round ${round + 1}: ${subject.name} ${samples.at(-1)?.toFixed(0)} ms`);
  }
  return samples;
}

async function startOnce(environment: Environment, subject: Subject): Promise<number> {
  const { port, child, startedAtMs } = await launchSubject(environment, subject, {
    layer: 'l7',
    serves: 'requests',
    connections: USUAL_CONNECTIONS,
  });
  try {
    const deadline = startedAtMs + FIRST_BYTE_DEADLINE_MS;
    while (!(await answers(port))) {
      if (child.hasEnded) throw new Error(`${subject.name} ended before it served:\n${child.stderr || child.stdout}`);
      if (performance.now() > deadline)
        throw new Error(`${subject.name} did not serve in ${FIRST_BYTE_DEADLINE_MS} ms`);
      await delay(RETRY_MS);
    }
    return performance.now() - startedAtMs;
  } finally {
    await child.end();
  }
}

/** Whether a request is answered. Resolves at the first byte. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(REQUEST));
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
    socket.once('data', () => {
      resolve(true);
      socket.destroy();
    });
  });
}
