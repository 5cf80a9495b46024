/** A client that sends raw bytes and reads answers one by one. Errors are values: a reset is an outcome, not an exception. */
import { createConnection, type Socket } from 'node:net';
import { within } from './deadline.ts';
import { field, readChunks, readFields } from './origin-request.ts';

const TIMEOUT_MS = 5_000;
const HEAD_END = '\r\n\r\n';

export interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The bytes of the head, the empty line included. */
  readonly head: string;
  /** Decoded, if it was chunked. */
  readonly body: Buffer;
  readonly text: string;
  readonly trailers: string;
}

export interface AnswerOptions {
  /** The answer to HEAD: a length, and no body. */
  readonly isHead?: boolean;
  /** A body without a length ends with the connection. */
  readonly untilClose?: boolean;
  readonly ms?: number;
}

export class HttpClient {
  readonly socket: Socket;
  /** Resolves once the connection is gone: '' after a clean end, or the code of the error. */
  readonly closed: Promise<string>;
  /** Resolves once the proxy has sent FIN, or the connection is gone. */
  readonly ended: Promise<void>;
  isClosed = false;
  #chunks: Buffer[] = [];
  #waiting: (() => void)[] = [];

  constructor(port: number, host = '127.0.0.1') {
    this.socket = createConnection({ port, host, noDelay: true, allowHalfOpen: true });
    let error = '';
    this.socket.on('error', (problem: NodeJS.ErrnoException) => {
      error = problem.code ?? problem.message;
    });
    this.socket.on('data', (bytes: Buffer) => {
      this.#chunks.push(bytes);
      this.#wake();
    });
    this.ended = new Promise((resolve) => {
      this.socket.once('end', resolve);
      this.socket.once('close', () => resolve());
    });
    // The client half of the connection ends with the proxy's, but only then.
    this.socket.once('end', () => this.socket.end());
    this.closed = new Promise((resolve) => {
      this.socket.once('close', () => {
        this.isClosed = true;
        this.#wake();
        resolve(error);
      });
    });
  }

  send(text: string | Buffer): this {
    if (typeof text === 'string') this.socket.write(text, 'latin1');
    else this.socket.write(text);
    return this;
  }

  /** One segment per byte, as far as the kernel lets us. */
  async drip(text: string): Promise<void> {
    for (const character of text) {
      if (this.isClosed) return;
      this.send(character);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** What has come and was not taken by `answer`. */
  get received(): string {
    return this.#bytes().toString('latin1');
  }

  /** Waits until `probe` of what has come is neither undefined nor false. Rejects once nothing more can come. */
  async until<T>(what: string, probe: (bytes: Buffer) => T | undefined | false, ms = TIMEOUT_MS): Promise<T> {
    const found = async (): Promise<T> => {
      for (;;) {
        const value = probe(this.#bytes());
        if (value !== undefined && value !== false) return value;
        if (this.isClosed) throw new Error(`the connection ended before ${what}: ${excerpt(this.#bytes())}`);
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
    };
    try {
      return await within(ms, what, found());
    } catch (error) {
      throw new Error(`${(error as Error).message}; there is ${excerpt(this.#bytes())}`);
    }
  }

  receives(text: string, ms?: number): Promise<boolean> {
    return this.until(JSON.stringify(text), (bytes) => bytes.includes(text, 0, 'latin1'), ms);
  }

  /** The next whole answer. */
  async answer(options: AnswerOptions = {}): Promise<Answer> {
    const { answer, end } = await this.until(
      'an answer',
      (bytes) => readAnswer(bytes, options, this.isClosed),
      options.ms,
    );
    this.#chunks = [this.#bytes().subarray(end)];
    return answer;
  }

  /** Sends, and gives the next answer. */
  ask(text: string | Buffer, options: AnswerOptions = {}): Promise<Answer> {
    return this.send(text).answer(options);
  }

  close(): void {
    this.socket.destroy();
  }

  #bytes(): Buffer {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]!;
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

function readAnswer(bytes: Buffer, options: AnswerOptions, isClosed: boolean) {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const head = bytes.toString('latin1', 0, headEnd + HEAD_END.length);
  const [line = '', ...lines] = head.slice(0, -HEAD_END.length).split('\r\n');
  const match = /^HTTP\/1\.1 (\d{3}) /.exec(line);
  if (match === null) throw new Error(`not a status line: ${JSON.stringify(line)}`);
  const headers = readFields(lines);
  const status = Number(match[1]);
  const found = readAnswerBody(bytes, head.length, { headers, status }, options, isClosed);
  if (found === undefined) return undefined;
  const { body, end, trailers = '' } = found;
  return { answer: { status, headers, head, body, text: body.toString('latin1'), trailers }, end };
}

function readAnswerBody(
  bytes: Buffer,
  start: number,
  head: Pick<Answer, 'headers' | 'status'>,
  { isHead = false, untilClose = false }: AnswerOptions,
  isClosed: boolean,
): { body: Buffer; end: number; trailers?: string } | undefined {
  const { status } = head;
  if (isHead || status < 200 || status === 204 || status === 304) return { body: Buffer.alloc(0), end: start };
  if (field(head, 'transfer-encoding') !== undefined) return readChunks(bytes, start);
  const length = field(head, 'content-length');
  if (length === undefined && !untilClose) throw new Error('an answer without a length');
  const end = length === undefined ? bytes.length : start + Number(length);
  if (length === undefined ? !isClosed : bytes.length < end) return undefined;
  return { body: bytes.subarray(start, end), end };
}

function excerpt(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1', 0, 300));
}
