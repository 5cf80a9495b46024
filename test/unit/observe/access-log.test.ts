import { beforeEach, describe, expect, test } from 'vitest';
import { AccessEntry, EntryText } from '../../../src/observe/access/access-entry.ts';
import {
  type AccessBatch,
  type AccessLogPlan,
  AccessLogs,
  UNDER_WAY_MAX,
} from '../../../src/observe/access/access-log.ts';
import { COMPOSERS } from './composers.ts';

const PLAN: AccessLogPlan = { format: 'json', target: '/log', only: 'all', sample: 1 };
const BEGAN_MS = Date.UTC(2026, 10, 29, 21, 16, 55, 42);

describe.each(COMPOSERS)('put together by %s', (_, composer) => {
  let batches: AccessBatch[];
  let random: number;
  let nowMs: number;
  /** Whether batches are given back at once. */
  let areTaken: boolean;
  let logs: AccessLogs;

  beforeEach(() => {
    batches = [];
    random = 0.5;
    nowMs = BEGAN_MS;
    areTaken = false;
    logs = new AccessLogs({
      post: (batch) => {
        batches.push(areTaken ? { ...batch, buffer: batch.buffer.slice() } : batch);
        if (areTaken) logs.taken(batch.buffer);
      },
      random: () => random,
      wallMs: () => nowMs,
      composer,
    });
  });

  function entry(
    more: Partial<AccessEntry> = {},
    texts: Partial<Record<keyof typeof EntryText, string>> = {},
  ): AccessEntry {
    const entry = new AccessEntry();
    entry.reset();
    const all = { METHOD: 'GET', TARGET: '/a?b', HOST: 'example.com', CLIENT: '10.0.0.7', ...texts };
    for (const [name, text] of Object.entries(all)) {
      const bytes = Buffer.from(text, 'latin1');
      entry.put(EntryText[name as keyof typeof EntryText], bytes, 0, bytes.length);
    }
    return Object.assign(
      entry,
      { status: 200, port: 4711, route: 'all', cluster: 'api', endpoint: '10.0.0.1:80', attempts: 1 },
      more,
    );
  }

  function written(): string {
    logs.flush();
    return batches.map(({ buffer, length }) => Buffer.from(buffer.subarray(0, length)).toString('latin1')).join('');
  }

  function log(plan: Partial<AccessLogPlan> = {}) {
    return logs.logOf('web', { ...PLAN, ...plan })!;
  }

  describe('a line of JSON', () => {
    test('tells everything of an exchange', () => {
      log().exchange(
        entry({
          durationMs: 0,
          firstByteMs: 3.25,
          waitMs: 1,
          connectMs: 0.5,
          responseBytes: 123_456_789_012,
          requestBytes: 42,
        }),
      );
      expect(JSON.parse(written())).toEqual({
        time: '2026-11-29T21:16:55.042Z',
        listener: 'web',
        client: '10.0.0.7',
        port: 4711,
        method: 'GET',
        host: 'example.com',
        target: '/a?b',
        protocol: 'HTTP/1.1',
        status: 200,
        route: 'all',
        cluster: 'api',
        endpoint: '10.0.0.1:80',
        attempts: 1,
        reason: 'ok',
        endedBy: '-',
        phase: 'done',
        bytesReceived: 42,
        bytesSent: 123_456_789_012,
        durationMs: 0,
        waitMs: 1,
        connectMs: 0.5,
        firstByteMs: 3.25,
      });
    });

    test('begins when the exchange began, and leaves out what does not apply', () => {
      log().exchange(entry({ durationMs: 1_042, route: '', cluster: '', endpoint: '', attempts: 0 }, { HOST: '' }));
      const line = JSON.parse(written());
      expect(line.time).toBe('2026-11-29T21:16:54.000Z');
      expect(Object.keys(line)).not.toEqual(
        expect.arrayContaining(['route', 'cluster', 'endpoint', 'host', 'waitMs', 'firstByteMs']),
      );
    });

    test('tells when each began, however long they took', () => {
      const web = log();
      for (const durationMs of [0, 5_000, 0, 21_000, 5_000, 0]) web.exchange(entry({ durationMs }));
      const times = written()
        .trim()
        .split('\n')
        .map((line) => Date.parse(JSON.parse(line).time) - BEGAN_MS);
      expect(times).toEqual([0, -5_000, 0, -21_000, -5_000, 0]);
    });

    test('is valid whatever bytes a client sent', () => {
      const all = String.fromCharCode(...Array.from({ length: 256 }, (_, value) => value));
      log().exchange(entry({}, { TARGET: all, USER_AGENT: '"\\\n', REFERER: 'é' }));
      const line = JSON.parse(written());
      expect(line.target).toBe(all);
      expect(line.userAgent).toBe('"\\\n');
      expect(line.referer).toBe('é');
    });

    test('says who ended it, why and when', () => {
      const failed = entry({ status: 504 });
      failed.failed('response_timeout', 'upstream', 'response-head');
      log().exchange(failed);
      expect(JSON.parse(written())).toMatchObject({
        reason: 'response_timeout',
        endedBy: 'upstream',
        phase: 'response-head',
      });
    });

    test('does not take one endpoint for another', () => {
      const web = log();
      for (const [route, endpoint] of [
        ['a', 'x'],
        ['a', 'y'],
        ['b', 'x'],
        ['a', 'x'],
      ] as const)
        web.exchange(entry({ route, endpoint }));
      const lines = written()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(lines.map(({ route, endpoint }) => route + endpoint)).toEqual(['ax', 'ay', 'bx', 'ax']);
    });

    test('tells more seconds and endpoints than it remembers', () => {
      areTaken = true;
      const web = log();
      const count = 12_000;
      for (let index = 0; index < count; index++) {
        nowMs = BEGAN_MS + 1_000 * index;
        web.exchange(entry({ endpoint: `10.0.${index % 3_000}.1:80` }));
      }
      const lines = written().trim().split('\n');
      expect(lines).toHaveLength(count);
      lines.forEach((text, index) => {
        const line = JSON.parse(text);
        expect(Date.parse(line.time)).toBe(BEGAN_MS + 1_000 * index);
        expect(line.endpoint).toBe(`10.0.${index % 3_000}.1:80`);
      });
    });

    test('tells a session without what only requests have', () => {
      log().session(entry({ requestBytes: 7, responseBytes: 8, connectMs: 2 }, { METHOD: '', TARGET: '', HOST: '' }));
      const line = JSON.parse(written());
      expect(line).toMatchObject({ cluster: 'api', bytesReceived: 7, bytesSent: 8, connectMs: 2 });
      expect(line.status).toBeUndefined();
    });
  });

  describe('a combined line', () => {
    test('is the one that Apache writes', () => {
      log({ format: 'combined' }).exchange(
        entry({ responseBytes: 5, versionMinor: 0 }, { REFERER: 'http://r/', USER_AGENT: 'a "b" \u0001' }),
      );
      expect(written()).toBe(
        '10.0.0.7 - - [29/Nov/2026:21:16:55 +0000] "GET /a?b HTTP/1.0" 200 5 "http://r/" "a \\x22b\\x22 \\x01"\n',
      );
    });

    test('has dashes for what is not there, and 499 for who left without an answer', () => {
      log({ format: 'combined' }).exchange(entry({ status: 0 }, { METHOD: '', TARGET: '' }));
      expect(written()).toBe('10.0.0.7 - - [29/Nov/2026:21:16:55 +0000] "-" 499 0 "-" "-"\n');
    });

    test('tells of a session where it went and how it ended', () => {
      const session = entry({ requestBytes: 1, responseBytes: 2, durationMs: 42 });
      session.failed('endpoint_reset', 'upstream', 'tunnel');
      log({ format: 'combined' }).session(session);
      expect(written()).toBe(
        '10.0.0.7 - - [29/Nov/2026:21:16:55 +0000] web api 10.0.0.1:80 endpoint_reset upstream 1 2 42.000\n',
      );
    });
  });

  describe('what is told', () => {
    const told = (plan: Partial<AccessLogPlan>, more: Partial<AccessEntry>) => {
      log(plan).exchange(entry(more));
      return written() !== '';
    };

    test.each([
      [{ only: 'errors' }, { status: 200 }, false],
      [{ only: 'errors' }, { status: 399 }, false],
      [{ only: 'errors' }, { status: 400 }, true],
      [{ only: 'errors' }, { status: 200, reason: 'response_cut' }, true],
      [{ slowerThanMs: 100 }, { durationMs: 99 }, false],
      [{ slowerThanMs: 100 }, { durationMs: 100 }, true],
      [{ slowerThanMs: 100 }, { durationMs: 1, status: 500 }, false],
      [{ only: 'errors', slowerThanMs: 100 }, { durationMs: 1, status: 500 }, true],
      [{ only: 'errors', slowerThanMs: 100 }, { durationMs: 200, status: 200 }, true],
      [{ sample: 0.5 }, {}, false],
      [{ sample: 0.51 }, {}, true],
    ] as const)('with %j of %j: %s', (plan, more, expected) => {
      expect(told(plan as Partial<AccessLogPlan>, more)).toBe(expected);
    });
  });

  describe('batches', () => {
    test('are handed on when they are full, and never hold half a line', () => {
      areTaken = true;
      const web = log();
      const long = entry(
        {},
        { TARGET: '\u0001'.repeat(3_000), REFERER: '\u0001'.repeat(600), USER_AGENT: '\u0001'.repeat(600) },
      );
      for (let count = 0; count < 200; count++) web.exchange(long);
      expect(batches.length).toBeGreaterThan(0);
      const lines = written().trim().split('\n');
      expect(lines).toHaveLength(200);
      expect(lines.map((line) => JSON.parse(line).target.length)).toEqual(Array(200).fill(2_048));
    });

    test('are whole, whatever the lengths of those before', () => {
      const web = log();
      const targets = Array.from({ length: 5_000 }, (_, index) => `/${'x'.repeat(index % 13)}${index}`);
      for (const TARGET of targets) web.exchange(entry({}, { TARGET }));
      const lines = written().trim().split('\n');
      expect(lines.map((line) => JSON.parse(line).target)).toEqual(targets);
    });

    test('are dropped and counted while too many are under way, until one was taken', () => {
      const web = log();
      for (let count = 0; count < UNDER_WAY_MAX + 2; count++) {
        web.exchange(entry());
        logs.flush();
      }
      expect(batches).toHaveLength(UNDER_WAY_MAX);
      expect(logs.dropped()).toEqual([{ listener: 'web', count: 2 }]);
      logs.taken(batches[0]!.buffer);
      web.exchange(entry());
      logs.flush();
      expect(batches).toHaveLength(UNDER_WAY_MAX + 1);
    });

    test('are read where they were gathered: no memory is given away, which would slow down every access to an array', () => {
      log().exchange(entry());
      logs.flush();
      expect(batches[0]!.buffer.buffer).toBeInstanceOf(SharedArrayBuffer);
      const there = structuredClone(batches[0]!.buffer);
      batches[0]!.buffer[0] = 0x5b;
      expect(there[0]).toBe(0x5b);
    });

    test('go where a listener wrote before, when its plan changes', () => {
      log().exchange(entry());
      log({ target: '/other' }).exchange(entry());
      expect(logs.logOf('web', undefined)).toBeUndefined();
      expect(batches.map(({ target }) => target)).toEqual(['/log', '/other']);
    });
  });
});
