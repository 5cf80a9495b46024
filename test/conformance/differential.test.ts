/** Our parsers against llhttp, on heads that nobody wrote. FOURSEVEN_PROPERTY_RUNS for more, FOURSEVEN_SEED to see a run again. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EXPLAINED, fault } from './differential.ts';
import { requests, responses } from './generated-heads.ts';
import { readRequestsStrictly, readResponsesStrictly } from './llhttp-reader.ts';
import { readRequests, readResponses } from './our-reader.ts';
import { SEED } from './splits.ts';

const RUNS = Number(process.env.FOURSEVEN_PROPERTY_RUNS ?? 2_000);
const TIMEOUT_MS = 20_000 + RUNS;

describe('our parsers and llhttp', () => {
  it(
    'read each request that we accept in the same way',
    () => {
      let accepted = 0;
      const property = fc.property(requests, (text) => {
        const bytes = Buffer.from(text, 'latin1');
        const ours = readRequests(bytes);
        accepted += Math.min(ours.messages.length, 1);
        expect(fault(text, ours, readRequestsStrictly)).toBe('');
      });
      fc.assert(property, { numRuns: RUNS, seed: SEED });
      // If hardly any were accepted, nothing would have been compared.
      expect(accepted).toBeGreaterThan(RUNS / 20);
    },
    TIMEOUT_MS,
  );

  it.each(['GET', 'HEAD'])(
    'read each response to %s that we accept in the same way',
    (method) => {
      let accepted = 0;
      const property = fc.property(responses, fc.boolean(), (text, ended) => {
        const bytes = Buffer.from(text, 'latin1');
        const ours = readResponses(bytes, method, ended);
        accepted += Math.min(ours.messages.length, 1);
        expect(fault(text, ours, (all) => readResponsesStrictly(all, method, ended))).toBe('');
      });
      fc.assert(property, { numRuns: RUNS, seed: SEED });
      expect(accepted).toBeGreaterThan(RUNS / 20);
    },
    TIMEOUT_MS,
  );

  it('differ in each of the ways that are explained, and in those alone', () => {
    const examples = [
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3 ; a\r\nabc\r\n0\r\n\r\n',
    ];
    expect(examples).toHaveLength(EXPLAINED.length);
    for (const [index, text] of examples.entries()) {
      const bytes = Buffer.from(text, 'latin1');
      const ours = readRequests(bytes);
      expect(ours.messages).toHaveLength(1);
      expect(readRequestsStrictly(bytes).messages).toEqual([]);
      expect(fault(text, ours, readRequestsStrictly)).toBe('');
      const bare = Buffer.from(EXPLAINED[index]!.without(text), 'latin1');
      expect(readRequestsStrictly(bare).messages).toEqual(ours.messages);
    }
  });

  it('would show a parser that is too lenient', () => {
    const text = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc';
    const lenient = readRequests(Buffer.from(text.replace('+', ''), 'latin1'));
    expect(lenient.messages).toHaveLength(1);
    expect(fault(text, lenient, readRequestsStrictly)).toContain('HPE_INVALID_CONTENT_LENGTH');
  });
});
