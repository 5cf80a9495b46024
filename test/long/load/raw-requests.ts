/** Clients that write their requests themselves: pipelined, upgraded, one per connection, rarely. Nothing that they do may fail. */
import { Agent } from 'node:http';
import { type Answer, HttpClient } from '../../integration/http-client.ts';
import { field } from '../../integration/origin-request.ts';
import { BodyCheck, bodyOf, pieceOfBody } from '../body.ts';
import { problemOf } from './ask.ts';
import { type Pacer, pause, randomBetween, randomOf } from './pacer.ts';
import type { Tally } from './tally.ts';

const KIB = 1024;
const ANSWER_TIMEOUT_MS = 20_000;
const PIPELINED_MAX = 12;
const CHURN_PER_SECOND = 150;
const IDLE_CONNECTIONS = 100;
/** Below the idle timeout of the listener, so that the proxy has to keep them. */
const IDLE_MS = { min: 10_000, max: 40_000 } as const;

/** A request as text. */
export function requestText(method: string, kind: string, size: number, id: string, lines: readonly string[] = []) {
  return [`${method} /${kind}/${size}/${id} HTTP/1.1`, 'Host: soak.test', `x-id: ${id}`, ...lines, '', ''].join('\r\n');
}

export function startRawRequests(port: number, pacer: Pacer, tally: Tally): void {
  const withClient = (kind: string, work: (client: HttpClient) => Promise<string>) =>
    tally.run(kind, async () => {
      const client = new HttpClient(port);
      try {
        return await work(client);
      } finally {
        client.close();
      }
    });
  const agent = new Agent({ keepAlive: false });
  const churn = { port, agent, tally, kind: 'bytes' };
  pacer.every(CHURN_PER_SECOND / 2, 64, () => withClient('churn', (client) => single(client, tally)));
  pacer.every(CHURN_PER_SECOND / 2, 64, () =>
    tally.run('churn', () => problemOf({ ...churn, size: randomBetween(0, KIB), id: tally.nextId('churn') })),
  );
  pacer.every(5, 16, () => withClient('pipelined', (client) => pipelined(client, tally)));
  pacer.every(5, 16, () => withClient('upgrade', (client) => upgrade(client, tally)));
  pacer.always(IDLE_CONNECTIONS, () => withClient('idle', (client) => idle(client, tally, pacer)));
}

/** One request, and the client ends. */
async function single(client: HttpClient, tally: Tally): Promise<string> {
  const expected = { kind: 'bytes', method: 'GET', size: randomBetween(0, KIB), id: tally.nextId('churn') };
  client.send(requestText('GET', 'bytes', expected.size, expected.id));
  return answerProblem(expected, await client.answer({ ms: ANSWER_TIMEOUT_MS }));
}

interface Expected {
  readonly method: string;
  readonly kind: string;
  readonly size: number;
  readonly id: string;
}

function answerProblem({ method, kind, size, id }: Expected, answer: Answer): string {
  if (field(answer, 'x-id') !== id) return `${id} got ${answer.status}, the answer to ${field(answer, 'x-id')}`;
  if (answer.status !== (kind === 'empty' ? 204 : 200)) return `${id} was answered with ${answer.status}`;
  const check = new BodyCheck(id);
  check.take(answer.body);
  const problem = check.problem(method === 'HEAD' || kind === 'empty' || kind === 'slow' ? 0 : size);
  return problem && `${id}: ${problem}`;
}

/** Several requests at once; the answers come in their order. */
async function pipelined(client: HttpClient, tally: Tally): Promise<string> {
  const requests = Array.from({ length: randomBetween(2, PIPELINED_MAX) }, (): Expected => {
    const kind = randomOf(['bytes', 'chunked', 'empty', 'slow']);
    const method = kind === 'bytes' ? randomOf(['GET', 'GET', 'HEAD']) : 'GET';
    return { kind, method, size: randomBetween(0, kind === 'slow' ? 50 : 20 * KIB), id: tally.nextId('pipelined') };
  });
  client.send(requests.map(({ method, kind, size, id }) => requestText(method, kind, size, id)).join(''));
  for (const request of requests) {
    const isHead = request.method === 'HEAD';
    const problem = answerProblem(request, await client.answer({ isHead, ms: ANSWER_TIMEOUT_MS }));
    if (problem !== '') return problem;
  }
  return '';
}

/** After 101 everything comes back as it was sent; then the client ends, and the connection ends in order. */
async function upgrade(client: HttpClient, tally: Tally): Promise<string> {
  const id = tally.nextId('upgrade');
  client.send(requestText('GET', 'echo', 0, id, ['Connection: Upgrade', 'Upgrade: echo']));
  const answer = await client.answer({ ms: ANSWER_TIMEOUT_MS });
  if (answer.status !== 101 || field(answer, 'x-id') !== id) return `${id} was answered ${answer.head}`;
  const size = randomBetween(1, 256 * KIB);
  for (const piece of bodyOf(id, size, randomBetween(100, 64 * KIB))) client.send(piece);
  tally.sentBytes += size;
  const echo = await client.until('the echo', (bytes) => bytes.length >= size && bytes, ANSWER_TIMEOUT_MS);
  tally.receivedBytes += size;
  const check = new BodyCheck(id);
  check.take(echo);
  client.socket.end();
  const ending = await client.closed;
  return check.problem(size) || (ending === '' ? '' : `${id} ended with ${ending}`);
}

/** A connection that is quiet for long, and still good for a request then. */
async function idle(client: HttpClient, tally: Tally, pacer: Pacer): Promise<string> {
  const expected = () => ({ kind: 'bytes', method: 'GET', size: 64, id: tally.nextId('idle') });
  for (;;) {
    const request = expected();
    client.send(requestText('GET', 'bytes', request.size, request.id));
    const problem = answerProblem(request, await client.answer({ ms: ANSWER_TIMEOUT_MS }));
    if (problem !== '' || pacer.isStopping) return problem;
    const wakeMs = performance.now() + randomBetween(IDLE_MS.min, IDLE_MS.max);
    while (performance.now() < wakeMs && !pacer.isStopping) await pause(500);
  }
}

/** Half a body that was promised whole. */
export function halfUpload(id: string, size: number): Buffer {
  return pieceOfBody(id, 0, size >> 1);
}
