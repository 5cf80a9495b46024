import { connect, type Socket } from 'node:net';
import { build, type Histogram } from 'hdr-histogram-js';
import { AnswerReader } from './answer-reader.ts';

const HIGHEST_US = 60_000_000;
const SIGNIFICANT_DIGITS = 3;
const RECEIVE_BYTES = 64 * 1024;
/** How long answers are waited for once the last request is due. */
const DRAIN_MS = 2_000;
const CONNECT_DEADLINE_MS = 10_000;
/** Opened at a time, so that no accept queue overflows. */
const OPENED_AT_ONCE = 32;

export interface Schedule {
  /** When each request is due, microseconds from the start, ascending. */
  readonly arrivals: Float64Array;
  /** Arrivals before this are sent, not measured. */
  readonly warmUpUs: number;
  /** When to stop, whatever is still due. */
  readonly endUs: number;
}

export interface Outcome {
  /** Microseconds from when a request was due to when its answer was whole. */
  readonly latency: Histogram;
  /** Microseconds by which the generator itself was late: a connection was free, and the request had not left. */
  readonly lateness: Histogram;
  /** Answers that came before the end, those of the warm-up included. */
  readonly answered: number;
  readonly elapsedUs: number;
  readonly problems: readonly string[];
}

interface Connection {
  readonly socket: Socket;
  readonly reader: AnswerReader;
  /** When its request was due. */
  dueUs: number;
}

/**
 * An open-loop client on one thread: requests leave when they are due, on whichever connection is free, and are measured from when they were due.
 * Where all connections are busy they wait, and that counts too: a proxy that stalls is charged for all whom it keeps waiting. (A closed loop
 * would stop asking meanwhile; Gil Tene calls that coordinated omission.) It turns without sleeping, since no timer of Node is as exact as the
 * schedule.
 */
export class OpenLoopGenerator {
  readonly #request: string;
  readonly #connections: Connection[] = [];
  /** Those without a request: a stack. */
  readonly #free: Connection[] = [];
  readonly #latency = makeHistogram();
  readonly #lateness = makeHistogram();
  readonly #problems = new Map<string, number>();
  #schedule: Schedule = { arrivals: new Float64Array(0), warmUpUs: 0, endUs: 0 };
  #startMs = 0;
  #next = 0;
  #answered = 0;
  /** When all connections were last seen busy: what was due until then did not wait for the generator. */
  #busyUntilUs = 0;
  #isClosing = false;

  /** `request`: the bytes of one request, latin1. */
  constructor(request: string) {
    this.#request = request;
  }

  /** Opens the connections to a port of 127.0.0.1. Throws if they are not all there in time. */
  async connect(port: number, count: number): Promise<void> {
    while (this.#connections.length < count) {
      const batch = Math.min(OPENED_AT_ONCE, count - this.#connections.length);
      const opened = await Promise.all(Array.from({ length: batch }, () => this.#open(port)));
      this.#connections.push(...opened);
      this.#free.push(...opened);
    }
  }

  /** Plays a schedule. Once. */
  async run(schedule: Schedule): Promise<Outcome> {
    this.#schedule = schedule;
    this.#startMs = performance.now();
    const { arrivals, endUs } = schedule;
    let nowUs = 0;
    for (; this.#next < arrivals.length && nowUs < endUs && this.#problems.size === 0; nowUs = this.#nowUs()) {
      this.#sendDue(nowUs);
      await nextTurn();
    }
    const answered = this.#answered;
    await this.#drain();
    return {
      latency: this.#latency,
      lateness: this.#lateness,
      answered,
      elapsedUs: nowUs,
      problems: [...this.#problems].map(([problem, times]) => `${times} ${problem}`),
    };
  }

  close(): void {
    this.#isClosing = true;
    for (const { socket } of this.#connections) socket.destroy();
  }

  #open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      // One buffer for each connection, and no stream in the way of what arrives.
      const buffer = Buffer.allocUnsafeSlow(RECEIVE_BYTES);
      const callback = (length: number): boolean => {
        this.#received(connection, buffer.subarray(0, length));
        return true;
      };
      const socket = connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer, callback } });
      const connection: Connection = { socket, reader: new AnswerReader(), dueUs: 0 };
      const timer = setTimeout(() => reject(new Error('a connection did not open in time')), CONNECT_DEADLINE_MS);
      socket.once('connect', () => {
        clearTimeout(timer);
        resolve(connection);
      });
      socket.on('error', (error) => {
        reject(error);
        this.#fail('connection errors');
      });
      socket.once('close', () => this.#fail('connections that were closed'));
    });
  }

  #nowUs(): number {
    return (performance.now() - this.#startMs) * 1000;
  }

  /** Sends what is due, as far as there are connections. */
  #sendDue(nowUs: number): void {
    const { arrivals, warmUpUs, endUs } = this.#schedule;
    while (this.#next < arrivals.length && arrivals[this.#next]! <= nowUs && nowUs < endUs) {
      const connection = this.#free.pop();
      if (connection === undefined) {
        this.#busyUntilUs = nowUs;
        return;
      }
      const dueUs = arrivals[this.#next]!;
      this.#next++;
      if (dueUs >= warmUpUs) this.#lateness.recordValue(inRange(nowUs - Math.max(dueUs, this.#busyUntilUs)));
      connection.dueUs = dueUs;
      connection.socket.write(this.#request, 'latin1');
    }
  }

  #received(connection: Connection, bytes: Buffer): void {
    const reading = connection.reader.read(bytes);
    if (reading === 'more') return;
    if (reading !== 'whole') {
      this.#fail(reading.problem);
      return;
    }
    const nowUs = this.#nowUs();
    this.#answered++;
    const { dueUs } = connection;
    if (dueUs >= this.#schedule.warmUpUs) this.#latency.recordValue(inRange(nowUs - dueUs));
    this.#free.push(connection);
    this.#sendDue(nowUs);
  }

  async #drain(): Promise<void> {
    this.#next = this.#schedule.arrivals.length;
    const deadline = performance.now() + DRAIN_MS;
    const isDone = (): boolean => this.#free.length === this.#connections.length || this.#problems.size > 0;
    while (!isDone() && performance.now() < deadline) await nextTurn();
    if (this.#problems.size > 0) return;
    for (let missing = this.#connections.length - this.#free.length; missing > 0; missing--) {
      this.#fail('requests without an answer');
    }
  }

  #fail(problem: string): void {
    if (!this.#isClosing) this.#problems.set(problem, (this.#problems.get(problem) ?? 0) + 1);
  }
}

/** Of microseconds: 1 to a minute, with three significant digits. */
export function makeHistogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST_US,
    numberOfSignificantValueDigits: SIGNIFICANT_DIGITS,
  });
}

function inRange(us: number): number {
  return Math.min(HIGHEST_US, Math.max(1, Math.round(us)));
}

/** Lets Node look for what has arrived, and comes back without sleeping. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
