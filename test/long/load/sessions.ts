/** TCP sessions through the listener `raw`; what each does stands in the origin. */
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { within } from '../../integration/deadline.ts';
import { BodyCheck, bodyOf } from '../body.ts';
import { type Pacer, pause, randomBetween, randomOf } from './pacer.ts';
import type { Tally } from './tally.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const SESSION_TIMEOUT_MS = 60_000;
const IDLE_SESSIONS = 50;
const IDLE_MS = { min: 10_000, max: 40_000 } as const;
const ECHO_TIMEOUT_MS = 20_000;

export interface Order {
  readonly mode: string;
  readonly id: string;
  readonly up: number;
  readonly down: number;
}

/** Connects, and says what the origin shall do. Errors are for those who listen to them. */
export function openSession(port: number, { mode, id, up, down }: Order): Socket {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  socket.on('error', () => {});
  socket.write(`${mode} ${id} ${up} ${down}\n`);
  return socket;
}

export function startSessions(port: number, pacer: Pacer, tally: Tally): void {
  const whole = (size: () => number) =>
    tally.run('session', () => {
      const order = { mode: randomOf(['after', 'duplex']), id: tally.nextId('session'), up: size(), down: size() };
      return within(
        SESSION_TIMEOUT_MS,
        `the end of ${order.id} ${JSON.stringify(order)}`,
        wholeSession(port, order, tally),
      );
    });
  pacer.every(1, 8, () => whole(() => randomBetween(MIB, 16 * MIB)));
  pacer.every(10, 32, () => whole(() => randomBetween(0, 64 * KIB)));
  pacer.every(2, 8, () => tally.run('session-reset', () => resetSession(port, tally.nextId('session-reset'))));
  pacer.always(IDLE_SESSIONS, () => tally.run('session-idle', () => idleSession(port, tally, pacer)));
}

/** Sends all and half-closes, receives all and the end. */
function wholeSession(port: number, order: Order, tally: Tally): Promise<string> {
  const { id, up, down } = order;
  const socket = openSession(port, order);
  const check = new BodyCheck(id);
  let error = '';
  socket.on('error', (problem: NodeJS.ErrnoException) => {
    error = `${id}: ${problem.code}`;
  });
  socket.on('data', (bytes) => check.take(bytes));
  Readable.from(bodyOf(`${id}-up`, up)).pipe(socket);
  return new Promise((resolve) => {
    socket.once('close', () => {
      tally.receivedBytes += check.byteCount;
      tally.sentBytes += up;
      const problem = check.problem(down);
      resolve(error || (problem && `${id} (${order.mode}): ${problem}`));
    });
  });
}

/** The endpoint resets: passed on as a reset, never as an end. */
function resetSession(port: number, id: string): Promise<string> {
  const up = randomBetween(1, 64 * KIB);
  const socket = openSession(port, { mode: 'reset', id, up, down: 0 });
  let ending = 'a clean end';
  socket.on('error', (problem: NodeJS.ErrnoException) => {
    ending = problem.code ?? problem.message;
  });
  socket.once('end', () => socket.end());
  socket.resume();
  for (const piece of bodyOf(`${id}-up`, up)) socket.write(piece);
  const closed = new Promise<string>((resolve) => {
    socket.once('close', () => resolve(ending === 'ECONNRESET' ? '' : `${id} saw ${ending} instead of a reset`));
  });
  return within(SESSION_TIMEOUT_MS, `the reset of ${id}`, closed);
}

/** A session that is quiet for long, and alive then. */
async function idleSession(port: number, tally: Tally, pacer: Pacer): Promise<string> {
  const id = tally.nextId('session-idle');
  const socket = openSession(port, { mode: 'echo', id, up: 0, down: 0 });
  let received = '';
  let wake = () => {};
  socket.on('data', (bytes) => {
    received += bytes;
    wake();
  });
  socket.once('close', () => wake());
  try {
    while (!pacer.isStopping) {
      received = '';
      const word = `${tally.nextId('echo')}\n`;
      socket.write(word);
      const deadline = performance.now() + ECHO_TIMEOUT_MS;
      while (received.length < word.length && !socket.destroyed) {
        await within(
          deadline - performance.now(),
          `the echo of ${id}`,
          new Promise<void>((resolve) => (wake = resolve)),
        );
      }
      if (received !== word) return `${id} sent ${word} and got ${received}`;
      const wakeMs = performance.now() + randomBetween(IDLE_MS.min, IDLE_MS.max);
      while (performance.now() < wakeMs && !pacer.isStopping && !socket.destroyed) await pause(500);
    }
    return '';
  } finally {
    socket.destroy();
  }
}
