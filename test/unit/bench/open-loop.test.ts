import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { encodeIntoCompressedBase64 } from 'hdr-histogram-js';
import { afterEach, describe, expect, it } from 'vitest';
import { AnswerReader } from '../../../bench/load/open-loop/answer-reader.ts';
import { poissonArrivals } from '../../../bench/load/open-loop/arrivals.ts';
import { makeHistogram, OpenLoopGenerator, type Outcome } from '../../../bench/load/open-loop/generator.ts';
import { mergeHistograms } from '../../../bench/load/open-loop/open-loop.ts';
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

describe('the reader of answers', () => {
  const answer = 'HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello';
  const read = (...pieces: string[]) => {
    const reader = new AnswerReader();
    return pieces.map((piece) => reader.read(Buffer.from(piece, 'latin1')));
  };

  it('finds the end wherever the bytes are cut', () => {
    for (let cut = 1; cut < answer.length; cut++) {
      expect(read(answer.slice(0, cut), answer.slice(cut)), `cut at ${cut}`).toEqual(['more', 'whole']);
    }
    expect(read(answer, answer)).toEqual(['whole', 'whole']);
    expect(read(answer.replace('5', '0').replace('hello', ''))).toEqual(['whole']);
  });

  it('says what is wrong', () => {
    expect(read(answer.replace('200', '503'))).toEqual([{ problem: 'answers that are not 2xx' }]);
    expect(read(answer.replace('Content-Length', 'Length'))).toEqual([{ problem: 'answers without a length' }]);
    expect(read(`${answer}!`)).toEqual([{ problem: 'answers longer than they said' }]);
    expect(read('HTTP/1.1 200 OK\r\n'.padEnd(20_000, 'a'))).toEqual([{ problem: 'answers with an endless head' }]);
  });
});

describe('the open-loop generator', () => {
  let server: Server | undefined;
  let generator: OpenLoopGenerator | undefined;
  afterEach(() => {
    generator?.close();
    server?.close();
  });

  const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  /** 1,000 requests per second for a second. */
  const ARRIVALS = Float64Array.from({ length: 1_000 }, (_, index) => index * 1_000);

  async function play(onRequest: (socket: Socket) => void, connections = 1): Promise<Outcome> {
    server = createServer((socket) => {
      socket.setNoDelay(true).on('error', () => {});
      socket.on('data', () => onRequest(socket));
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    generator = new OpenLoopGenerator('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await generator.connect((server.address() as AddressInfo).port, connections);
    return generator.run({ arrivals: ARRIVALS, warmUpUs: 100_000, endUs: 1_500_000 });
  }

  it('sends every request once, and measures all but those of the warm-up', async () => {
    let requests = 0;
    const outcome = await play((socket) => {
      requests++;
      socket.write(OK);
    }, 8);
    expect(outcome.problems).toEqual([]);
    expect(requests).toBe(1_000);
    expect(outcome.latency.totalCount).toBe(900);
    expect(outcome.lateness.totalCount).toBe(900);
  });

  it('charges a stall to all whom it kept waiting, not to one request', async () => {
    let requests = 0;
    const outcome = await play((socket) => {
      const isStall = ++requests === 300;
      setTimeout(() => socket.write(OK), isStall ? 400 : 0);
    });
    expect(outcome.problems).toEqual([]);
    // One answer of a thousand was late. Of those due in 400 ms of a second, three quarters waited for 100 ms or more.
    expect(outcome.latency.getValueAtPercentile(75)).toBeGreaterThan(100_000);
    expect(outcome.latency.maxValue).toBeGreaterThan(395_000);
    // The generator was not late: it had no free connection.
    expect(outcome.lateness.getValueAtPercentile(50)).toBeLessThan(20_000);
  });

  it('says what went wrong', async () => {
    expect((await play((socket) => socket.destroy())).problems).toEqual(['1 connections that were closed']);
    server?.close();
    const refused = OK.replace('200 OK', '502 Bad Gateway');
    expect((await play((socket) => socket.write(refused))).problems).toContain('1 answers that are not 2xx');
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
    const summary = (lateUs: number) =>
      summarizeLatency([{ latency: encoded(100, 200, 400), lateness: encoded(1, lateUs), problems: [] }]);
    expect(summary(50)).toMatchObject({ p50Us: 200, p99Us: 400, latenessP99Us: 50, problems: [] });
    expect(isGeneratorBottleneck(summary(50))).toBe(false);
    expect(isGeneratorBottleneck(summary(150))).toBe(true);
  });
});
