import { beforeEach, describe, expect, test } from 'vitest';
import { RequestHead } from '../../../src/l7/h1/request-head.ts';
import { parseRequestHead } from '../../../src/l7/h1/request-parser.ts';
import { TraceContext, Tracing } from '../../../src/l7/tracing.ts';
import { SPANS_MAX, type SpanRecord, Spans } from '../../../src/observe/spans.ts';

const LIMITS = { headMaxBytes: 65_536, headersMaxCount: 100, lineMaxBytes: 16_384 };
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const FRESH = 'f'.repeat(32);

let told: SpanRecord[];
let random: number;

beforeEach(() => {
  told = [];
  random = 0.5;
});

function begin(lines: readonly string[], isTrusted = true, sample = 0.1): TraceContext {
  const bytes = Buffer.from(
    `GET / HTTP/1.1\r\nHost: x\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`,
    'latin1',
  );
  const head = new RequestHead(100);
  expect(parseRequestHead(bytes, 0, bytes.length, LIMITS, head, false)).toBe(bytes.length);
  const ids = { write: (to: Uint8Array, at: number) => to.fill('f'.charCodeAt(0), at, at + 32) };
  const tracing = new Tracing(sample, new Spans((spans) => told.push(...spans)), ids, () => random);
  const trace = new TraceContext();
  tracing.begin(trace, bytes, head, isTrusted);
  return trace;
}

const text = (trace: TraceContext) => Buffer.from(trace.text).toString('latin1');

describe('a request', () => {
  test('begins a trace of its own where there is none', () => {
    const trace = begin([]);
    expect(text(trace)).toBe(`00-${FRESH}-${FRESH.slice(0, 16)}-00`);
    expect([trace.hasParent, trace.isSampled]).toEqual([false, false]);
    random = 0.05;
    expect(text(begin([]))).toMatch(/-01$/);
  });

  test('goes on with the trace that somebody believed has begun, and is told if that says so', () => {
    const trace = begin([`traceparent: 00-${TRACE}-${SPAN}-01`]);
    expect(text(trace)).toBe(`00-${TRACE}-${FRESH.slice(0, 16)}-01`);
    expect(Buffer.from(trace.parent).toString()).toBe(SPAN);
    expect(begin([`Traceparent: 00-${TRACE}-${SPAN}-00`], true, 1).isSampled).toBe(false);
  });

  test('of anybody else begins anew', () => {
    const trace = begin([`traceparent: 00-${TRACE}-${SPAN}-01`], false);
    expect([trace.hasParent, trace.isSampled]).toEqual([false, false]);
    expect(text(trace)).not.toContain(TRACE);
  });

  test.each([
    ['of a later version', `01-${TRACE}-${SPAN}-01-more`, true],
    ['of version 0 with more', `00-${TRACE}-${SPAN}-01-more`, false],
    ['of version ff', `ff-${TRACE}-${SPAN}-01`, false],
    ['with upper case', `00-${TRACE.toUpperCase()}-${SPAN}-01`, false],
    ['without a trace', `00-${'0'.repeat(32)}-${SPAN}-01`, false],
    ['without a span', `00-${TRACE}-${'0'.repeat(16)}-01`, false],
    ['cut short', `00-${TRACE}-${SPAN}-0`, false],
    ['with other dashes', `00_${TRACE}-${SPAN}-01`, false],
    ['with other letters', `00-${TRACE.replace('a', 'g')}-${SPAN}-01`, false],
    ['of another flag', `00-${TRACE}-${SPAN}-03`, true],
    ['with a longer end but no dash', `01-${TRACE}-${SPAN}-01x`, false],
  ])('with a traceparent %s: believed is %s', (_what, value, isBelieved) => {
    expect(begin([`traceparent: ${value}`]).hasParent).toBe(isBelieved);
  });

  test('with two of them has none', () => {
    const line = `traceparent: 00-${TRACE}-${SPAN}-01`;
    expect(begin([line, line]).hasParent).toBe(false);
  });
});

test('spans beyond what a flush may take are dropped and counted', () => {
  const spans = new Spans((all) => told.push(...all));
  for (let count = 0; count < SPANS_MAX + 3; count++) spans.add({} as SpanRecord);
  spans.flush();
  spans.flush();
  expect([told.length, spans.dropped]).toEqual([SPANS_MAX, 3]);
});
