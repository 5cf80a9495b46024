import { describe, expect, it } from 'vitest';
import { parseAutocannonOutput, secondsOf } from '../../../bench/load/autocannon.ts';
import { parseWrkOutput } from '../../../bench/load/wrk.ts';

function wrkOutput(errors: Partial<Record<'connect' | 'read' | 'write' | 'status' | 'timeout', number>>): string {
  const summary = { requests: 80_169, durationUs: 1_005_619, connect: 0, read: 0, write: 0, status: 0, timeout: 0 };
  return [
    'Running 1s test @ http://127.0.0.1:8080/small',
    '  1 threads and 64 connections',
    '  80.2k requests in 1.01s, 10.93MB read',
    'Requests/sec:  79721.05',
    `summary ${JSON.stringify({ ...summary, ...errors })}`,
    '',
  ].join('\n');
}

describe('the load generators', () => {
  it('takes the exact counts of wrk, not the rounded ones of its text', () => {
    expect(parseWrkOutput(wrkOutput({}))).toEqual({ requests: 80_169, seconds: 1.005619, problems: [] });
  });

  it('names every kind of error that wrk counted', () => {
    const { problems } = parseWrkOutput(wrkOutput({ connect: 1, read: 2, write: 3, status: 4, timeout: 5 }));
    expect(problems).toEqual([
      '1 connect errors',
      '2 read errors',
      '3 write errors',
      '5 timeouts',
      '4 answers that are not 2xx or 3xx',
    ]);
  });

  it('refuses the output of a wrk that did not finish', () => {
    expect(() => parseWrkOutput('unable to connect to 127.0.0.1:1 Connection refused\n')).toThrow('Connection refused');
  });

  it('counts only good answers of autocannon, and its timeouts once', () => {
    const summary = { duration: 4.02, errors: 3, timeouts: 2, resets: 1, non2xx: 7, '2xx': 1234, latency: { p99: 4 } };
    expect(parseAutocannonOutput(JSON.stringify(summary), 'kept')).toEqual({
      requests: 1234,
      seconds: 4.02,
      problems: ['1 socket errors', '2 timeouts', '1 resets', '7 answers that are not 2xx'],
    });
    expect(parseAutocannonOutput('{"duration":1,"errors":0,"timeouts":0,"non2xx":0,"2xx":5}', 'kept').problems).toEqual(
      [],
    );
  });

  it('knows the errors that autocannon makes itself where each request has a connection', () => {
    const problemsOf = (kind: 'kept' | 'fresh', errors: number) =>
      parseAutocannonOutput(JSON.stringify({ duration: 1, errors, timeouts: 0, '2xx': 10_000 }), kind).problems;
    expect(problemsOf('fresh', 10)).toEqual([]);
    expect(problemsOf('fresh', 11)).toEqual(['11 socket errors']);
    expect(problemsOf('kept', 1)).toEqual(['1 socket errors']);
  });

  it('gives autocannon the time in which each connection gets a body', () => {
    const secondsFor = (connections: number, mebibytes: number) =>
      secondsOf({ connections, bodyBytes: mebibytes * 2 ** 20, seconds: 2 });
    expect([secondsFor(64, 1 / 1024), secondsFor(64, 1), secondsFor(4, 16), secondsFor(65, 1)]).toEqual([2, 4, 4, 5]);
  });

  it('refuses what is no summary of autocannon', () => {
    expect(() => parseAutocannonOutput('{}', 'kept')).toThrow('not a summary');
    expect(() => parseAutocannonOutput('', 'kept')).toThrow();
  });
});
