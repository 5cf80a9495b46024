/** Thousands of clients that take their time, each in its own way, and one that does not and must not notice. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { constants, setPriority } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { BODY_RATE_WINDOW_MS } from '../../src/l7/upload-watch.ts';
import { HttpClient } from '../integration/http-client.ts';
import { residentBytes } from '../integration/process-memory.ts';
import { ENGINES, ProxyProcess } from '../integration/proxy-process.ts';
import { BodyCheck } from './body.ts';
import { Child } from './child.ts';
import { problemOf } from './load/ask.ts';
import type { HealthyOrder, HealthyReport } from './load/healthy.ts';
import { pause } from './load/pacer.ts';
import { requestText } from './load/raw-requests.ts';
import { drip } from './load/requests.ts';
import { Tally } from './load/tally.ts';
import type { OriginPorts, OriginReport } from './origin/main.ts';

const KIB = 1024;
const SLOW_HEADS = 2_000;
const SLOW_READERS = 500;
/** How much less the node engine is given: it is the fallback, and one thread of Node's own streams. */
const FALLBACK_PART = 8;
/** Bodies that drip, and are told to go; and bodies that are slow but quick enough. */
const SLOW_BODIES = 500;
const SLOW_UPLOADS = 100;
/** The default of a listener. */
const HEAD_TIMEOUT_MS = 10_000;
const TOLERANCE_MS = 1_000;
const REST_MS = 1_000;
/** More than the buffers of the kernel along the way take. */
const LARGE_BODY_BYTES = 32 * KIB * KIB;
const UPLOAD_BYTES = 40 * KIB;
const BODY_BYTES_PER_S = 10;
const READING_MS = 20_000;
/** In which they come: thousands of connects in one moment would be a burst, which is another matter than their being slow. */
const ARRIVAL_MS = 5_000;
const HEALTHY_PER_SECOND = 200;
/** How long the healthy client is watched before the others come. */
const BASE_MS = 10_000;
/** The healthy client's p99 may grow to so many times its base. */
const P99_FACTOR_MAX = 2;
const BYTES_PER_READER = 512 * KIB;
const SAMPLE_EVERY_MS = 500;
const REPORT_TIMEOUT_MS = 60_000;

const children: { kill: () => void }[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill();
});

async function startChild<Started, Report>(path: string, argument?: unknown): Promise<Child<Started, Report>> {
  const child = await Child.start<Started, Report>(path, argument);
  children.push(child);
  return child;
}

describe.each(ENGINES)('slow clients, the %s engine', (engine) => {
  it('neither hurt others nor cost memory, and slow heads are told to go in time', async () => {
    // Two, so that the healthy client does not wait for an origin that is busy with the others.
    const slow = await startChild<OriginPorts, OriginReport>('origin/main.ts');
    const quick = await startChild<OriginPorts, OriginReport>('origin/main.ts');
    const cluster = ({ started }: typeof slow) => ({ endpoints: started.steady.map((port) => `127.0.0.1:${port}`) });
    const proxy = await ProxyProcess.start({
      engine,
      shards: engine === 'native' ? 2 : 1,
      listeners: {
        web: {
          address: '127.0.0.1:0',
          routes: [{ match: { path: '/healthy/*' }, cluster: 'quick' }, { cluster: 'slow' }],
        },
      },
      clusters: { quick: cluster(quick), slow: cluster(slow) },
    });
    const port = proxy.port('web');
    const part = engine === 'native' ? 1 : FALLBACK_PART;
    try {
      const order: HealthyOrder = { port, perSecond: HEALTHY_PER_SECOND };
      const before = await startChild<object, HealthyReport>('load/healthy.ts', order);
      await pause(BASE_MS);
      const base = await before.stop(REPORT_TIMEOUT_MS);
      const healthy = await startChild<object, HealthyReport>('load/healthy.ts', order);
      // They share the cores with the proxy, its healthy client and that one's origin, which go first: the load is not what is measured.
      setPriority(slow.pid, constants.priority.PRIORITY_LOW);
      setPriority(process.pid, constants.priority.PRIORITY_LOW);
      const baseBytes = residentBytes(proxy.pid);
      const memory = watchMemory(proxy.pid);
      const tally = new Tally();
      await Promise.all([
        ...come(SLOW_HEADS / part, () => tally.run('slow-head', () => slowHead(port))),
        ...come(SLOW_BODIES / part, () => tally.run('slow-body', () => slowBody(port, tally.nextId('slow-body')))),
        ...come(SLOW_READERS / part, () =>
          tally.run('slow-reader', () => slowReader(port, tally.nextId('slow-reader'))),
        ),
        ...come(SLOW_UPLOADS / part, () => tally.run('slow-upload', () => slowUpload(port, tally))),
      ]);
      const mostBytes = memory.stop();
      const healthyReport = await healthy.stop(REPORT_TIMEOUT_MS);
      const { failures } = await slow.stop(REPORT_TIMEOUT_MS);
      console.log(
        engine,
        JSON.stringify({
          done: tally.done,
          failures: tally.failures,
          baseBytes,
          mostBytes,
          base,
          healthy: healthyReport,
        }),
      );

      expect(healthyReport).toMatchObject({ failures: { count: 0 }, skippedCount: 0 });
      expect(healthyReport.doneCount).toBeGreaterThan(0);
      expect(healthyReport.p99Ms).toBeLessThan(P99_FACTOR_MAX * base.p99Ms);
      expect(tally.failures.first).toEqual([]);
      expect(failures.first, 'what the origin should not have seen').toEqual([]);
      expect(mostBytes).toBeLessThan(baseBytes + SLOW_READERS * BYTES_PER_READER);
      expect((await proxy.stop()).code).toBe(0);
    } finally {
      setPriority(process.pid, constants.priority.PRIORITY_NORMAL);
      proxy.signal('SIGKILL');
    }
  });
});

/** So many visitors, one after the other. */
function come(count: number, visit: () => Promise<unknown>): Promise<unknown>[] {
  return Array.from({ length: count }, async (_, index) => {
    await pause((ARRIVAL_MS * index) / count);
    return visit();
  });
}

/** The most resident memory until `stop`. */
function watchMemory(pid: number): { stop: () => number } {
  let most = 0;
  const look = () => {
    most = Math.max(most, residentBytes(pid));
  };
  const timer = setInterval(look, SAMPLE_EVERY_MS);
  return {
    stop: () => {
      clearInterval(timer);
      look();
      return most;
    },
  };
}

/** One byte a second, without an end: 408, and the connection ends, both in time. */
async function slowHead(port: number): Promise<string> {
  const startMs = performance.now();
  const client = new HttpClient(port);
  const text = `GET /must-not-arrive HTTP/1.1\r\nHost: slow.test\r\nx: ${'x'.repeat(1_000)}`;
  let sentCount = 0;
  const timer = setInterval(() => client.send(text[sentCount++]!), REST_MS);
  try {
    const { status } = await client.answer({ ms: 2 * HEAD_TIMEOUT_MS });
    await client.ended;
    const tookMs = performance.now() - startMs;
    if (status !== 408) return `status ${status}`;
    return lateness(tookMs, HEAD_TIMEOUT_MS);
  } finally {
    clearInterval(timer);
    client.close();
  }
}

/** What is wrong with being told to go after `tookMs`, or nothing. */
function lateness(tookMs: number, dueMs: number): string {
  if (tookMs < dueMs) return `told to go after ${tookMs} ms already`;
  return tookMs <= dueMs + TOLERANCE_MS ? '' : `told to go after ${tookMs} ms only`;
}

/** Some bytes a second, without an end: 408 at the end of the first window. */
async function slowBody(port: number, id: string): Promise<string> {
  const client = new HttpClient(port);
  await once(client.socket, 'connect');
  const length = 1_000_000;
  // Before it is sent: the clock of the proxy begins no sooner.
  const startMs = performance.now();
  client.send(requestText('POST', 'upload', length, id, [`Content-Length: ${length}`]));
  const timer = setInterval(() => client.send('x'.repeat(BODY_BYTES_PER_S)), REST_MS);
  try {
    const { status } = await client.answer({ ms: 4 * BODY_RATE_WINDOW_MS });
    const tookMs = performance.now() - startMs;
    return status === 408 ? lateness(tookMs, BODY_RATE_WINDOW_MS) : `status ${status}`;
  } finally {
    clearInterval(timer);
    client.close();
  }
}

/** Takes a little every second, then leaves. What it got has to be right. */
function slowReader(port: number, id: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const check = new BodyCheck(id);
  let hasHead = false;
  let error = '';
  const take = (bytes: Buffer) => {
    const headEnd = hasHead ? 0 : bytes.indexOf('\r\n\r\n') + 4;
    hasHead = true;
    check.take(bytes.subarray(headEnd));
    socket.pause();
    setTimeout(() => socket.resume(), REST_MS);
  };
  socket.on('data', take);
  socket.on('error', (problem) => {
    error = problem.message;
  });
  socket.write(requestText('GET', 'bytes', LARGE_BODY_BYTES, id));
  return new Promise((resolve) => {
    setTimeout(() => {
      if (socket.destroyed || socket.readableEnded) error ||= 'the answer has ended';
      if (check.byteCount === 0) error ||= 'nothing was received';
      socket.destroy();
      resolve(error || check.problem(check.byteCount));
    }, READING_MS);
  });
}

/** 2 KiB every second, to the end: the upload is slow, not wrong. */
function slowUpload(port: number, tally: Tally): Promise<string> {
  const id = tally.nextId('slow-upload');
  const headers = { 'content-length': UPLOAD_BYTES };
  const body = drip(id, UPLOAD_BYTES, 2 * KIB, REST_MS);
  return problemOf({ port, agent: false, tally, kind: 'upload', size: UPLOAD_BYTES, id, headers, body });
}
