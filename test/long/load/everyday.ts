/**
 * Clients as every proxy has them, a process of its own: kept and fresh connections, uploads, WebSockets and sessions that stay. Nothing that
 * they do may fail while what is behind the proxy is well. Says of each failure when it began and ended.
 */
import { Agent } from 'node:http';
import type { Socket } from 'node:net';
import { HttpClient } from '../../integration/http-client.ts';
import { bodyOf } from '../body.ts';
import { childArgument, serveParent } from '../child.ts';
import { type Ask, problemOf } from './ask.ts';
import { echo } from './echo.ts';
import { Pacer, pause } from './pacer.ts';
import { requestText } from './raw-requests.ts';
import { openSession } from './sessions.ts';
import { Tally } from './tally.ts';

const AT_ONCE_MAX = 400;
const SIZE = 512;
const UPGRADE_TIMEOUT_MS = 10_000;
const ECHO_REST_MS = 1_000;

export interface EverydayOrder {
  readonly web: number;
  readonly raw?: number;
  /** Requests per second. */
  readonly kept?: number;
  readonly fresh?: number;
  readonly posts?: number;
  /** Requests that take `slowMs` each, over connections that are kept. */
  readonly slow?: number;
  readonly slowMs?: number;
  /** Most connections that are kept for each kind of request; 32 if not told. */
  readonly connections?: number;
  /** Connections that stay open from the start to the end, with an echo per second. */
  readonly webSockets?: number;
  readonly sessions?: number;
}

/** Times are those of `Date.now()`, the same in all processes. */
export interface Span {
  readonly beganMs: number;
  readonly endedMs: number;
}

export interface EverydayReport {
  readonly done: Readonly<Record<string, number>>;
  readonly failures: readonly (Span & { readonly kind: string; readonly problem: string })[];
  readonly spans: readonly Span[];
  readonly skippedCount: number;
}

const order = childArgument<EverydayOrder>();
const pacer = new Pacer();
const tally = new Tally();
const spans: Span[] = [];
const failures: EverydayReport['failures'][number][] = [];

async function timed(kind: string, work: () => Promise<string>): Promise<void> {
  const beganMs = Date.now();
  const problem = await work().catch((error: Error) => error.message);
  const span = { beganMs, endedMs: Date.now() };
  spans.push(span);
  tally.count(kind, problem);
  if (problem !== '') failures.push({ ...span, kind, problem });
}

function startRequests(name: string, perSecond: number, how: Pick<Ask, 'kind' | 'agent'> & Partial<Ask>): void {
  pacer.every(perSecond, AT_ONCE_MAX, () =>
    timed(name, () => problemOf({ port: order.web, tally, size: SIZE, id: tally.nextId(name), ...how })),
  );
}

const keeping = () => new Agent({ keepAlive: true, maxSockets: order.connections ?? 32, scheduling: 'fifo' });
const { kept = 0, fresh = 0, posts = 0, slow = 0, slowMs = 100, webSockets = 0, sessions = 0 } = order;
startRequests('kept', kept, { kind: 'bytes', agent: keeping() });
startRequests('fresh', fresh, { kind: 'bytes', agent: false });
startRequests('slow', slow, { kind: 'slow', agent: keeping(), size: slowMs });
const postAgent = keeping();
pacer.every(posts, AT_ONCE_MAX, () =>
  timed('post', () => {
    const id = tally.nextId('post');
    const headers = { 'content-length': SIZE };
    const common = { port: order.web, agent: postAgent, tally, kind: 'upload', size: SIZE, id, headers };
    return problemOf({ ...common, body: bodyOf(id, SIZE) });
  }),
);
pacer.always(webSockets, () => timed('web-socket', () => webSocket()));
pacer.always(sessions, () => timed('session', () => session()));

/** Words go and come back until the load is told to stop. A connection that is lost is a failure, and opened anew. */
async function webSocket(): Promise<string> {
  const id = tally.nextId('web-socket');
  const client = new HttpClient(order.web);
  try {
    client.send(requestText('GET', 'echo', 0, id, ['Connection: Upgrade', 'Upgrade: echo']));
    const { status } = await client.answer({ ms: UPGRADE_TIMEOUT_MS });
    return status === 101 ? await converse(client.socket, id) : `${id} was answered with ${status}`;
  } finally {
    client.close();
    if (!pacer.isStopping) await pause(ECHO_REST_MS);
  }
}

async function session(): Promise<string> {
  const id = tally.nextId('session');
  const socket = openSession(order.raw!, { mode: 'echo', id, up: 0, down: 0 });
  try {
    return await converse(socket, id);
  } finally {
    socket.destroy();
    if (!pacer.isStopping) await pause(ECHO_REST_MS);
  }
}

async function converse(socket: Socket, id: string): Promise<string> {
  for (let count = 0; !pacer.isStopping; count++) {
    const word = `${id} ${count}`;
    const answer = await echo(socket, word);
    if (answer !== word) return `${word}: ${answer}`;
    await pause(ECHO_REST_MS);
  }
  return '';
}

serveParent({}, async (): Promise<EverydayReport> => {
  await pacer.stop();
  return { done: tally.done, failures, spans, skippedCount: pacer.skippedCount };
});
