/** What a run came to, in a form that can be compared over splits: nothing in it depends on how bytes were cut. */
import { type CaseAnswer, endsWithinHead, type RequestOutcome, withoutOurFields } from './lane.ts';
import { readRequestsStrictly } from './llhttp-reader.ts';
import { describeReading, type Message } from './message.ts';
import { readRequests } from './our-reader.ts';

const TIMED_OUT = 408;

/** Whole requests that the origin saw, over all its connections, as our parsers read them, without the fields that are the proxy's. */
export function requestsSeen({ seen }: RequestOutcome): Message[] {
  return seen.flatMap(
    (bytes) => readRequests(Buffer.from(withoutOurFields(bytes.toString('latin1')), 'latin1')).messages,
  );
}

/** Why the origin's bytes could be understood in two ways, or in none; '' if all is well. A request that was cut is none. */
export function ambiguity({ seen }: RequestOutcome): string {
  for (const raw of seen) {
    const bytes = withoutTabs(raw);
    const ours = readRequests(bytes);
    const theirs = readRequestsStrictly(bytes);
    if (describeReading(ours) !== describeReading(theirs))
      return `the origin got ${JSON.stringify(bytes.toString('latin1'))}, read by us as ${describeReading(ours)}, by llhttp as ${describeReading(theirs)} ${theirs.refusal ?? ''}`;
    if (ours.refusal !== undefined)
      return `the origin got ${JSON.stringify(bytes.toString('latin1'))}: ${ours.refusal}`;
  }
  return '';
}

/** White space around a value is SP or HTAB (RFC 9110 section 5.6.3), but llhttp refuses a length with a tab beside it: that is safe. */
export function withoutTabs(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1').replace(/^(Content-Length:)[ \t]*(\d+)[ \t]*\r\n/gim, '$1 $2\r\n');
  return Buffer.from(text, 'latin1');
}

/**
 * The answers, and the whole requests at the origin. A request that did not come to its end is a 408 or, where the client went first,
 * nothing: both are no answer here. See `endsWithinHead` for refusals of what was not there to its end.
 */
function verdictOf(outcome: RequestOutcome, bytes: Buffer): string {
  const isOpen = endsWithinHead(bytes);
  const answers = outcome.answers.filter(({ status, isForwarded }) => status !== TIMED_OUT && (isForwarded || !isOpen));
  return JSON.stringify({ answers: answers.map(describeAnswer), requests: requestsSeen(outcome) });
}

/**
 * Whether a run in pieces came to what the whole came to. `lost`: it did, but the client, which went on sending to a connection that was told
 * to end, did not get to read the last answer (RFC 9112 section 9.6 tells why that happens).
 */
export function compare(whole: RequestOutcome, pieces: RequestOutcome, bytes: Buffer): 'same' | 'lost' | 'changed' {
  if (pieces.isStuck) return 'changed';
  if (verdictOf(whole, bytes) === verdictOf(pieces, bytes)) return 'same';
  const last = whole.answers.at(-1);
  const isLost = last?.isForwarded === true && last.closes && pieces.answers.length === whole.answers.length - 1;
  const readable = { ...pieces, answers: isLost ? [...pieces.answers, last] : pieces.answers };
  return verdictOf(whole, bytes) === verdictOf(readable, bytes) ? 'lost' : 'changed';
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
