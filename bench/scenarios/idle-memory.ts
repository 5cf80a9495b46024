import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Environment, type RunningSubject, startSubject } from '../environment.ts';
import { readPssBytes } from '../memory.ts';
import { BODY_BYTES, bodyOf } from '../origin/bodies.ts';
import type { Subject } from '../subjects/subject.ts';
import { USUAL_CONNECTIONS } from '../vocabulary.ts';

/** How many connections are opened at a time, so that no accept queue overflows and few upstream connections are needed. */
const OPENED_AT_ONCE = 32;
const ANSWER_DEADLINE_MS = 10_000;
/** Time for a proxy to put away what the last request needed. */
const SETTLE_MS = 1_000;
const WARM_UP_SECONDS = 2;
const REQUEST = 'GET /small HTTP/1.1\r\nHost: bench\r\n\r\n';

/**
 * Bytes of memory (PSS) that each of many idle keep-alive connections costs an L7 proxy; every one of them has made a request.
 * Each round has a fresh process, warmed up by some load, so that only the connections make the difference. What the
 * kernel keeps for their sockets is not in it: it is the same for all.
 */
export async function measureIdleMemory(environment: Environment, subject: Subject): Promise<readonly number[]> {
  const samples: number[] = [];
  for (let round = 0; round < environment.options.rounds; round++) {
    samples.push(await measureOnce(environment, subject));
    environment.progress.step(
      `idle, round ${round + 1}: ${subject.name} ${samples.at(-1)?.toFixed(0)} bytes per connection`,
    );
  }
  return samples;
}

/** Why so many connections cannot be opened here; undefined if they can. A proxy may need two descriptors for each. */
export function descriptorShortage(connections: number, limits = readFileSync('/proc/self/limits', 'utf8')) {
  const limit = Number(/^Max open files\s+([0-9]+)/m.exec(limits)?.[1] ?? Number.NaN);
  const needed = 2 * (2 * connections + 1024) + 100; // as HAProxy reckons for its maxconn
  if (!(limit < needed)) return undefined;
  return `${connections} idle connections need a limit of ${needed} open files, here it is ${limit} (ulimit -n)`;
}

async function measureOnce(environment: Environment, subject: Subject): Promise<number> {
  const { options, load } = environment;
  const running = await startSubject(environment, subject, {
    layer: 'l7',
    serves: 'requests',
    connections: options.idleConnections,
  });
  const sockets: Socket[] = [];
  try {
    const url = `http://127.0.0.1:${running.port}/small`;
    await load.run({
      url,
      connections: USUAL_CONNECTIONS,
      seconds: WARM_UP_SECONDS,
      bodyBytes: BODY_BYTES.small,
      kind: 'kept',
    });
    const beforeBytes = await settledPssBytes(running);
    await openIdle(running.port, options.idleConnections, sockets);
    const afterBytes = await settledPssBytes(running);
    const closed = sockets.filter((socket) => socket.destroyed || socket.readableEnded).length;
    if (closed > 0) throw new Error(`${subject.name} closed ${closed} of the idle connections`);
    return (afterBytes - beforeBytes) / options.idleConnections;
  } finally {
    for (const socket of sockets) socket.destroy();
    await running.end();
  }
}

async function settledPssBytes(running: RunningSubject): Promise<number> {
  await delay(SETTLE_MS);
  if (running.pid === undefined) throw new Error(`${running.subject.name} is no process`);
  return readPssBytes(running.pid);
}

async function openIdle(port: number, count: number, sockets: Socket[]): Promise<void> {
  while (sockets.length < count) {
    const batch = Math.min(OPENED_AT_ONCE, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: batch }, () => openOne(port)))));
  }
}

/** Opens a connection, makes one request on it and resolves when the whole answer is there. */
function openOne(port: number): Promise<Socket> {
  const end = bodyOf('small').toString();
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(REQUEST));
    socket.setTimeout(ANSWER_DEADLINE_MS, () => reject(new Error('an idle connection got no answer')));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('an idle connection was closed')));
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text;
      if (!received.endsWith(end)) return;
      socket.setTimeout(0);
      resolve(socket);
    });
  });
}
