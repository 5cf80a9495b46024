/** Our own table of requests, row by row, against a real proxy and an origin that keeps every byte. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENGINES } from '../integration/proxy-process.ts';
import { ConformanceRig } from './conformance-rig.ts';
import { FIELD_ROWS, FORWARDING_ROWS } from './field-rows.ts';
import { CHUNK_ROWS, CODING_ROWS, LENGTH_ROWS, PIPELINE_ROWS, TRAILER_ROWS } from './framing-rows.ts';
import { type RequestOutcome, withoutOurFields } from './lane.ts';
import { HOST_ROWS, LINE_ROWS, TARGET_ROWS } from './request-line-rows.ts';
import type { RequestRow, RequestVerdict } from './requirement.ts';
import { SEED, type Split, splitsOf } from './splits.ts';
import { ambiguity, compare, describeOutcome } from './verdict.ts';

const LANES = 24;
const RANDOM_SPLITS = 3;
const RUN_TIMEOUT_MS = 120_000;

const ROWS: readonly RequestRow[] = [
  ...LINE_ROWS,
  ...TARGET_ROWS,
  ...HOST_ROWS,
  ...FIELD_ROWS,
  ...FORWARDING_ROWS,
  ...LENGTH_ROWS,
  ...CODING_ROWS,
  ...CHUNK_ROWS,
  ...TRAILER_ROWS,
  ...PIPELINE_ROWS,
];

interface Result {
  readonly whole: RequestOutcome;
  readonly splits: readonly (readonly [split: Split, outcome: RequestOutcome])[];
  readonly endpoint: string;
}

describe.each(ENGINES)('the table of requests, with the %s engine', (engine) => {
  let rig: ConformanceRig;
  let results: Map<RequestRow, Result>;

  beforeAll(async () => {
    console.log(`seed of the splits: ${SEED} (FOURSEVEN_SEED)`);
    rig = await ConformanceRig.start(engine, LANES);
    const outcomes = await rig.runAll(ROWS, async (lane, row): Promise<Result> => {
      const bytes = Buffer.from(row[1], 'latin1');
      const whole = await lane.request(bytes, 'whole');
      const splits: [Split, RequestOutcome][] = [];
      // The node engine is the control group: that its sockets cut bytes in other ways is not worth its time.
      const kinds = engine === 'native' ? splitsOf(row[0], SEED, RANDOM_SPLITS) : [];
      for (const split of kinds) splits.push([split, await lane.request(bytes, split, whole)]);
      return { whole, splits, endpoint: `127.0.0.1:${lane.origin.port}` };
    });
    results = new Map(ROWS.map((row, index) => [row, outcomes[index]!]));
  }, RUN_TIMEOUT_MS);

  afterAll(() => rig.stop());

  it('names each row once', () => {
    expect(new Set(ROWS.map(([requirement]) => requirement)).size).toBe(ROWS.length);
  });

  it.each(ROWS.map((row) => [row[0], row] as const))('%s', (_, row) => {
    const { whole, splits, endpoint } = results.get(row)!;
    const bytes = Buffer.from(row[1], 'latin1');
    expectVerdict(whole, row[2], endpoint);
    for (const [split, outcome] of splits) {
      const what = `${split}: ${describeOutcome(outcome)}`;
      expect(outcome, what).toMatchObject({ canary: '', isStuck: false });
      expect(compare(whole, outcome, bytes), what).not.toBe('changed');
    }
  });
});

function expectVerdict(outcome: RequestOutcome, verdict: RequestVerdict, endpoint: string): void {
  const what = describeOutcome(outcome);
  const { forwards, refusal, closes } = verdict;
  expect(outcome, what).toMatchObject({ canary: '', isStuck: false });
  const statuses = [...forwards.map(() => 200), ...(refusal === undefined ? [] : [refusal])];
  expect(
    outcome.answers.map(({ status }) => status),
    what,
  ).toEqual(statuses);
  expect(
    outcome.answers.map(({ isForwarded }) => isForwarded),
    what,
  ).toEqual(statuses.map((_, index) => index < forwards.length));
  expect(outcome.answers.at(-1)?.closes, what).toBe(closes || refusal !== undefined);
  expect(ambiguity(outcome), what).toBe('');
  if (forwards.length === 0 && refusal !== 408) expect(outcome.seen, what).toEqual([]);
  if (forwards.length === 0) return;
  // All of them went over one pooled connection, and so did the canary behind them.
  expect(outcome.seen, what).toHaveLength(1);
  const seen = withoutOurFields(outcome.seen[0]!.toString('latin1'));
  expect(seen).toBe(forwards.join('').replaceAll('{endpoint}', endpoint));
  expect(outcome.canaryFollows, what).toBe(true);
}
