/**
 * A place to try bytes at: a client, two listeners of one proxy, a cluster with a pool of its own, and an origin that keeps every byte. Lanes
 * share the proxy and nothing else, so many cases can run at a time, and what an origin saw has one cause.
 *
 *   case ──▶ listener `hasty` or `patient` ──▶ cluster ──▶ origin          after each case a canary, on the same pooled connection
 */

import { within } from '../integration/deadline.ts';
import { HttpClient } from '../integration/http-client.ts';
import { field } from '../integration/origin-request.ts';
import { Origin, type OriginConnection } from '../integration/origin-server.ts';
import { cut, drip, type Split } from './splits.ts';

const SETTLE_MS = 8_000;
const ANSWERED = 'x-answers';
const CASE_TARGET = '/case';
const CANARY_TARGET = '/canary-';
const TIMED_OUT = 408;

export interface CaseAnswer {
  readonly status: number;
  /** Whether the origin gave it, and not the proxy. */
  readonly isForwarded: boolean;
  readonly closes: boolean;
}

export interface RequestOutcome {
  /** Final ones, in order. */
  readonly answers: readonly CaseAnswer[];
  /** Bytes that came to the origin, per connection. */
  readonly seen: readonly Buffer[];
  /** Whether the connection to the client ended by itself, in time. */
  readonly isStuck: boolean;
  /** '' if the canary's own answer came back, and its bytes arrived as they were sent; else what was wrong. */
  readonly canary: string;
  /** Whether the canary went over the connection that the case had used. */
  readonly canaryFollows: boolean;
}

export interface ResponseOutcome {
  /** What the client got, up to the end of its connection. */
  readonly received: Buffer;
  readonly isStuck: boolean;
  readonly canary: string;
}

interface Record {
  readonly connection: OriginConnection;
  bytes: Buffer[];
}

export interface LanePorts {
  /** With short deadlines: for bytes that come at once. */
  readonly hasty: number;
  /** With long ones: for bytes that drip on a busy machine. */
  readonly patient: number;
  /** As hasty, for connections that begin with a PROXY header. */
  readonly proxied: number;
}

export class Lane {
  readonly origin: Origin;
  #ports: LanePorts | undefined;
  #records: Record[] = [];
  #canaries: HttpClient | undefined;
  #canaryCount = 0;
  #response: { bytes: Buffer; split: Split; ends: boolean } | undefined;

  private constructor(origin: Origin) {
    this.origin = origin;
    origin.onConnection = (connection) => {
      const record: Record = { connection, bytes: [] };
      this.#records.push(record);
      connection.socket.prependListener('data', (bytes: Buffer) => record.bytes.push(bytes));
    };
    origin.onRequest = ({ target }, connection) => {
      if (this.#response !== undefined && target === CASE_TARGET) this.#answerAsScripted(connection);
      else connection.send(`HTTP/1.1 200 OK\r\nX-Answers: ${target}\r\nContent-Length: 0\r\n\r\n`);
    };
  }

  static async open(): Promise<Lane> {
    return new Lane(await Origin.start());
  }

  connect(ports: LanePorts): void {
    this.#ports = ports;
  }

  async close(): Promise<void> {
    this.#canaries?.close();
    await this.origin.close();
  }

  /**
   * Sends the bytes of a case. Whole, it waits until the proxy ends the connection, which its short deadlines see to. In pieces, `expected`
   * tells what to wait for: so many answers, or, after all was sent, none at all; then the client ends.
   */
  async request(bytes: Buffer, split: Split, expected?: RequestOutcome, isProxied = false): Promise<RequestOutcome> {
    await this.#prime();
    const { hasty, patient, proxied } = this.#ports!;
    const client = new HttpClient(isProxied ? proxied : split === 'whole' ? hasty : patient);
    const isOver = () => client.isClosed || client.socket.readableEnded;
    await drip(cut(bytes, split), (piece) => client.send(piece), isOver);
    if (expected !== undefined && !isOver()) await awaitAnswers(client, expected, bytes);
    const isStuck = await isLate(client);
    client.close();
    const answers = readAnswers(client.received);
    const { canary, connection } = await this.#sendCanary();
    const records = this.#records.filter(({ bytes: seen }) => seen.length > 0);
    const seen = records.map(seenBeforeCanary).filter(({ length }) => length > 0);
    const shared = records.find((record) => record.connection === connection);
    const canaryFollows = shared !== undefined && seenBeforeCanary(shared).length > 0;
    return { answers, seen, isStuck, canary, canaryFollows };
  }

  /**
   * Has the origin answer `GET /case` (or HEAD) with the bytes of a case, and end its connection behind them if `ends`. The client has said
   * all that it has to say, so the short deadlines hold for every split.
   */
  async response(bytes: Buffer, split: Split, ends: boolean, method = 'GET'): Promise<ResponseOutcome> {
    await this.#prime();
    this.#response = { bytes, split, ends };
    const client = new HttpClient(this.#ports!.hasty);
    client.send(`${method} ${CASE_TARGET} HTTP/1.1\r\nHost: case.test\r\n\r\n`);
    const isStuck = await isLate(client);
    client.close();
    this.#response = undefined;
    const { canary } = await this.#sendCanary();
    return { received: Buffer.from(client.received, 'latin1'), isStuck, canary };
  }

  #answerAsScripted(connection: OriginConnection): void {
    const { bytes, split, ends } = this.#response!;
    drip(
      cut(bytes, split),
      (piece) => connection.send(piece),
      () => connection.isGone,
    ).then(() => {
      if (ends) connection.socket.end();
    });
  }

  /** There is a pooled connection, and the records are empty. */
  async #prime(): Promise<void> {
    if (!this.#records.some(({ connection }) => !connection.isGone)) await this.#sendCanary();
    this.#records = this.#records.filter(({ connection }) => !connection.isGone);
    for (const record of this.#records) record.bytes = [];
  }

  async #sendCanary(): Promise<{ canary: string; connection: OriginConnection | undefined }> {
    const target = `${CANARY_TARGET}${++this.#canaryCount}`;
    const request = `GET ${target} HTTP/1.1\r\nHost: canary.test\r\n\r\n`;
    if (this.#canaries === undefined || this.#canaries.isClosed) this.#canaries = new HttpClient(this.#ports!.patient);
    try {
      const answer = await this.#canaries.ask(request);
      if (answer.status !== 200 || field(answer, ANSWERED) !== target)
        return { canary: `answered ${JSON.stringify(answer.head)}`, connection: undefined };
    } catch (problem) {
      this.#canaries.close();
      return { canary: `not answered: ${(problem as Error).message}`, connection: undefined };
    }
    const record = this.#records.find(({ bytes }) => Buffer.concat(bytes).includes(`GET ${target} `));
    const bytes = record === undefined ? '' : Buffer.concat(record.bytes).toString('latin1');
    const arrived = withoutOurFields(bytes.slice(bytes.indexOf(`GET ${target} `)));
    const canary = arrived === request ? '' : `arrived as ${JSON.stringify(arrived)}`;
    return { canary, connection: record?.connection };
  }
}

/**
 * Waits for as many answers as there were when the bytes came at once, then ends. A 408 is not waited for, nor a refusal that may come as
 * late as one: ending says it sooner.
 */
async function awaitAnswers(client: HttpClient, expected: RequestOutcome, bytes: Buffer): Promise<void> {
  const isOpen = endsWithinHead(bytes);
  const isSure = ({ status, isForwarded }: CaseAnswer) => status !== TIMED_OUT && (isForwarded || !isOpen);
  const count = expected.answers.filter(isSure).length;
  const areThere = () => readAnswers(client.received).length >= count;
  // Fewer, or none in time: the outcome says so.
  await client.until('the answers', areThere, SETTLE_MS).catch(() => {});
  client.socket.end();
}

/** A head up to here is looked at whenever bytes of it come. */
const EAGER_MAX_BYTES = 1024;

/**
 * Whether the bytes end within a large head. What is wrong with it may be said at once, where it is seen, or at its deadline, where it came in
 * pieces too small to be worth a look each: refused in either case, and nothing of it is forwarded.
 */
export function endsWithinHead(bytes: Buffer): boolean {
  const text = bytes.toString('latin1');
  return !/\n\r?\n$/.test(text) && text.length - text.lastIndexOf('\r\n\r\n') > EAGER_MAX_BYTES;
}

async function isLate(client: HttpClient): Promise<boolean> {
  return within(SETTLE_MS, 'the end of the connection', client.closed).then(
    () => false,
    () => true,
  );
}

function seenBeforeCanary({ bytes }: Record): Buffer {
  const all = Buffer.concat(bytes);
  const canary = all.indexOf(`GET ${CANARY_TARGET}`);
  return canary < 0 ? all : all.subarray(0, canary);
}

/** The final answers in what a client got. An answer to HEAD says a length and has no body: then the next answer begins at once. */
export function readAnswers(received: string): CaseAnswer[] {
  const answers: CaseAnswer[] = [];
  for (let at = 0; at < received.length; ) {
    const end = received.indexOf('\r\n\r\n', at);
    if (end < 0) break;
    const head = received.slice(at, end + 2);
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1] ?? Number.NaN);
    const length = Number(/^content-length: (\d+)\r$/im.exec(head)?.[1] ?? 0);
    const isClosing = /^connection: close\r$/im.test(head);
    if (!(status < 200)) answers.push({ status, isForwarded: /^x-answers: /im.test(head), closes: isClosing });
    at = end + 4;
    if (!received.startsWith('HTTP/1.1 ', at)) at += length;
  }
  return answers;
}

/**
 * A request, or several, without the fields that the proxy adds: one of each kind, with the value that it must have. One more of them, or
 * another value, stays where it is, and is seen.
 */
export function withoutOurFields(text: string): string {
  return text
    .replace(/^X-Request-Id: [0-9a-f]{32}\r\n/gim, '')
    .replace(/X-Forwarded-For: 127\.0\.0\.1\r\nX-Forwarded-Proto: http\r\n/g, '')
    .replace(/^(Host:[ \t]*(\S*)[ \t]*\r\n(?:.+\r\n)*?)X-Forwarded-Host: \2\r\n/gim, '$1');
}
