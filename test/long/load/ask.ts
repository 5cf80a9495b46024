/** One request of a client that behaves, over `node:http`, and everything about its answer that can be wrong. */
import { type Agent, type IncomingMessage, request } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { within } from '../../integration/deadline.ts';
import { BodyCheck } from '../body.ts';
import { pause } from './pacer.ts';
import type { Tally } from './tally.ts';

const ANSWER_TIMEOUT_MS = 40_000;

export interface Ask {
  readonly port: number;
  readonly agent: Agent | false;
  readonly tally: Tally;
  /** What the origin shall do, and of which size its body, or else that of the request, is. */
  readonly kind: string;
  readonly size: number;
  readonly id: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  /** Of the request. Without a Content-Length among `headers` it goes chunked. */
  readonly body?: Iterable<Buffer> | AsyncIterable<Buffer>;
  /** How long the client rests after each piece that it reads. */
  readonly restMs?: number;
}

/** Resolves with what came. Rejects if the connection broke before the answer was whole. */
export function ask(options: Ask): Promise<{ status: number; problem: string }> {
  return within(ANSWER_TIMEOUT_MS, `the answer to ${options.id}`, receive(options));
}

/** What is wrong with the answer to `options`, which has to be 200; '' if nothing is. */
export async function problemOf(options: Ask, wantedStatus = 200): Promise<string> {
  const { status, problem } = await ask(options);
  return status === wantedStatus ? problem : `${options.id} was answered with ${status} (${problem})`;
}

async function receive(options: Ask): Promise<{ status: number; problem: string }> {
  const { id, tally, restMs = 0 } = options;
  const response = await send(options);
  const status = response.statusCode!;
  const isOrigins = status < 400;
  const check = new BodyCheck(id);
  let text = '';
  for await (const bytes of response as AsyncIterable<Buffer>) {
    tally.receivedBytes += bytes.length;
    if (isOrigins) check.take(bytes);
    else text += bytes;
    if (restMs > 0) await pause(restMs);
  }
  if (!isOrigins) return { status, problem: text.trim() };
  if (response.headers['x-id'] !== id)
    return { status, problem: `${id} got the answer to ${response.headers['x-id']}` };
  const problem = check.problem(answerSize(options, status)) || headProblem(options, response);
  return { status, problem: problem && `${id}: ${problem}` };
}

function send({ port, agent, method, kind, size, id, headers, body, tally }: Ask): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      port,
      host: '127.0.0.1',
      agent,
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      path: `/${kind}/${size}/${id}`,
      headers: { 'x-id': id, ...headers },
    });
    outgoing.once('response', resolve);
    outgoing.on('error', (error: NodeJS.ErrnoException) => reject(new Error(`${id}: ${error.code ?? error.message}`)));
    if (body === undefined) outgoing.end();
    // An answer may come before the end of the body; whether it may is for its reader to say.
    else
      pipeline(Readable.from(body), outgoing)
        .then(() => (tally.sentBytes += size))
        .catch(() => {});
  });
}

function answerSize({ kind, size, method, body }: Ask, status: number): number {
  const hasNone = method === 'HEAD' || status === 204 || status === 304 || kind === 'slow' || body !== undefined;
  return hasNone ? 0 : size;
}

/** HEAD tells the length that GET would have had. */
function headProblem({ method, size }: Ask, response: IncomingMessage): string {
  const length = response.headers['content-length'];
  return method === 'HEAD' && length !== String(size) ? `HEAD told a length of ${length} instead of ${size}` : '';
}
