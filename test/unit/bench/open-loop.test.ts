import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { encodeIntoCompressedBase64 } from 'hdr-histogram-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ChildProcesses, findProgram } from '../../../bench/child-processes.ts';
import { poissonArrivals } from '../../../bench/load/open-loop/arrivals.ts';
import {
  makeHistogram,
  mergeHistograms,
  OpenLoop,
  type Order,
  type Report,
} from '../../../bench/load/open-loop/open-loop.ts';
import { freePorts } from '../../../bench/ports.ts';
import { isGeneratorBottleneck, summarizeLatency } from '../../../bench/results.ts';

describe('arrivals', () => {
  const arrivals = poissonArrivals(10_000, 10, 7);

  it('are of the rate, ascending, and within the time', () => {
    // The count of a Poisson process has a deviation of its root: 316. Five of them.
    expect(Math.abs(arrivals.length - 100_000)).toBeLessThan(5 * 316);
    expect(arrivals).toEqual(arrivals.toSorted());
    expect(arrivals[0]).toBeGreaterThan(0);
    expect(arrivals.at(-1)).toBeLessThan(10_000_000);
  });

  it('have gaps as independent clients make them: their deviation is their mean', () => {
    const gaps = Array.from(arrivals.slice(1), (at, index) => at - arrivals[index]!);
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
    expect(mean).toBeCloseTo(100, -1);
    expect(deviation / mean).toBeGreaterThan(0.97);
    expect(deviation / mean).toBeLessThan(1.03);
  });

  it('are the same for the same seed, and others for another', () => {
    expect(poissonArrivals(10_000, 10, 7)).toEqual(arrivals);
    expect(poissonArrivals(10_000, 10, 8)).not.toEqual(arrivals);
  });
});

describe.skipIf(findProgram('c++') === undefined)('the open-loop generator', () => {
  const children = new ChildProcesses();
  let directory = '';
  let openLoop: OpenLoop;
  let server: Server | undefined;
  beforeAll(async () => {
    directory = await mkdtemp(`${tmpdir()}/fourseven-test-`);
    openLoop = await OpenLoop.build(children, directory);
  }, 60_000);
  afterEach(() => server?.close());
  afterAll(async () => {
    await children.endAll();
    await rm(directory, { recursive: true });
  });

  const OK = 'HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello';
  /** 1,000 requests per second for a second. */
  const ARRIVALS = Float64Array.from({ length: 1_000 }, (_, index) => index * 1_000);

  /** Calls back for each request, once it is whole. */
  async function play(onRequest: (socket: Socket) => void, order: Partial<Order> = {}): Promise<Report> {
    server = createServer((socket) => {
      socket.setNoDelay(true).on('error', () => {});
      socket.on('data', () => onRequest(socket));
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const usual = { port, path: '/', connections: 1, arrivals: ARRIVALS, warmUpUs: 100_000, endUs: 1_500_000 };
    return openLoop.run({ ...usual, ...order });
  }

  it('sends every request once, and measures all but those of the warm-up', async () => {
    let requests = 0;
    const report = await play(
      (socket) => {
        requests++;
        socket.write(OK);
      },
      { connections: 8 },
    );
    expect(report.problems).toEqual([]);
    expect(requests).toBe(1_000);
    expect(mergeHistograms([report.latency]).totalCount).toBe(900);
    expect(mergeHistograms([report.lateness]).totalCount).toBe(900);
  });

  it('charges a stall to all whom it kept waiting, not to one request', async () => {
    let requests = 0;
    const report = await play((socket) => {
      if (++requests === 300) setTimeout(() => socket.write(OK), 400);
      else socket.write(OK);
    });
    expect(report.problems).toEqual([]);
    const latency = mergeHistograms([report.latency]);
    // One answer of a thousand was late. Of those due in the 400 ms, three quarters waited for 100 ms or more: 300 of the 900 measured.
    expect(latency.getValueAtPercentile(75)).toBeGreaterThan(100_000);
    expect(latency.maxValue).toBeGreaterThan(395_000);
    // The generator was not late: it had no free connection.
    expect(mergeHistograms([report.lateness]).getValueAtPercentile(75)).toBeLessThan(20_000);
  });

  it('asks for as much as is answered, until the end', async () => {
    const report = await play((socket) => socket.write(OK), { connections: 4, arrivals: 'saturating', endUs: 300_000 });
    expect(report.problems).toEqual([]);
    expect(report.answeredPerSecond).toBeGreaterThan(1_000);
  });

  it('finds the end of an answer wherever its bytes are cut', async () => {
    let cut = 0;
    const report = await play(
      (socket) => {
        cut = (cut % (OK.length - 1)) + 1;
        socket.write(OK.slice(0, cut));
        setImmediate(() => socket.write(OK.slice(cut)));
      },
      { arrivals: ARRIVALS.subarray(0, 3 * OK.length), warmUpUs: 0 },
    );
    expect(report.problems).toEqual([]);
    expect(mergeHistograms([report.latency]).totalCount).toBe(3 * OK.length);
  });

  it.each([
    [OK.replace('200', '503'), 'an answer that is not 2xx'],
    [OK.replace('Content-Length', 'Length'), 'an answer without a length'],
    [`${OK}!`, 'an answer longer than it said'],
    ['HTTP/1.1 200 OK\r\n'.padEnd(20_000, 'a'), 'an endless head'],
  ])('says what is wrong: %#', async (answer, problem) => {
    expect((await play((socket) => socket.write(answer))).problems).toEqual([problem]);
  });

  it('says when a connection is closed, or none can be had', async () => {
    expect((await play((socket) => socket.end())).problems).toEqual(['a connection was closed']);
    const [port = 0] = await freePorts(1);
    const refused = await play(() => {}, { port });
    expect(refused.problems).toEqual(['no connection: Connection refused']);
  });
});

describe('latencies of several rounds', () => {
  const encoded = (...valuesUs: number[]): string => {
    const histogram = makeHistogram();
    for (const value of valuesUs) histogram.recordValue(value);
    return encodeIntoCompressedBase64(histogram);
  };

  it('are merged before a percentile is taken', () => {
    const merged = mergeHistograms([encoded(10, 10, 10), encoded(1_000)]);
    expect(merged.totalCount).toBe(4);
    expect(merged.getValueAtPercentile(50)).toBe(10);
    expect(merged.maxValue).toBe(1_000);
  });

  it('say when the generator may have been what was measured', () => {
    const asked = { ratePerSecond: 700, saturationPerSecond: 1_000, saturationBusy: 1 };
    const summary = (lateUs: number) =>
      summarizeLatency([
        {
          latency: encoded(100, 200, 400),
          lateness: encoded(1, lateUs),
          stolenMs: 0,
          busy: 0.7,
          ...asked,
          problems: [],
        },
      ]);
    expect(summary(50)).toMatchObject({ p50Us: 200, p99Us: 400, latenessP99Us: 50, problems: [] });
    expect(isGeneratorBottleneck(summary(50))).toBe(false);
    expect(isGeneratorBottleneck(summary(150))).toBe(true);
  });
});
