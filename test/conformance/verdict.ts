/** What a run came to, in a form that can be compared over splits: nothing in it depends on how bytes were cut. */
import type { CaseAnswer, RequestOutcome } from './lane.ts';
import { readRequestsStrictly } from './llhttp-reader.ts';
import { describeReading, type Message, type Reading } from './message.ts';
import { readRequests } from './our-reader.ts';

const TIMED_OUT = 408;

/** Whole requests that the origin saw, over all its connections, as our parsers read them. */
export function requestsSeen({ seen }: RequestOutcome): Message[] {
  return seen.flatMap((bytes) => readRequests(bytes).messages);
}

/** Why the origin's bytes could be understood in two ways, or in none; '' if all is well. A request that was cut is none. */
export function ambiguity({ seen }: RequestOutcome): string {
  for (const bytes of seen) {
    const ours = readRequests(bytes);
    const theirs = readRequestsStrictly(bytes);
    if (describeReading(ours) !== describeReading(theirs))
      return `the origin got ${JSON.stringify(bytes.toString('latin1'))}, read by us as ${describeReading(ours)}, by llhttp as ${describeReading(theirs)} ${theirs.refusal ?? ''}`;
    if (ours.refusal !== undefined)
      return `the origin got ${JSON.stringify(bytes.toString('latin1'))}: ${ours.refusal}`;
  }
  return '';
}

/**
 * The answers, and the whole requests at the origin. A request that did not come to its end is a 408 or, where the client went first,
 * nothing: both are no answer here.
 */
export function verdictOf(outcome: RequestOutcome): string {
  const answers = outcome.answers.filter(({ status }) => status !== TIMED_OUT);
  return JSON.stringify({ answers: answers.map(describeAnswer), requests: requestsSeen(outcome) });
}

export function describeAnswer({ status, isForwarded, closes }: CaseAnswer): string {
  return `${status}${isForwarded ? ' of the origin' : ''}${closes ? ', closing' : ''}`;
}

/** Whether every request was refused, or did not come to its end. */
export function isRefused({ answers }: RequestOutcome): boolean {
  return answers.every(({ isForwarded, status }) => !isForwarded && status >= 400);
}

export function describeOutcome(outcome: RequestOutcome): string {
  const seen = outcome.seen.map((bytes) => JSON.stringify(bytes.toString('latin1', 0, 600)));
  const canary = outcome.canary === '' ? '' : `; the canary was ${outcome.canary}`;
  return `${outcome.isStuck ? 'stuck; ' : ''}answers [${outcome.answers.map(describeAnswer).join('; ')}], origin ${seen.join(' and ') || 'nothing'}${canary}`;
}

export type { Reading };
