/** Clients that leave in the middle: with FIN or RST, in every phase of a request or session. Only that they do no harm is promised. */
import { connect, type Socket } from 'node:net';
import { bodyOf } from '../body.ts';
import { type Pacer, pause, randomBetween, randomOf } from './pacer.ts';
import { halfUpload, requestText } from './raw-requests.ts';
import { openSession } from './sessions.ts';
import type { Tally } from './tally.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const PER_SECOND = 30;
const STAY_MAX_MS = 60;
/** For a client that has sent FIN and waits for the other end; then it is gone for good. */
const FAREWELL_MS = 3_000;

/** What a client sends before it leaves. */
const PHASES: readonly ((id: string) => (string | Buffer)[])[] = [
  () => [],
  () => ['G'],
  () => ['GET /half'],
  (id) => [requestText('GET', 'slow', 100, id).slice(0, -3)],
  (id) => [requestText('GET', 'slow', 300, id)],
  (id) => [requestText('GET', 'bytes', MIB, id)],
  (id) => [requestText('GET', 'chunked', MIB, id)],
  (id) => [requestText('GET', 'until-close', MIB, id)],
  (id) => [requestText('HEAD', 'slow', 100, id)],
  (id) => [requestText('GET', 'hang', 0, id)],
  (id) => [requestText('POST', 'upload', 256 * KIB, id, [`Content-Length: ${256 * KIB}`])],
  (id) => [requestText('POST', 'upload', 256 * KIB, id, [`Content-Length: ${256 * KIB}`]), halfUpload(id, 256 * KIB)],
  (id) => [requestText('POST', 'upload', 256, id, ['Content-Length: 256', 'Expect: 100-continue'])],
  (id) => [requestText('POST', 'upload', 100, id, ['Transfer-Encoding: chunked'])],
  (id) => [requestText('POST', 'upload', 100, id, ['Transfer-Encoding: chunked']), '40\r\n', halfUpload(id, 64)],
  (id) => [requestText('POST', 'upload', 100, id, ['Transfer-Encoding: chunked']), '40'],
  (id) => [requestText('POST', 'slow', 200, id, ['Content-Length: 10']), '0123456789'],
  (id) => Array.from({ length: 6 }, (_, index) => requestText('GET', 'bytes', 16 * KIB, `${id}-${index}`)),
  (id) => [requestText('GET', 'echo', 0, id, ['Connection: Upgrade', 'Upgrade: echo'])],
  (id) => [requestText('GET', 'echo', 0, id, ['Connection: Upgrade', 'Upgrade: echo']), halfUpload(id, 64 * KIB)],
];

export function startAborts(webPort: number, rawPort: number, pacer: Pacer, tally: Tally): void {
  let phase = 0;
  pacer.every(PER_SECOND, 64, () =>
    tally.run('abort', () => {
      const id = tally.nextId('abort');
      const socket = connect({ port: webPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
      socket.on('error', () => {});
      for (const piece of PHASES[phase++ % PHASES.length]!(id)) socket.write(piece);
      return leave(socket);
    }),
  );
  pacer.every(PER_SECOND / 6, 32, () =>
    tally.run('session-abort', () => {
      const id = tally.nextId('session-abort');
      const up = randomOf([0, 1, 2 * MIB]);
      const socket = openSession(rawPort, { mode: 'loose', id, up, down: randomOf([0, 1, 2 * MIB]) });
      for (const piece of bodyOf(`${id}-up`, up)) socket.write(piece);
      return leave(socket);
    }),
  );
}

/** After a moment, reading or not, in one of three ways. */
async function leave(socket: Socket): Promise<string> {
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  if (Math.random() < 0.5) socket.resume();
  await pause(randomBetween(0, STAY_MAX_MS));
  const way = randomOf(['end', 'destroy', 'reset']);
  if (way === 'reset') socket.resetAndDestroy();
  else if (way === 'destroy') socket.destroy();
  else {
    socket.end();
    const timer = setTimeout(() => socket.destroy(), FAREWELL_MS);
    await closed;
    clearTimeout(timer);
  }
  await closed;
  return '';
}
