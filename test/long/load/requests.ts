/** Clients that behave and use their connections for long. Nothing that they do may fail. */
import { Agent } from 'node:http';
import { bodyOf } from '../body.ts';
import { ask, problemOf } from './ask.ts';
import { type Pacer, pause, randomBetween, randomOf } from './pacer.ts';
import type { Tally } from './tally.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
/** Connections for each kind of request. */
const CONNECTIONS = 8;
const AT_ONCE_MAX = 32;
const SLOW_PIECE_BYTES = 2 * KIB;
const SLOW_REST_MS = 100;

interface Kind {
  readonly perSecond: number;
  /** A name of the load, then what the origin shall do. */
  readonly name: string;
  readonly kind: string;
  readonly size: () => number;
  readonly method?: string;
  readonly status?: number;
}

const KINDS: readonly Kind[] = [
  { perSecond: 200, name: 'small', kind: 'bytes', size: () => randomBetween(0, 200) },
  { perSecond: 40, name: '16KiB', kind: 'bytes', size: () => 16 * KIB },
  { perSecond: 4, name: '1MiB', kind: 'bytes', size: () => MIB },
  { perSecond: 20, name: 'chunked', kind: 'chunked', size: () => randomBetween(0, 200 * KIB) },
  { perSecond: 10, name: 'until-close', kind: 'until-close', size: () => randomBetween(0, 100 * KIB) },
  { perSecond: 10, name: 'head', kind: 'bytes', size: () => randomBetween(0, MIB), method: 'HEAD' },
  { perSecond: 10, name: 'empty', kind: 'empty', size: () => 0, status: 204 },
  { perSecond: 5, name: 'unchanged', kind: 'unchanged', size: () => 0, status: 304 },
  { perSecond: 10, name: 'slow', kind: 'slow', size: () => randomBetween(0, 500) },
  { perSecond: 5, name: 'interim', kind: 'interim', size: () => randomBetween(0, KIB) },
  // Idempotent requests over connections that the endpoint may be closing right now: repeated on a fresh one.
  { perSecond: 30, name: 'restless', kind: 'restless', size: () => randomBetween(0, KIB) },
  // One of two endpoints refuses: nothing was sent, so the other gets the request.
  { perSecond: 20, name: 'half-dead', kind: 'half-dead', size: () => randomBetween(0, KIB) },
];

export function startRequests(port: number, pacer: Pacer, tally: Tally): void {
  for (const { perSecond, name, kind, size, method = 'GET', status = 200 } of KINDS) {
    const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS, scheduling: 'fifo' });
    pacer.every(perSecond, AT_ONCE_MAX, () =>
      tally.run(name, () =>
        problemOf({ port, agent, tally, kind, size: size(), id: tally.nextId(name), method }, status),
      ),
    );
  }
  startUploads(port, pacer, tally);
  startSlowReaders(port, pacer, tally);
  startFlapping(port, pacer, tally);
}

/** Whole uploads are counted as `upload`: the origin must have seen each of them exactly once. */
function startUploads(port: number, pacer: Pacer, tally: Tally): void {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS, scheduling: 'fifo' });
  const upload = (size: number, isChunked: boolean, restMs = 0) =>
    tally.run('upload', () => {
      const id = tally.nextId('upload');
      const headers: Record<string, string | number> = isChunked ? {} : { 'content-length': size };
      if (Math.random() < 0.1) headers.expect = '100-continue';
      const body = restMs > 0 ? drip(id, size, SLOW_PIECE_BYTES, restMs) : bodyOf(id, size, randomBetween(1, 64 * KIB));
      return problemOf({ port, agent, tally, kind: 'upload', size, id, headers, body });
    });
  pacer.every(10, AT_ONCE_MAX, () => upload(randomBetween(0, 256 * KIB), false));
  pacer.every(10, AT_ONCE_MAX, () => upload(randomBetween(0, 256 * KIB), true));
  pacer.every(0.5, AT_ONCE_MAX, () => upload(randomBetween(MIB, 8 * MIB), Math.random() < 0.5));
  pacer.always(4, () => upload(randomBetween(1, 64 * KIB), Math.random() < 0.5, SLOW_REST_MS));
}

/** The body of `id`, a piece at a time, with a rest after each. */
export async function* drip(id: string, size: number, pieceBytes: number, restMs: number): AsyncGenerator<Buffer> {
  for (const piece of bodyOf(id, size, pieceBytes)) {
    yield piece;
    await pause(restMs);
  }
}

function startSlowReaders(port: number, pacer: Pacer, tally: Tally): void {
  pacer.always(8, () =>
    tally.run('slow-reader', () => {
      const id = tally.nextId('slow-reader');
      const kind = randomOf(['bytes', 'chunked', 'until-close']);
      return problemOf({ port, agent: false, tally, kind, size: 4 * MIB, id, restMs: randomBetween(50, 200) });
    }),
  );
}

/** The endpoint goes away now and then: told as 502, or the answer breaks off. What comes whole has to be right. */
function startFlapping(port: number, pacer: Pacer, tally: Tally): void {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS, scheduling: 'fifo' });
  pacer.every(20, AT_ONCE_MAX, () =>
    tally.run('flapping', async () => {
      const id = tally.nextId('flapping');
      const size = randomBetween(0, 64 * KIB);
      const { status, problem } = await ask({ port, agent, tally, kind: 'flapping', size, id }).catch(cut);
      return status === 502 || status === 0 ? '' : problem || (status === 200 ? '' : `status ${status}`);
    }),
  );
}

/** An answer that broke off is no answer; one that did not come in time is a failure. */
export function cut(error: Error): { status: number; problem: string } {
  if (/ECONNRESET|aborted|hang up/.test(error.message)) return { status: 0, problem: '' };
  throw error;
}
