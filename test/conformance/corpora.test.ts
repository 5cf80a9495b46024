/** The corpora of other projects, where they are here. Skipped, and said so, where they are not. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENGINES } from '../integration/proxy-process.ts';
import { ConformanceRig } from './conformance-rig.ts';
import {
  CORPORA,
  type CorpusCase,
  REQUEST_POLICIES,
  RESPONSE_POLICIES,
  type RequestPolicy,
  type ResponsePolicy,
  readCorpora,
} from './corpora.ts';
import { EXCEPTIONS } from './corpora-exceptions.ts';
import { judgeRequest, judgeResponse, needsEnd } from './corpora-judge.ts';
import type { Lane, RequestOutcome, ResponseOutcome } from './lane.ts';
import { readResponsesStrictly } from './llhttp-reader.ts';
import { SEED, splitsOf } from './splits.ts';
import { compare, describeOutcome, isRefused, requestsSeen } from './verdict.ts';

const LANES = 32;
/** FOURSEVEN_RANDOM_SPLITS=20 for a release. */
const RANDOM_SPLITS = Number(process.env.FOURSEVEN_RANDOM_SPLITS ?? 3);
const RUN_TIMEOUT_MS = 60_000 + RANDOM_SPLITS * 40_000;

/** What came of a case. Empty texts: nothing to complain of. */
interface Score {
  readonly id: string;
  readonly policy: RequestPolicy | ResponsePolicy;
  readonly outcome: 'refused' | 'forwarded';
  readonly runs: number;
  readonly complaint: string;
  readonly canaryLeaks: readonly string[];
  readonly splitChanges: readonly string[];
  /** Runs whose last answer did not reach a client that was still sending. */
  readonly lostAnswers: number;
}

if (CORPORA === undefined) {
  console.warn('SKIPPED: there are no corpora: set FOURSEVEN_CORPORA to their folder');
  describe('the corpora', () => {
    it.skip('are not here: set FOURSEVEN_CORPORA to their folder', () => {});
  });
} else {
  describe.each(ENGINES)('the corpora, with the %s engine', (engine) => judgeCorpora(engine, CORPORA!));
}

function judgeCorpora(engine: 'native' | 'node', folder: string): void {
  const requests = readCorpora(folder, REQUEST_POLICIES);
  const responses = readCorpora(folder, RESPONSE_POLICIES);
  const randomSplits = engine === 'native' ? RANDOM_SPLITS : -1;
  let rig: ConformanceRig;
  let scores: readonly Score[];

  beforeAll(async () => {
    console.log(`seed of the splits: ${SEED} (FOURSEVEN_SEED)`);
    rig = await ConformanceRig.start(engine, LANES);
    scores = [
      ...(await rig.runAll(requests, (lane, what) => runRequest(lane, what, randomSplits))),
      ...(await rig.runAll(responses, (lane, what) => runResponse(lane, what, randomSplits))),
    ];
    console.log(scoreTable(engine, scores));
  }, RUN_TIMEOUT_MS);

  afterAll(() => rig.stop());

  const of = (policy: string) => scores.filter((score) => score.policy === policy);
  const unexplained = (all: readonly Score[]) =>
    all
      .filter(({ id, complaint }) => complaint !== '' && !(id in EXCEPTIONS))
      .map(({ id, complaint }) => `${id}: ${complaint}`);

  it.each([...REQUEST_POLICIES, ...RESPONSE_POLICIES])(
    'does as each case of %s wants, explained exceptions apart',
    (policy) => {
      expect(of(policy)).not.toHaveLength(0);
      expect(unexplained(of(policy))).toEqual([]);
    },
  );

  it('lets no canary get what is not its own', () => {
    expect(scores.flatMap(({ canaryLeaks }) => canaryLeaks)).toEqual([]);
  });

  it('comes to the same verdict however the bytes are cut', () => {
    expect(scores.flatMap(({ splitChanges }) => splitChanges)).toEqual([]);
  });

  it(
    'refuses each case that lacks its Host as it was found',
    async () => {
      const lacking = requests.filter(({ withoutHost }) => withoutHost !== undefined);
      const outcomes = await rig.runAll(lacking, (lane, { withoutHost }) => lane.request(withoutHost!, 'whole'));
      const forwarded = outcomes.map((outcome, index) =>
        isRefused(outcome) && requestsSeen(outcome).length === 0
          ? ''
          : `${lacking[index]!.id}: ${describeOutcome(outcome)}`,
      );
      expect(forwarded.filter((text) => text !== '')).toEqual([]);
    },
    RUN_TIMEOUT_MS,
  );

  it('has no exception that is none', () => {
    const complaints = new Map(scores.map(({ id, complaint }) => [id, complaint]));
    expect(Object.keys(EXCEPTIONS).filter((id) => !complaints.get(id))).toEqual([]);
  });
}

async function runRequest(lane: Lane, what: CorpusCase<RequestPolicy>, randomSplits: number): Promise<Score> {
  const { id, policy, bytes, isProxied } = what;
  const whole = await lane.request(bytes, 'whole', undefined, isProxied);
  const complaint = judgeRequest(what, whole);
  const canaryLeaks = leaksOf(`${id}, whole`, whole);
  const splitChanges: string[] = [];
  let lostAnswers = 0;
  const splits = randomSplits < 0 ? [] : splitsOf(id, SEED, randomSplits);
  for (const split of splits) {
    const outcome = await lane.request(bytes, split, whole, isProxied);
    canaryLeaks.push(...leaksOf(`${id}, ${split}`, outcome));
    const verdict = compare(whole, outcome, bytes);
    if (verdict === 'lost') lostAnswers++;
    if (verdict === 'changed')
      splitChanges.push(`${id}, ${split}: ${describeOutcome(outcome)}; whole: ${describeOutcome(whole)}`);
  }
  const explained = complaint === '' ? '' : `${complaint}; ${describeOutcome(whole)}`;
  const outcome = isRefused(whole) ? 'refused' : 'forwarded';
  return { id, policy, outcome, runs: 1 + splits.length, complaint: explained, canaryLeaks, splitChanges, lostAnswers };
}

function leaksOf(what: string, { canary }: Pick<RequestOutcome, 'canary'>): string[] {
  return canary === '' ? [] : [`${what}: ${canary}`];
}

async function runResponse(lane: Lane, what: CorpusCase<ResponsePolicy>, randomSplits: number): Promise<Score> {
  const { id, policy, bytes } = what;
  const ends = needsEnd(bytes);
  const whole = await lane.response(bytes, 'whole', ends);
  const complaint = judgeResponse(what, whole);
  const canaryLeaks = leaksOf(`${id}, whole`, whole);
  const splitChanges: string[] = [];
  const splits = randomSplits < 0 ? [] : splitsOf(id, SEED, randomSplits);
  for (const split of splits) {
    const outcome = await lane.response(bytes, split, ends);
    canaryLeaks.push(...leaksOf(`${id}, ${split}`, outcome));
    if (responseVerdict(outcome) !== responseVerdict(whole))
      splitChanges.push(
        `${id}, ${split}: ${outcome.received.toString('latin1')}; whole: ${whole.received.toString('latin1')}`,
      );
  }
  const isRefused = whole.received.toString('latin1').startsWith('HTTP/1.1 502 ');
  const outcome = isRefused ? 'refused' : 'forwarded';
  return { id, policy, outcome, runs: 1 + splits.length, complaint, canaryLeaks, splitChanges, lostAnswers: 0 };
}

/** Whole responses, or that there is none: where a malformed body is cut, more or less of its beginning may have left. */
function responseVerdict({ received, isStuck }: ResponseOutcome): string {
  const { messages } = readResponsesStrictly(received);
  const status = messages.some((message) => message.status === 502) || messages.length === 0 ? [] : messages;
  return JSON.stringify({ messages: status, isStuck });
}

function scoreTable(engine: string, scores: readonly Score[]): string {
  const rows = [...REQUEST_POLICIES, ...RESPONSE_POLICIES].map((policy) => {
    const of = scores.filter((score) => score.policy === policy);
    const sum = (count: (score: Score) => number) => of.reduce((total, score) => total + count(score), 0);
    return {
      policy,
      cases: of.length,
      'as wanted': sum(({ complaint }) => (complaint === '' ? 1 : 0)),
      exceptions: sum(({ id, complaint }) => (complaint !== '' && id in EXCEPTIONS ? 1 : 0)),
      refused: sum(({ outcome }) => (outcome === 'refused' ? 1 : 0)),
      forwarded: sum(({ outcome }) => (outcome === 'forwarded' ? 1 : 0)),
      runs: sum(({ runs }) => runs),
      'canary leaks': sum(({ canaryLeaks }) => canaryLeaks.length),
      'split changes': sum(({ splitChanges }) => splitChanges.length),
      'lost answers': sum(({ lostAnswers }) => lostAnswers),
    };
  });
  const columns = Object.keys(rows[0]!) as (keyof (typeof rows)[0])[];
  const width = (column: (typeof columns)[0]) => Math.max(column.length, ...rows.map((row) => `${row[column]}`.length));
  const line = (cell: (column: (typeof columns)[0]) => string) =>
    columns.map((column) => cell(column).padEnd(width(column))).join('  ');
  return [
    `corpora, ${engine} engine`,
    line((column) => column),
    ...rows.map((row) => line((column) => `${row[column]}`)),
  ].join('\n');
}
