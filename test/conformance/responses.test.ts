/** Our own table of responses: what an endpoint sends, and what of it a client gets. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENGINES } from '../integration/proxy-process.ts';
import { ConformanceRig } from './conformance-rig.ts';
import { type ResponseOutcome, readAnswers } from './lane.ts';
import { readResponsesStrictly } from './llhttp-reader.ts';
import type { ResponseRow } from './requirement.ts';
import { RESPONSE_FIELD_ROWS, RESPONSE_FRAMING_ROWS, RESPONSE_LINE_ROWS } from './response-rows.ts';
import { SEED, type Split, splitsOf } from './splits.ts';

const LANES = 24;
const RANDOM_SPLITS = 3;
const RUN_TIMEOUT_MS = 120_000;

const ROWS: readonly ResponseRow[] = [...RESPONSE_LINE_ROWS, ...RESPONSE_FIELD_ROWS, ...RESPONSE_FRAMING_ROWS];

type Result = readonly (readonly [split: Split, outcome: ResponseOutcome])[];

describe.each(ENGINES)('the table of responses, with the %s engine', (engine) => {
  let rig: ConformanceRig;
  let results: Map<ResponseRow, Result>;

  beforeAll(async () => {
    console.log(`seed of the splits: ${SEED} (FOURSEVEN_SEED)`);
    rig = await ConformanceRig.start(engine, LANES);
    const outcomes = await rig.runAll(ROWS, async (lane, [requirement, text, _, more]): Promise<Result> => {
      const bytes = Buffer.from(text, 'latin1');
      const { method = 'GET', ends = false } = more ?? {};
      const kinds: Split[] = ['whole', ...(engine === 'native' ? splitsOf(requirement, SEED, RANDOM_SPLITS) : [])];
      const found: [Split, ResponseOutcome][] = [];
      for (const split of kinds) found.push([split, await lane.response(bytes, split, ends, method)]);
      return found;
    });
    results = new Map(ROWS.map((row, index) => [row, outcomes[index]!]));
  }, RUN_TIMEOUT_MS);

  afterAll(() => rig.stop());

  it('names each row once', () => {
    expect(new Set(ROWS.map(([requirement]) => requirement)).size).toBe(ROWS.length);
  });

  it.each(ROWS.map((row) => [row[0], row] as const))('%s', (_, row) => {
    for (const [split, outcome] of results.get(row)!) expectVerdict(split, outcome, row);
  });
});

function expectVerdict(split: Split, outcome: ResponseOutcome, [, , verdict, more]: ResponseRow): void {
  const received = outcome.received.toString('latin1');
  const what = `${split}: the client got ${JSON.stringify(received)}`;
  expect(outcome, what).toMatchObject({ canary: '', isStuck: false });
  if (verdict.relayed !== undefined) {
    // How a body without length is cut into chunks is up to us.
    if (split === 'whole') expect(received, what).toBe(verdict.relayed);
    else expect(messagesIn(received, more?.method), what).toBe(messagesIn(verdict.relayed, more?.method));
    return;
  }
  if (verdict.status !== 0) {
    const answers = readAnswers(received);
    expect(
      answers.map(({ status }) => status),
      what,
    ).toEqual([verdict.status]);
    return;
  }
  // In pieces, the beginning may have gone out before the rest was seen to be wrong; the client must see that it is not whole.
  const { messages } = readResponsesStrictly(outcome.received, more?.method);
  expect(
    messages.filter(({ status }) => status === 200),
    what,
  ).toEqual([]);
}

function messagesIn(text: string, method = 'GET'): string {
  return JSON.stringify(readResponsesStrictly(Buffer.from(text, 'latin1'), method));
}
